"""Batch normalisation: gives every channel a learned mean and standard deviation."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import arguments, initializers, regularizers
from ..backends import to_device
from ..backends.contract import Array, Step
from ..errors import explain
from ..parameters import Parameter
from .base import Layer, Shape


class BatchNormalization(Layer):
    """y = gamma · (x − mean) / √(variance + epsilon) + beta, for each channel (the entries of `axis`).

    In training, mean and variance are the batch's, and the moving statistics are updated; in inference, the moving
    statistics are used. Weights in Keras's order: gamma, beta, moving_mean, moving_variance. A layer with
    trainable=False always uses its moving statistics and does not update them, as in Keras.
    """

    accepted_at_default: ClassVar[dict[str, Any]] = {
        "beta_constraint": None,
        "gamma_constraint": None,
        "synchronized": False,
        "renorm": False,
        "renorm_clipping": None,
        "renorm_momentum": 0.99,
    }

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.axis = arguments.axis(f"{self} axis", axis)
        self.channel_axis = self.axis
        self.momentum = arguments.fraction(f"{self} momentum", momentum)
        self.epsilon = arguments.non_negative(f"{self} epsilon", epsilon)
        self.center = arguments.flag(f"{self} center", center)
        self.scale = arguments.flag(f"{self} scale", scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        rank = len(input_shape)
        if not -rank <= self.axis < rank or self.axis in (0, -rank):
            raise ValueError(
                explain(
                    str(self),
                    f"an axis of shape {tuple(input_shape)} other than the batch",
                    f"axis={self.axis}",
                    "The usual one is -1, the channels.",
                )
            )
        return input_shape

    def build(self, input_shape: Shape) -> None:
        C = (input_shape[self.axis],)
        gamma = beta = None
        if self.scale:
            gamma = self.add_weight("gamma", C, self.gamma_initializer, regularizer=self.gamma_regularizer)
        if self.center:
            beta = self.add_weight("beta", C, self.beta_initializer, regularizer=self.beta_regularizer)
        self.moving_mean = self.add_weight("moving_mean", C, self.moving_mean_initializer, trainable=False)
        self.moving_variance = self.add_weight("moving_variance", C, self.moving_variance_initializer, trainable=False)
        self.gamma, self.beta = gamma or self._constant("gamma", 1, C), beta or self._constant("beta", 0, C)

    def _constant(self, name: str, value: int, shape: Shape) -> Parameter:
        """A constant in place of a weight that scale=False or center=False removes; it is not one of the weights."""
        return Parameter(f"{self.name}/{name}", to_device([value] * shape[0], self.dtype), trainable=False)

    def check_weights_memory(self) -> None:
        """The base's check, and a transfer of the constants: set_weights transfers only weights to another device."""
        super().check_weights_memory()
        for constant in (self.gamma, self.beta):
            if constant not in self.weights:
                constant.value = to_device(constant.value)

    def call(self, x: Array, training: bool) -> Array:
        training = training and self.trainable
        y, moving_mean, moving_variance, self.saved = self.ops.batch_norm(
            x.swapaxes(self.axis, -1),
            self.gamma.value,
            self.beta.value,
            self.moving_mean.value,
            self.moving_variance.value,
            self.momentum,
            self.epsilon,
            training,
            self.activation,
        )
        if training:
            self.moving_mean.value, self.moving_variance.value = moving_mean, moving_variance
        return y.swapaxes(self.axis, -1)

    def steps(self) -> tuple[Step, ...] | None:
        if self.axis != -1:
            return None
        weights = (self.gamma, self.beta, self.moving_mean, self.moving_variance)
        return (("batch_norm", weights, (self.momentum, self.epsilon, False, self.activation)),)

    def call_backward(self, dy: Array, need_dx: bool) -> Array | None:
        dx, self.gamma.grad, self.beta.grad = self.ops.batch_norm_backward(
            dy.swapaxes(self.axis, -1), self.saved, need_dx
        )
        return None if dx is None else dx.swapaxes(self.axis, -1)
