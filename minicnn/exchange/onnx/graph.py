"""An ONNX graph under construction: nodes, constants, and the layout of each tensor.

minicnn's arrays are channels last, (N, H, W, C); ONNX's convolutions and pooling are channels first, (N, C, H, W). The
graph transposes where the layout has to change, and only there: between a convolution and the pooling after it, nothing
is transposed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...backends import to_host
from ...network import Shape


@dataclass(frozen=True)
class Tensor:
    """A value in the graph: its name, its number of axes, and whether its channels are on axis 1 instead of the last.

    A tensor of two axes, (N, C), is both.
    """

    name: str
    rank: int
    channels_first: bool = False

    @property
    def channel_axis(self) -> int:
        return 1 if self.channels_first else self.rank - 1


class Graph:
    """Nodes and constants, named by the layer that they belong to. `onnx` is the imported package."""

    def __init__(self, onnx: Any, input_shapes: Mapping[str, Shape]) -> None:
        self.onnx = onnx
        self.input_shapes = input_shapes
        self.fixed_size = not any(None in shape[1:] for shape in input_shapes.values())
        """Whether all axes but the batch have a known length."""
        self.layer = ""
        """The name of the layer whose nodes are being added."""
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._names = set(input_shapes)

    def inputs(self) -> list[Tensor]:
        return [Tensor(name, rank=len(shape)) for name, shape in self.input_shapes.items()]

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of the present layer; returns the name of its output, "layer/Operator"."""
        name = self._new_name(operator)
        self._nodes.append(self.onnx.helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, array: Any) -> str:
        """Add an array of the present layer, integers as int64 and all other numbers as float32; returns its name."""
        array = to_host(array)
        array = np.array(array, np.int64 if array.dtype.kind == "i" else np.float32, order="C")
        name = self._new_name(name)
        self._constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def channels_first(self, x: Tensor) -> Tensor:
        """(N, …, C) -> (N, C, …)."""
        if x.channels_first or x.rank == 2:
            return x
        order = [0, x.rank - 1, *range(1, x.rank - 1)]
        return Tensor(self.node("Transpose", x.name, perm=order), x.rank, channels_first=True)

    def channels_last(self, x: Tensor) -> Tensor:
        """(N, C, …) -> (N, …, C)."""
        if not x.channels_first:
            return x
        order = [0, *range(2, x.rank), 1]
        return Tensor(self.node("Transpose", x.name, perm=order), x.rank)

    def finish(self, outputs: Mapping[str, Tensor]) -> None:
        """Make these tensors, channels last, the outputs of the graph, by these names."""
        names = {}
        for name, y in outputs.items():
            y = self.channels_last(y)
            if y.name in self.input_shapes or y.name in names:  # no layer does anything in inference
                y = replace(y, name=self.node("Identity", y.name))
            names[y.name] = name
        for node in self._nodes:
            for own in (node.input, node.output):
                own[:] = [names.get(name, name) for name in own]

    def proto(self, name: str, output_shapes: Mapping[str, Shape]) -> Any:
        """The finished graph as ONNX's message. The batch axis has a name; an axis of None has any length."""
        inputs, outputs = (
            [
                self.onnx.helper.make_tensor_value_info(tensor, self.onnx.TensorProto.FLOAT, ["batch", *shape[1:]])
                for tensor, shape in shapes.items()
            ]
            for shapes in (self.input_shapes, output_shapes)
        )
        return self.onnx.helper.make_graph(self._nodes, name, inputs, outputs, self._constants)

    def _new_name(self, name: str) -> str:
        """layer/name, with a number if it is taken."""
        stem = new = f"{self.layer}/{name}"
        copies = 0
        while new in self._names:
            new = f"{stem}_{(copies := copies + 1)}"
        self._names.add(new)
        return new
