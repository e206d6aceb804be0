"""The base class of layers that change their input at random during training: dropout and data augmentation."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends.contract import Array, Saved, Step
from ..random import draw_seed
from .base import Layer


class RandomLayer(Layer):
    """In training, a random function of the input; in inference, y = x.

    The random numbers depend only on the layer's seed and on the number of earlier calls in training, so a resumed run
    draws the same ones. A subclass defines `draw` and `draw_backward`.
    """

    def __init__(self, *, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.seed = draw_seed() if seed is None else arguments.seed(f"{self} seed", seed)
        self.calls = 0  # in training so far

    def draw(self, x: Array) -> tuple[Array, Saved]:
        """Compute y and `saved` from x with one operation of self.ops, by self.seed and self.calls."""
        raise NotImplementedError

    def draw_backward(self, dy: Array) -> Array:
        """Call that operation's backward."""
        raise NotImplementedError

    def changes_input(self) -> bool:
        """Whether the layer does anything in training."""
        return True

    def call(self, x: Array, training: bool) -> Array:
        self.changing = training and self.changes_input()
        if not self.changing:
            self.saved = ()
            return x
        y, self.saved = self.draw(x)
        self.calls += 1
        return y

    def steps(self) -> tuple[Step, ...]:
        return ()

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return self.draw_backward(dy) if self.changing else dy

    def get_state(self) -> dict[str, Any]:
        return {"seed": self.seed, "calls": self.calls}

    def set_state(self, state: dict[str, Any]) -> None:
        self.seed = arguments.seed(f"{self} seed", state["seed"])
        self.calls = arguments.whole(f"{self} calls", state["calls"], least=0, most=2**63 - 1)
