"""Flatten: the same numbers with one row per sample, the input of Dense."""

from __future__ import annotations

from math import prod

from ..backends.contract import Array, Step
from .base import Layer, Shape


class Flatten(Layer):
    """(N, ...) -> (N, product of the other lengths)."""

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], prod(input_shape[1:]))

    def call(self, x: Array, training: bool) -> Array:
        self.saved = x.shape
        return x.reshape(self.compute_output_shape(x.shape))

    def steps(self) -> tuple[Step, ...]:
        return (("flatten", (), ()),)

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return dy.reshape(self.saved)
