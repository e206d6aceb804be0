"""Dropout: set random elements to zero during training, so that no unit can rely on a single other one."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends.contract import Array, Step
from ..random import draw_seed
from .base import Layer


class Dropout(Layer):
    """In training, y = x / (1 − rate) with probability 1 − rate, otherwise 0. In inference, y = x.

    The mask depends only on the layer's seed and on the number of masks drawn before, so a resumed run draws the same.
    """

    def __init__(self, rate: float, *, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.rate = arguments.fraction(f"{self} rate", rate)
        self.seed = draw_seed() if seed is None else arguments.seed(f"{self} seed", seed)
        self.calls = 0  # masks drawn so far

    def call(self, x: Array, training: bool) -> Array:
        self.dropping = training and self.rate > 0
        if not self.dropping:
            self.saved = ()
            return x
        y, self.saved = self.ops.dropout(x, self.rate, self.seed, self.calls)
        self.calls += 1
        return y

    def steps(self) -> tuple[Step, ...]:
        return ()

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return self.ops.dropout_backward(dy, self.saved) if self.dropping else dy

    def get_state(self) -> dict[str, Any]:
        return {"seed": self.seed, "calls": self.calls}

    def set_state(self, state: dict[str, Any]) -> None:
        self.seed = arguments.seed(f"{self} seed", state["seed"])
        self.calls = arguments.whole(f"{self} calls", state["calls"], least=0, most=2**63 - 1)
