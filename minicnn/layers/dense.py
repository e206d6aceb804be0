"""The dense layer: every output is a weighted sum of every input."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import arguments, initializers, regularizers
from ..backends.contract import Array, Step
from ..errors import explain
from .activated import Activated
from .base import NO_CONSTRAINTS, NO_LORA, Shape


class Dense(Activated):
    """y = activation(x · kernel + bias): (..., C) -> (..., units), kernel (C, units).

    Arguments are Keras's: units, activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer,
    bias_regularizer; name, dtype, input_shape, trainable.
    """

    accepted_at_default: ClassVar[dict[str, Any]] = {**NO_CONSTRAINTS, **NO_LORA}

    def __init__(
        self,
        units: int,
        activation: str | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.units = arguments.whole(f"{self} units", units)
        self.set_activation(activation)
        self.use_bias = arguments.flag(f"{self} use_bias", use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    def check_rank(self, shape: Any) -> None:
        if len(shape) < 2:
            raise ValueError(
                explain(
                    str(self),
                    "at least 2 axes (batch, features)",
                    f"shape {tuple(shape)}",
                    "Add the batch axis: x[None].",
                )
            )

    def build(self, input_shape: Shape) -> None:
        kernel_shape = (input_shape[-1], self.units)
        self.kernel = self.add_weight(
            "kernel", kernel_shape, self.kernel_initializer, regularizer=self.kernel_regularizer
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.units,), self.bias_initializer, regularizer=self.bias_regularizer)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape)
        return (*input_shape[:-1], self.units)

    def call(self, x: Array, training: bool) -> Array:
        bias = self.bias.value if self.bias else None
        y, self.saved = self.ops.dense(x, self.kernel.value, bias, self.activation)
        return self.with_curve(y)

    def steps(self) -> tuple[Step, ...]:
        return (("dense", (self.kernel, self.bias), (self.activation,)), *self.steps_of_curve())

    def call_backward(self, dy: Array, need_dx: bool) -> Array | None:
        dy, saved = self.before_curve(dy)
        dx, self.kernel.grad, dbias = self.ops.dense_backward(dy, saved, need_dx)
        if self.bias:
            self.bias.grad = dbias
        return dx
