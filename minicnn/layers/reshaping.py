"""Reshape, Permute and Rescaling: the same numbers in another shape, in another order of axes, in another unit."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from .. import arguments
from ..backends.contract import Array
from ..errors import explain
from .base import Layer, Shape


class Reshape(Layer):
    """(N, …) -> (N, *target_shape) with as many numbers; one length may be -1, which stands for the right one."""

    def __init__(self, target_shape: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        lengths = arguments.sequence(f"{self} target_shape", target_shape, object, "lengths")
        if lengths.count(-1) > 1:
            raise ValueError(explain(f"{self} target_shape", "-1 at most once", lengths, "Example: (28, 28, -1)."))
        known = arguments.shape(f"{self} target_shape", [1 if length == -1 else length for length in lengths], False)
        self.target_shape = tuple(-1 if length == -1 else one for length, one in zip(lengths, known, strict=True))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        numbers, known = prod(input_shape[1:]), abs(prod(self.target_shape))
        if numbers % known or (numbers != known and -1 not in self.target_shape):
            remedy = "The products of the lengths have to be equal."
            raise ValueError(explain(str(self), f"inputs that fit {self.target_shape}", f"{input_shape[1:]}", remedy))
        return (input_shape[0], *(numbers // known if length == -1 else length for length in self.target_shape))

    def call(self, x: Array, training: bool) -> Array:
        self.saved = x.shape
        return x.reshape(self.compute_output_shape(x.shape))

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return dy.reshape(self.saved)


class Permute(Layer):
    """The axes in another order: output axis i is input axis dims[i − 1]. The batch axis, 0, stays where it is."""

    def __init__(self, dims: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        dims = arguments.sequence(f"{self} dims", dims, object, "axes")
        self.dims = tuple(arguments.whole(f"{self} dims", axis) for axis in dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            remedy = "Example: (2, 1) exchanges the first two axes behind the batch."
            raise ValueError(explain(f"{self} dims", "each axis from 1 on once", self.dims, remedy))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != len(self.dims) + 1:
            remedy = "Name all axes but the batch."
            raise ValueError(explain(str(self), f"{len(self.dims) + 1} axes", f"shape {tuple(input_shape)}", remedy))
        return tuple(input_shape[axis] for axis in (0, *self.dims))

    def call(self, x: Array, training: bool) -> Array:
        self.saved = ()
        return x.transpose(0, *self.dims)

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return dy.transpose(0, *(1 + self.dims.index(axis) for axis in range(1, dy.ndim)))


class Rescaling(Layer):
    """y = scale · x + offset: Rescaling(1 / 255) makes numbers from 0 to 1 of pixels."""

    def __init__(self, scale: float, offset: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.scale = arguments.number(f"{self} scale", scale)
        self.offset = arguments.number(f"{self} offset", offset)

    def call(self, x: Array, training: bool) -> Array:
        self.saved = ()
        return x * self.scale + self.offset

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return dy * self.scale
