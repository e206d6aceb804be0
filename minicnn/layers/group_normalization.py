"""Group and layer normalisation: each sample on its own, so that training and inference are the same."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import arguments, initializers, regularizers
from ..backends.contract import Array
from ..errors import explain
from .base import Layer, Shape


class _Normalization(Layer):
    """Base class: gamma and beta for each channel, the last axis."""

    accepted_at_default: ClassVar[dict[str, Any]] = {"beta_constraint": None, "gamma_constraint": None}

    def __init__(
        self,
        axis: int,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.axis = arguments.axis(f"{self} axis", axis)
        self.epsilon = arguments.non_negative(f"{self} epsilon", epsilon)
        self.center = arguments.flag(f"{self} center", center)
        self.scale = arguments.flag(f"{self} scale", scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) < 2 or self.axis not in (-1, len(input_shape) - 1):
            found = f"axis={self.axis} of shape {tuple(input_shape)}"
            raise ValueError(explain(str(self), "the last axis, the channels", found, "Leave the argument out."))
        return input_shape

    def build(self, input_shape: Shape) -> None:
        C = (input_shape[-1],)
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight("gamma", C, self.gamma_initializer, regularizer=self.gamma_regularizer)
        if self.center:
            self.beta = self.add_weight("beta", C, self.beta_initializer, regularizer=self.beta_regularizer)

    def normalized(self, x: Array, groups: int) -> Array:
        """x (N, …, C) normalised in each sample and group."""
        gamma, beta = (weight.value if weight else None for weight in (self.gamma, self.beta))
        y, self.saved = self.ops.group_norm(x, gamma, beta, groups, self.epsilon)
        return y

    def normalized_backward(self, dy: Array) -> Array:
        """dx; sets the gradients of gamma and beta."""
        dx, dgamma, dbeta = self.ops.group_norm_backward(dy, self.saved)
        if self.gamma:
            self.gamma.grad = dgamma
        if self.beta:
            self.beta.grad = dbeta
        return dx


class GroupNormalization(_Normalization):
    """y = gamma · (x − mean) / √(variance + epsilon) + beta, over each sample's groups of channels (Wu & He, 2018).

    groups divides the channels; -1 means a group for each channel (instance normalisation). Weights: gamma, beta.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        **options: Any,
    ) -> None:
        weights = beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer
        super().__init__(axis, epsilon, center, scale, *weights, **options)
        self.groups = -1 if groups == -1 else arguments.whole(f"{self} groups", groups)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if input_shape[-1] % self.groups:
            expected, remedy = f"a multiple of {self.groups} channels", "Choose groups that divide the channels."
            raise ValueError(explain(str(self), expected, f"shape {tuple(input_shape)}", remedy))
        return super().compute_output_shape(input_shape)

    def call(self, x: Array, training: bool) -> Array:
        return self.normalized(x, x.shape[-1] if self.groups == -1 else self.groups)

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return self.normalized_backward(dy)


class LayerNormalization(_Normalization):
    """y = gamma · (x − mean) / √(variance + epsilon) + beta, over the channels of each position (Ba et al., 2016).

    It is group normalisation with one group, where each position counts as a sample. Weights: gamma, beta.
    """

    accepted_at_default: ClassVar[dict[str, Any]] = {"rms_scaling": False}

    def __init__(
        self,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        **options: Any,
    ) -> None:
        weights = beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer
        super().__init__(axis, epsilon, center, scale, *weights, **options)

    def call(self, x: Array, training: bool) -> Array:
        return self.normalized(x.reshape(-1, x.shape[-1]), groups=1).reshape(x.shape)

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return self.normalized_backward(dy.reshape(-1, dy.shape[-1])).reshape(dy.shape)
