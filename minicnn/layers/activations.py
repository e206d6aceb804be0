"""Activations as separate layers."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import arguments
from ..backends.contract import Array, Step
from ..errors import explain, shown
from .activated import Activated
from .base import Layer, Shape


class Activation(Activated):
    """y = activation(x), x of any shape.

    activation is "linear", "relu", "sigmoid", "tanh", "softmax" (over the last axis), "leaky_relu", "elu", "selu",
    "gelu", "silu" ("swish"), or "softplus".
    """

    def __init__(self, activation: str | None, **options: Any) -> None:
        super().__init__(**options)
        self.set_activation(activation)

    def call(self, x: Array, training: bool) -> Array:
        if self.curve is not None:
            y, self.saved = self.ops.curve(x, *self.curve)
        else:
            y, self.saved = self.ops.activation(x, self.activation)
        return y

    def steps(self) -> tuple[Step, ...]:
        return self.steps_of_curve() or (("activation", (), (self.activation,)),)

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        backward = self.ops.activation_backward if self.curve is None else self.ops.curve_backward
        return backward(dy, self.saved)


class ELU(Layer):
    """y = x where x > 0, else alpha · (eˣ − 1) (Clevert et al., 2016)."""

    def __init__(self, alpha: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.alpha = arguments.number(f"{self} alpha", alpha)

    def call(self, x: Array, training: bool) -> Array:
        y, self.saved = self.ops.curve(x, "elu", self.alpha)
        return y

    def steps(self) -> tuple[Step, ...]:
        return (("curve", (), ("elu", self.alpha)),)

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return self.ops.curve_backward(dy, self.saved)


class Softmax(Layer):
    """y = eˣ / Σ eˣ along `axis`: positive numbers that sum to 1.

    Its backward is the Jacobian-vector product dx = y · (dy − Σ dy·y); training fuses it with the cross-entropy.
    """

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = arguments.axis(f"{self} axis", axis)
        self.activation = "softmax"

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if not -len(input_shape) <= self.axis < len(input_shape):
            raise ValueError(
                explain(str(self), f"an axis of shape {input_shape}", f"axis={self.axis}", "The usual one is -1.")
            )
        return input_shape

    def call(self, x: Array, training: bool) -> Array:
        y, self.saved = self.ops.activation(x.swapaxes(self.axis, -1), self.activation)
        return y.swapaxes(self.axis, -1)

    def steps(self) -> tuple[Step, ...] | None:
        return (("activation", (), (self.activation,)),) if self.axis == -1 else None

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return self.ops.activation_backward(dy.swapaxes(self.axis, -1), self.saved).swapaxes(self.axis, -1)


class ReLU(Layer):
    """y = max(x, 0) and Keras's generalisation of it.

    y = max_value where x ≥ max_value, x where x > threshold, negative_slope · (x − threshold) below.
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.max_value = None if max_value is None else arguments.non_negative(f"{self} max_value", max_value)
        self.negative_slope = arguments.non_negative(f"{self} negative_slope", negative_slope)
        self.threshold = arguments.non_negative(f"{self} threshold", threshold)
        if self.max_value is not None and 0 < self.threshold >= self.max_value:  # the pieces would overlap
            expected, remedy = f"more than the threshold, {threshold}", "Between the two, y = x."
            raise ValueError(explain(f"{self} max_value", expected, shown(max_value), remedy))

    def call(self, x: Array, training: bool) -> Array:
        y, self.saved = self.ops.general_relu(x, self.negative_slope, self.max_value, self.threshold)
        return y

    def steps(self) -> tuple[Step, ...]:
        pieces = (self.negative_slope, self.max_value, self.threshold)
        return (("activation", (), ("relu",)) if pieces == (0, None, 0) else ("general_relu", (), pieces),)

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return self.ops.general_relu_backward(dy, self.saved)


class LeakyReLU(ReLU):
    """y = x where x > 0, else negative_slope · x, so that no unit dies (Maas et al., 2013)."""

    old_names: ClassVar[dict[str, str]] = {"alpha": "negative_slope"}

    def __init__(self, negative_slope: float = 0.3, **options: Any) -> None:
        super().__init__(negative_slope=negative_slope, **options)
