"""Plain functions: conv_forward(x, w, b, param) -> out, cache and conv_backward(dout, cache) -> dx, dw, db.

The conventions of most courses are accepted: a cache or none, gradients in a tuple, a list or a dict, a loss that
returns its gradient together with its value.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from copy import copy, deepcopy
from typing import Any

import numpy as np

from .. import arguments
from ..backends import to_host
from ..errors import explain, shown
from .functions import Function

NOTHING = object()
"""The cache of a forward that returns none."""


class PairFunction(Function):
    """A forward and a backward of the user's own, with the arguments of the forward.

    Floating-point arrays among the arguments are differentiated. Integer arrays (labels), numbers, strings and dicts
    are passed on.
    """

    def __init__(self, forward: Callable[..., Any], backward: Callable[..., Any] | None, inputs: Any) -> None:
        self.title = _name_of(forward)
        self.functions = forward, backward
        self.by_keyword = len(inputs) == 1 and isinstance(inputs[0], Mapping)
        self.inputs = dict(inputs[0]) if self.by_keyword else dict(zip(_names(forward, inputs), inputs, strict=True))
        arguments.function(
            f"{self.title} forward",
            forward,
            *([] if self.by_keyword else self.inputs),
            keywords=self.inputs if self.by_keyword else (),
        )
        self.arrays = {name: _numbers(name, value) for name, value in self.inputs.items() if _is_differentiated(value)}
        if not self.arrays:
            remedy = 'Give the arguments of the forward: check_operation(forward, backward, x, w), or {"x": x, "w": w}.'
            raise TypeError(explain("check_operation arrays", "arrays of floating-point numbers", "none", remedy))
        constants = {name: value for name, value in self.inputs.items() if name not in self.arrays}
        self.targets = next((name for name, value in constants.items() if isinstance(value, (np.ndarray, list))), None)
        self.labels = None if self.targets is None else np.asarray(self.inputs[self.targets])
        self._find_convention()

    def _find_convention(self) -> None:
        """Run both once: find out whether there is a cache, a dy, and which arrays have gradients."""
        y = np.asarray(self.forward(self.arrays))
        if self.functions[1] is None:
            self.takes_dy = False
        else:
            count = _count_parameters(self.functions[1])
            needed = 1 if self.cache is NOTHING else 2
            if y.ndim == 0 and (count == 1 if self.cache is not NOTHING else count == len(self.inputs) > 1):
                self.takes_dy = False
            elif count is not None and count < needed:
                found = str(inspect.signature(self.functions[1]))
                expected = "backward(dy)" if self.cache is NOTHING else "backward(dy, cache)"
                remedy = "It gets dy, then what the forward returned besides y."
                raise TypeError(explain(f"{self.title}, {_name_of(self.functions[1])}", expected, found, remedy))
        gradients = self._listed(self._raw_gradients(np.ones(y.shape)))
        if y.ndim == 0 and len(gradients) < len(self.arrays) and not isinstance(gradients, Mapping):
            kept = list(self.arrays)[: len(gradients)]
            rest = [name for name in self.arrays if name not in kept]
            if self.labels is None:
                self.targets, self.labels = rest[0], self.arrays[rest[0]]
            self.arrays = {name: self.arrays[name] for name in kept}  # a loss has no gradient for its targets

    def of_samples(self, chosen: np.ndarray, N: int) -> Iterator[Function]:
        other = copy(self)
        other.inputs = {k: v if k in self.arrays else _taken(v, chosen, N) for k, v in self.inputs.items()}
        other.labels = _taken(self.labels, chosen, N)
        yield other
        yield copy(self)  # what looks like N labels may be N strides

    def take_labels(self, labels: np.ndarray) -> None:
        super().take_labels(labels)
        self.inputs = {name: labels if name == self.targets else value for name, value in self.inputs.items()}

    def run_forward(self, handed: Mapping[str, Any], dtype: np.dtype) -> Any:
        values = {name: handed[name] if name in handed else deepcopy(value) for name, value in self.inputs.items()}
        self.last = values
        forward = self.functions[0]
        result = forward(**values) if self.by_keyword else forward(*values.values())
        self.cache = NOTHING
        if isinstance(result, (tuple, list)):
            if len(result) != 2:
                remedy = "The cache is what the backward needs; it may be a tuple, or None."
                raise TypeError(explain(f"{self.title} forward", "y, cache", f"{len(result)} results", remedy))
            result, self.cache = result
        if result is None:
            raise TypeError(explain(f"{self.title} forward", "y, cache", "None", "Is a return statement missing?"))
        return result

    def run_backward(self, dy: Any, need_dx: bool) -> dict[str, Any]:
        gradients = self._listed(self._raw_gradients(dy))
        where, expected = f"{self.title} backward", f"{len(self.arrays)} gradients, of {', '.join(self.arrays)}"
        if isinstance(gradients, Mapping):
            found = {_argument_of(name): gradient for name, gradient in gradients.items()}
            missing = [name for name in self.arrays if _argument_of(name) not in found]
            if missing:
                remedy = f"Name them like the arguments: {', '.join('d' + name for name in self.arrays)}."
                raise ValueError(explain(where, expected, f"a dict of {', '.join(map(str, gradients))}", remedy))
            return {name: found[_argument_of(name)] for name in self.arrays}
        if len(gradients) == len(self.inputs) > len(self.arrays):  # one for each argument, also for those without any
            gradients = [g for name, g in zip(self.inputs, gradients, strict=True) if name in self.arrays]
        if len(gradients) != len(self.arrays):
            remedy = "Return one for each array, in the arrays' order."
            raise ValueError(explain(where, expected, f"{len(gradients)}", remedy))
        return dict(zip(self.arrays, gradients, strict=True))

    def _raw_gradients(self, dy: Any) -> Any:
        backward = self.functions[1]
        if backward is None:
            if self.cache is NOTHING:
                remedy = "With backward=None, the forward returns both: a loss and its gradient."
                raise TypeError(explain(f"{self.title} forward", "loss, gradient", "one result", remedy))
            return self.cache
        passed = [dy] if self.takes_dy else []
        if self.cache is not NOTHING:
            passed.append(self.cache)
        else:
            count = _count_parameters(backward)
            passed += list(self.last.values())[: max(0, (count or 1) - len(passed))]
        return backward(*passed)

    def _listed(self, gradients: Any) -> Any:
        """The gradients as a list or a dict."""
        if isinstance(gradients, (tuple, list)) and not (gradients and np.isscalar(gradients[0])):
            return list(gradients)
        return gradients if isinstance(gradients, Mapping) else [gradients]


def _is_differentiated(value: Any) -> bool:
    if isinstance(value, (str, bytes, bool, int, float, Mapping)) or value is None or callable(value):
        return False
    try:
        array = np.asarray(value)
    except ValueError:
        return False
    return array.dtype.kind == "f" and (array.ndim > 0 or not np.isscalar(value))


def _taken(value: Any, chosen: np.ndarray, N: int) -> Any:
    """These entries of an array, a list or a tuple of N entries; any other value as it is."""
    if isinstance(value, np.ndarray):
        return value[chosen] if value.shape[:1] == (N,) else value
    return type(value)([value[i] for i in chosen]) if type(value) in (list, tuple) and len(value) == N else value


def _numbers(where: str, array: Any) -> np.ndarray:
    numbers = to_host(arguments.array(f"check_operation {where}", "numbers", array, finite=True))
    if numbers.ndim == 0 or numbers.size == 0:
        found = f"shape {numbers.shape}"
        raise ValueError(
            explain(f"check_operation {where}", "at least one number", found, "Give a batch of 2 or more.")
        )
    return np.array(numbers, np.float64)


def _name_of(function: Any) -> str:
    inner = getattr(function, "func", function)  # of a functools.partial
    return str(getattr(inner, "__name__", "operation"))


def _names(function: Callable[..., Any], inputs: tuple[Any, ...]) -> list[str]:
    """The names of the function's positional arguments."""
    if not callable(function):
        raise TypeError(
            explain("check_operation", "a forward function", shown(function), "Give it without calling it.")
        )
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [names[i] if i < len(names) else f"argument {i + 1}" for i in range(len(inputs))]


def _count_parameters(function: Any) -> int | None:
    """How many positional arguments a function must get; None if its signature is not known."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return sum(p.default is p.empty for p in positional)


def _argument_of(gradient: Any) -> str:
    """The argument that a gradient's name in a dict stands for: dx, d_x, grad_x and x all stand for x."""
    return re.sub(r"^(grad_?|d_?)(?=.)", "", str(gradient)).lower()
