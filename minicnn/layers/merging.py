"""Layers that join branches: several values become one, by adding, multiplying, … or side by side.

    x = Conv2D(32, 3, padding="same")(inputs)
    y = Add()([inputs, x])

Each operation joins two arrays; a third one is joined with their result.
"""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends import active, check_memory
from ..backends.contract import Array, Saved
from ..errors import explain
from .base import Layer, Shape, shape_of
from .input import JOINING


class Merge(Layer):
    """Base class: joins the first two inputs, then the result and the third input, and so on.

    A subclass defines `join` and `join_backward`, one call each of a pair of operations on two arrays.
    """

    def join(self, a: Array, b: Array) -> tuple[Array, Saved]:
        """y and `saved` of two inputs."""
        raise NotImplementedError

    def join_backward(self, dy: Array, saved: Saved) -> tuple[Array, Array]:
        """da and db of two inputs."""
        raise NotImplementedError

    def call(self, x: Any, training: bool) -> Array:
        y, *rest = x
        self.saved = []
        for b in rest:
            y, saved = self.join(y, b)
            self.saved.append(saved)
        return y

    def call_backward(self, dy: Array, need_dx: bool) -> Any:
        dx = []
        for saved in reversed(self.saved):
            dy, db = self.join_backward(dy, saved)
            dx.append(db)
        return [dy, *reversed(dx)]

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The shape that all inputs have. Raises ValueError if they differ."""
        shapes = [tuple(shape) for shape in input_shape]
        if any(shape != shapes[0] for shape in shapes):
            remedy = "A convolution with as many filters and the same strides makes shapes equal."
            raise ValueError(explain(str(self), "inputs of one shape", " and ".join(map(str, shapes)), remedy))
        return shapes[0]

    def check_input_count(self, count: int) -> None:
        if count < 2:
            raise ValueError(explain(str(self), "two inputs or more in a list", f"{count}", "Write [a, b]."))

    def check_input(self, x: Any) -> None:
        """Raise ValueError or TypeError unless x is a list of arrays that fit together."""
        self.check_input_count(len(x))
        for one in x:
            super().check_input(one)
        self.compute_output_shape(shape_of(x))

    def _converted(self, inputs: Any) -> Any:
        several = isinstance(inputs, (list, tuple))
        return [super(Merge, self)._converted(one) for one in inputs] if several else inputs

    def _check_batch(self, x: Any) -> list[Array]:
        if not isinstance(x, (list, tuple)):
            raise TypeError(explain(str(self), "a list of arrays", type(x).__name__, "Write [a, b]."))
        x = [arguments.array(self, "input", one, self.dtype) for one in x]
        self.check_input(x)
        self.ensure_built(shape_of(x))
        self.ops = active()
        for one in x:
            check_memory(self, "input", one, ops=self.ops)
        return x

    def _check_dx(self, dx: Any) -> None:
        for one, (_, shape, _) in zip(dx, self._last_input[0], strict=True):
            self._check_result("call_backward", "dx", one, shape)


class _Elementwise(Merge):
    """Base class: y has the inputs' shape."""

    rule: str
    """One of the contract's rules for `merge`."""

    def join(self, a: Array, b: Array) -> tuple[Array, Saved]:
        return self.ops.merge(a, b, self.rule)

    def join_backward(self, dy: Array, saved: Saved) -> tuple[Array, Array]:
        return self.ops.merge_backward(dy, saved)


class Add(_Elementwise):
    """y = a + b + …, inputs of one shape: a shortcut around some layers (He et al., 2016). Each input gets dy."""

    rule = "add"


class Subtract(_Elementwise):
    """y = a − b, two inputs of one shape. a gets dy, b gets −dy."""

    rule = "subtract"

    def check_input_count(self, count: int) -> None:
        if count != 2:
            raise ValueError(explain(str(self), "two inputs in a list", f"{count}", "Write [a, b]."))


class Multiply(_Elementwise):
    """y = a · b · …, element by element, inputs of one shape. a gets dy · b, b gets dy · a."""

    rule = "multiply"


class Average(Add):
    """y = (a + b + …) / n, the mean of n inputs of one shape. Each input gets dy / n."""

    def call(self, x: Any, training: bool) -> Array:
        self.share = self.dtype.type(1 / len(x))
        return super().call(x, training) * self.share

    def call_backward(self, dy: Array, need_dx: bool) -> Any:
        return super().call_backward(dy * self.share, need_dx)


class Maximum(_Elementwise):
    """y = max(a, b, …), element by element, inputs of one shape. The largest gets dy; of equal ones, the first."""

    rule = "maximum"


class Minimum(_Elementwise):
    """y = min(a, b, …), element by element, inputs of one shape. The smallest gets dy; of equal ones, the first."""

    rule = "minimum"


class Concatenate(Merge):
    """The inputs side by side along `axis`, the channels: (…, A) and (…, B) -> (…, A + B). Each gets its part of dy."""

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = arguments.axis(f"{self} axis", axis)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        shapes = [list(shape) for shape in input_shape]
        rank = len(shapes[0])
        if not -rank <= self.axis < rank or self.axis in (0, -rank):
            found, remedy = f"axis={self.axis}", "The usual one is -1, the channels."
            raise ValueError(
                explain(str(self), f"an axis of shape {tuple(shapes[0])} other than the batch", found, remedy)
            )
        lengths = [shape.pop(self.axis) for shape in shapes if len(shape) == rank]
        if any(shape != shapes[0] for shape in shapes):
            found = " and ".join(str(tuple(shape)) for shape in input_shape)
            remedy = "Pad, crop or pool one of them first."
            raise ValueError(explain(str(self), f"inputs that differ only on axis {self.axis}", found, remedy))
        shapes[0].insert(self.axis % rank, sum(lengths))
        return tuple(shapes[0])

    def join(self, a: Array, b: Array) -> tuple[Array, Saved]:
        y, saved = self.ops.concatenate(a.swapaxes(self.axis, -1), b.swapaxes(self.axis, -1))
        return y.swapaxes(self.axis, -1), saved

    def join_backward(self, dy: Array, saved: Saved) -> tuple[Array, Array]:
        da, db = self.ops.concatenate_backward(dy.swapaxes(self.axis, -1), saved)
        return da.swapaxes(self.axis, -1), db.swapaxes(self.axis, -1)


def add(inputs: Any, **options: Any) -> Any:
    """Add(**options)(inputs)."""
    return Add(**options)(inputs)


def concatenate(inputs: Any, axis: int = -1, **options: Any) -> Any:
    """Concatenate(axis, **options)(inputs)."""
    return Concatenate(axis, **options)(inputs)


JOINING.update({"+": Add, "-": Subtract, "*": Multiply})
