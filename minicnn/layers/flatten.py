"""Flatten: the same numbers with one row per sample, the input of Dense."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from ..backends.contract import Array, Step
from .base import CHANNELS_LAST, Layer, Shape


class Flatten(Layer):
    """(N, ...) -> (N, product of the other lengths)."""

    accepted_at_default: ClassVar[dict[str, Any]] = CHANNELS_LAST

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], prod(input_shape[1:]))

    def call(self, x: Array, training: bool) -> Array:
        self.saved = x.shape
        return x.reshape(self.compute_output_shape(x.shape))

    def steps(self) -> tuple[Step, ...]:
        return (("flatten", (), ()),)

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return dy.reshape(self.saved)
