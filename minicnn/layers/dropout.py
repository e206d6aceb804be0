"""Dropout: set random elements to zero during training, so that no unit can rely on a single other one."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import arguments
from ..backends.contract import Array, Saved
from .random import RandomLayer


class Dropout(RandomLayer):
    """In training, y = x / (1 − rate) with probability 1 − rate, otherwise 0. In inference, y = x.

    The mask depends only on the layer's seed and on the number of masks drawn before, so a resumed run draws the same.
    """

    accepted_at_default: ClassVar[dict[str, Any]] = {"noise_shape": None}

    def __init__(self, rate: float, *, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed=seed, **options)
        self.rate = arguments.fraction(f"{self} rate", rate)

    def changes_input(self) -> bool:
        return self.rate != 0

    def draw(self, x: Array) -> tuple[Array, Saved]:
        return self.ops.dropout(x, self.rate, self.seed, self.calls)

    def draw_backward(self, dy: Array) -> Array:
        return self.ops.dropout_backward(dy, self.saved)
