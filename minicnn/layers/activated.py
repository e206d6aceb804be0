"""The base class of layers with an `activation` argument: convolutions and dense layers."""

from __future__ import annotations

from .. import arguments
from ..backends.contract import CURVES, Array, Saved, Step
from .base import Layer

ALPHAS = {"leaky_relu": 0.2, "elu": 1.0}
"""The alpha of the activations that have one, as in Keras."""


class Activated(Layer):
    """A layer that ends in an activation: one that its operation applies, or one of the contract's CURVES after it."""

    def set_activation(self, activation: str | None) -> None:
        """Check the argument `activation`; set self.activation, the operation's, and self.curve, the one after it."""
        name = arguments.activation(f"{self} activation", activation)
        self.curve = (name, ALPHAS.get(name, 0.0)) if name in CURVES else None
        self.activation = "linear" if self.curve else name

    def with_curve(self, y: Array) -> Array:
        """The operation's output after the curve; keeps what its backward needs in self.saved, too."""
        if self.curve is None:
            return y
        y, saved = self.ops.curve(y, *self.curve)
        self.saved = self.saved, saved
        return y

    def before_curve(self, dy: Array) -> tuple[Array, Saved]:
        """The gradient with respect to the operation's output, and what the operation saved."""
        if self.curve is None:
            return dy, self.saved
        saved, of_curve = self.saved
        return self.ops.curve_backward(dy, of_curve), saved

    def steps_of_curve(self) -> tuple[Step, ...]:
        """The curve as a step of inference, if there is one."""
        return () if self.curve is None else (("curve", (), self.curve),)
