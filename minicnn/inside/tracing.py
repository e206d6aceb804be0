"""The trace of a training step: a table of all layers with remarks, and the explanation of any element."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from textwrap import fill
from typing import Any

import numpy as np

from .. import arguments
from ..backends import to_device, to_host
from ..errors import did_you_mean, explain, shown
from ..parameters import Parameter
from .explanation import Explanation, plain, written
from .operations import Element, LossOperation, Operation
from .products import Part, Stored, number
from .recording import LayerTrace, LossTrace
from .remarks import Remark, remarks_on

HEADINGS = ("layer", "output shape", "mean", "spread", "zeros", "gradient", "update/weight")


@dataclass
class Trace:
    """One training step of a batch, layer by layer."""

    model: str
    """The model's name."""
    layers: list[LayerTrace]
    loss: LossTrace

    def __getitem__(self, layer: str | int) -> LayerTrace:
        """A layer's arrays, by its name or index."""
        if isinstance(layer, int):
            return self.layers[layer]
        named = {traced.name: traced for traced in self.layers}
        return named[arguments.choice("trace", layer, named, "the name of a layer")]

    def explain(self, parameter: str | Parameter, index: Any = ()) -> Explanation:
        """The products that sum to one element of an array of this step; see `minicnn.explain`."""
        name = parameter.name if isinstance(parameter, Parameter) else arguments.text("explain parameter", parameter)
        uses = self._uses(name)
        if len(uses) > 1:
            return self._explain_branches(name, index, uses)
        name = uses[0] if uses else name
        operation, element = self._find(name)
        stored = element.array.values
        own = check_index(f"explain {name!r}, index", index, stored.shape)
        products = element.terms(*element.array.index_for_operation(own))
        parts = (*products.parts, *self._penalties(name, own))
        return Explanation(name, own, float(stored[own]), products.formula, parts, operation.page)

    @cached_property
    def remarks(self) -> list[Remark]:
        """What the numbers point out: dead units, saturation, gradients that vanish or explode, NaN, large steps."""
        return remarks_on(self.layers, self.loss)

    def to_dict(self) -> dict[str, Any]:
        """The table and the remarks as plain data that json.dumps accepts; NaN is the string "NaN"."""
        return {
            "model": self.model,
            "samples": len(self.loss.prediction),
            "loss": plain(self.loss.value),
            "layers": [
                {
                    "name": layer.name,
                    "class": type(layer.layer).__name__,
                    "output_shape": list(layer.y.shape),
                    "mean": plain(layer.mean),
                    "spread": plain(layer.spread),
                    "zeros": plain(layer.zeros),
                    "gradient_norm": plain(layer.gradient_norm),
                    "update_ratio": None if layer.update_ratio is None else plain(layer.update_ratio),
                }
                for layer in self.layers
            ],
            "remarks": [remark._asdict() for remark in self.remarks],
        }

    def __str__(self) -> str:
        rows = [HEADINGS, *map(_row, self.layers)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [self._title(), ""]
        for name, *numbers in rows:
            cells = (f"{cell:>{width}}" for cell, width in zip(numbers, widths[1:], strict=True))
            lines.append("  ".join([f"{name:<{widths[0]}}", *cells]))
        remarks = [fill(remark.text, 100, subsequent_indent="  ") for remark in self.remarks]
        return "\n".join([*lines, "", *remarks] if remarks else lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The table and the remarks for a notebook."""
        head = "".join(f"<th>{name}</th>" for name in HEADINGS)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _row(layer))}</tr>" for layer in self.layers
        )
        remarks = "".join(f"<p>{escape(remark.text)}</p>" for remark in self.remarks)
        return f"<p>{escape(self._title())}</p><table><tr>{head}</tr>{body}</table>{remarks}"

    def _title(self) -> str:
        samples = len(self.loss.prediction)
        return (
            f"{self.model}, one step of {samples} sample{'s' if samples > 1 else ''}: loss {float(self.loss.value):.4g}"
        )

    def names(self) -> list[str]:
        """Everything that `explain` takes: "conv2d/y", "conv2d/dx", "conv2d/kernel", …, "loss"."""
        return [name for traced in self._traced for name in _elements(traced)]

    @property
    def _traced(self) -> list[LayerTrace | LossTrace]:
        return [*self.layers, self.loss]

    def _uses(self, name: str) -> list[str]:
        """For a layer's dy, the arrays that it is the sum of: the dx of the layers that get its output, or the loss's.

        Empty for all other names.
        """
        names = [layer.name for layer in self.layers]
        owner, _, array = name.rpartition("/")
        if array != "dy" or owner not in names:
            return []
        number = names.index(owner) + 1
        found = [
            f"{layer.name}/dx{k + 1 if len(layer.sources) > 1 else ''}"
            for layer in self.layers
            for k, source in enumerate(layer.sources)
            if source == number
        ]
        return found or [next((known for known in _elements(self.loss) if known != "loss"), "loss/dprediction")]

    def _explain_branches(self, name: str, index: Any, uses: list[str]) -> Explanation:
        """The gradient of a value that several layers get: the sum of theirs."""
        stored = self[name.rpartition("/")[0]].dy
        own = check_index(f"explain {name!r}, index", index, stored.shape)
        arrays = [Stored(use, self._find(use)[1].array.values) for use in uses]
        parts = tuple(Part(array.name, (array.at(*own),)) for array in arrays)
        formula = f"{written('dy', own)} = {' + '.join(array.written(*own) for array in arrays)}"
        return Explanation(name, own, float(stored[own]), formula, parts, "notation.html")

    def _find(self, name: str) -> tuple[Operation | LossOperation, Element]:
        """The array of this name and the operation that computed it. Raises ValueError, naming those that exist."""
        owner, _, _ = name.rpartition("/")
        for traced in self._traced:
            if traced.name not in (owner, name):
                continue
            elements = _elements(traced)
            if name in elements:
                return elements[name]
            known = _not_described(traced) if not elements else did_you_mean(name, elements)
            raise ValueError(explain("explain", f"an array of {traced.name!r}", repr(name), known))
        known = did_you_mean(owner or name, [traced.name for traced in self._traced])
        raise ValueError(explain("explain", '"layer/array", such as "conv2d/kernel"', repr(name), f"Layers: {known}"))

    def _penalties(self, name: str, index: tuple[int, ...]) -> list[Part]:
        """What a regularizer adds to this element."""
        if name == "loss":
            return [Part("penalties", (number("penalties", self.loss.penalties),))] if self.loss.penalties else []
        owner, _, weight = name.rpartition("/")
        for layer in self.layers:
            if layer.name == owner and weight in layer.regularizers:
                value = layer.weights[weight]
                added = layer.regularizers[weight].add_gradient(to_device(np.zeros_like(value)), to_device(value))
                return [Part("penalty", (number("penalty's gradient", to_host(added)[index]),))]
        return []


def _row(layer: LayerTrace) -> tuple[str, ...]:
    """A layer's line in the table."""
    numbers = (layer.mean, layer.spread, layer.gradient_norm, layer.update_ratio)
    mean, spread, gradient, update = ("" if number is None else f"{number:.2g}" for number in numbers)
    name = f"{layer.name} ({type(layer.layer).__name__})"
    return name, str(layer.y.shape), mean, spread, f"{layer.zeros:.0%}", gradient, update


def _elements(traced: LayerTrace | LossTrace) -> dict[str, tuple[Operation | LossOperation, Element]]:
    """What can be explained of a layer or the loss, by the name that `explain` takes."""
    return {
        name if name == "loss" else f"{traced.name}/{name}": (operation, element)
        for operation in traced.operations
        for name, element in operation.elements().items()
    }


def _not_described(traced: LayerTrace | LossTrace) -> str:
    of = traced.layer if isinstance(traced, LayerTrace) else traced.loss
    return f"The products of this {type(of).__name__} are not described. Its neighbours can be explained."


def check_index(where: str, index: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """One whole number for each axis, below its length; negative ones count from the end. Raises ValueError."""
    numbers = index if isinstance(index, (tuple, list, np.ndarray)) else (index,)
    whole = [isinstance(i, (int, np.integer)) and not isinstance(i, bool) for i in numbers]
    if len(whole) != len(shape) or not all(whole):
        example = tuple(length // 2 for length in shape)
        expected = f"{len(shape)} whole numbers, for an array of shape {shape}"
        raise ValueError(explain(where, expected, shown(index), f"Example: {example}."))
    for axis, (i, length) in enumerate(zip(numbers, shape, strict=True)):
        if not -length <= i < length:
            remedy = f"The array's shape is {shape}."
            raise ValueError(explain(where, f"a number from 0 to {length - 1} on axis {axis}", str(i), remedy))
    return tuple(int(i) % length for i, length in zip(numbers, shape, strict=True))
