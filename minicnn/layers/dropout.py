"""Dropout: set random elements to zero during training, so that no unit can rely on a single other one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import arguments
from ..backends.contract import Array, Saved
from ..errors import explain
from .random import RandomLayer


class Dropout(RandomLayer):
    """In training, y = x / (1 − rate) with probability 1 − rate, otherwise 0. In inference, y = x.

    Along the axes where `noise_shape` is 1, elements are kept or dropped together; its other lengths are the input's,
    or None. The mask depends only on the layer's seed and on the number of masks drawn before, so a resumed run draws
    the same.
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(seed=seed, **options)
        self.rate = arguments.fraction(f"{self} rate", rate)
        self.noise_shape = None if noise_shape is None else arguments.shape(f"{self} noise_shape", noise_shape)

    def changes_input(self) -> bool:
        return self.rate != 0

    def draw(self, x: Array) -> tuple[Array, Saved]:
        if self.noise_shape is None:
            return self.ops.dropout(x, self.rate, self.seed, self.calls)
        self._check_noise_shape(x.shape)
        shared = tuple(axis for axis, length in enumerate(self.noise_shape) if length == 1)
        return self.ops.shared_dropout(x, self.rate, shared, self.seed, self.calls)

    def draw_backward(self, dy: Array) -> Array:
        if self.noise_shape is None:
            return self.ops.dropout_backward(dy, self.saved)
        return self.ops.shared_dropout_backward(dy, self.saved)

    def _check_noise_shape(self, shape: Sequence[int]) -> None:
        """Raise ValueError unless the noise shape is that of the input, but for lengths of 1 and None."""
        given = self.noise_shape or ()
        if len(given) != len(shape) or any(
            one not in (1, None, length) for one, length in zip(given, shape, strict=True)
        ):
            expected = f"lengths of 1, None or those of the input's shape {tuple(shape)}"
            remedy = "None is the input's length; 1 drops all elements along the axis together."
            raise ValueError(explain(f"{self} noise_shape", expected, str(given), remedy))
