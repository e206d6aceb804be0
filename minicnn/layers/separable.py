"""Convolutions that keep channels apart: far fewer weights and products than a convolution over all of them."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import arguments, initializers, regularizers
from ..backends.contract import Array, Pair
from .activated import Activated
from .base import Shape
from .windowed import SlidingWindow


class _Depthwise(Activated, SlidingWindow):
    """Base class: each channel has depth_multiplier = M kernels of its own, kernel (KH, KW, C, M) -> C · M channels."""

    spatial_rank = 2
    window_argument = "kernel_size"

    def __init__(
        self,
        kernel_size: int | Pair,
        strides: int | Pair,
        padding: str,
        depth_multiplier: int,
        dilation_rate: int | Pair,
        activation: str | None,
        use_bias: bool,
        **options: Any,
    ) -> None:
        super().__init__(kernel_size, strides, padding, **options)
        self.depth_multiplier = arguments.whole(f"{self} depth_multiplier", depth_multiplier)
        self.dilation_rate = arguments.window(f"{self} dilation_rate", dilation_rate, 2)
        self.set_activation(activation)
        self.use_bias = arguments.flag(f"{self} use_bias", use_bias)

    def depthwise(self, x: Array, kernel: Array, bias: Array | None) -> tuple[Array, Any]:
        """Each channel with its own kernels: a convolution of C groups, with a kernel (KH, KW, 1, C · M)."""
        KH, KW, C, M = kernel.shape
        kernel = kernel.reshape(KH, KW, 1, C * M)
        return self.ops.grouped_conv2d(x, kernel, bias, self.strides_2d, self.padding, self.dilation_2d, C)


class DepthwiseConv2D(_Depthwise):
    """Each channel is convolved on its own: (N, H, W, C) -> (N, OH, OW, C · M), kernel (KH, KW, C, M).

    y[n, p, q, c·M + m] = activation(bias + Σ_ij x[n, p·SH + i, q·SW + j, c] · kernel[i, j, c, m])

    Arguments are Keras's: kernel_size, strides, padding, depth_multiplier (M), dilation_rate, activation, use_bias,
    depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer; name, dtype, input_shape,
    trainable.
    """

    accepted_at_default: ClassVar[dict[str, Any]] = {
        "depthwise_constraint": None,
        "bias_constraint": None,
    }

    def __init__(
        self,
        kernel_size: int | Pair,
        strides: int | Pair = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        *,
        dilation_rate: int | Pair = 1,
        activation: str | None = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            kernel_size, strides, padding, depth_multiplier, dilation_rate, activation, use_bias, **options
        )
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    def build(self, input_shape: Shape) -> None:
        C, M = input_shape[-1], self.depth_multiplier
        kernel_shape = (*self.window, C, M)
        self.kernel = self.add_weight(
            "kernel", kernel_shape, self.depthwise_initializer, regularizer=self.depthwise_regularizer
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight("bias", (C * M,), self.bias_initializer, regularizer=self.bias_regularizer)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self.output_axes(input_shape), input_shape[-1] * self.depth_multiplier)

    def call(self, x: Array, training: bool) -> Array:
        z, saved = self.depthwise(x, self.kernel.value, self.bias.value if self.bias else None)
        y, of_activation = self.ops.activation(z, self.activation)
        self.saved = saved, of_activation
        return self.with_curve(y)

    def call_backward(self, dy: Array, need_dx: bool) -> Array | None:
        dy, (saved, of_activation) = self.before_curve(dy)
        dz = self.ops.activation_backward(dy, of_activation)
        dx, dkernel, dbias = self.ops.grouped_conv2d_backward(dz, saved, need_dx)
        self.kernel.grad = dkernel.reshape(self.kernel.value.shape)
        if self.bias:
            self.bias.grad = dbias
        return dx


class SeparableConv2D(_Depthwise):
    """A depthwise convolution, then a 1 × 1 convolution that mixes the channels: (N, H, W, C) -> (N, OH, OW, filters).

    z[n, p, q, c·M + m] = Σ_ij x[n, p·SH + i, q·SW + j, c] · depthwise_kernel[i, j, c, m]
    y[n, p, q] = activation(bias + z[n, p, q] · pointwise_kernel)

    It has KH·KW·C·M + C·M·filters weights instead of KH·KW·C·filters. Arguments are Keras's: filters, kernel_size,
    strides, padding, dilation_rate, depth_multiplier (M), activation, use_bias, depthwise_initializer,
    pointwise_initializer, bias_initializer, and a regularizer for each; name, dtype, input_shape, trainable.
    """

    accepted_at_default: ClassVar[dict[str, Any]] = {
        "depthwise_constraint": None,
        "pointwise_constraint": None,
        "bias_constraint": None,
    }

    def __init__(
        self,
        filters: int,
        kernel_size: int | Pair,
        strides: int | Pair = 1,
        padding: str = "valid",
        *,
        dilation_rate: int | Pair = 1,
        depth_multiplier: int = 1,
        activation: str | None = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            kernel_size, strides, padding, depth_multiplier, dilation_rate, activation, use_bias, **options
        )
        self.filters = arguments.whole(f"{self} filters", filters)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    def build(self, input_shape: Shape) -> None:
        C, M, F = input_shape[-1], self.depth_multiplier, self.filters
        self.depthwise_kernel = self.add_weight(
            "depthwise_kernel", (*self.window, C, M), self.depthwise_initializer, regularizer=self.depthwise_regularizer
        )
        self.pointwise_kernel = self.add_weight(
            "pointwise_kernel", (1, 1, C * M, F), self.pointwise_initializer, regularizer=self.pointwise_regularizer
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight("bias", (F,), self.bias_initializer, regularizer=self.bias_regularizer)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self.output_axes(input_shape), self.filters)

    def call(self, x: Array, training: bool) -> Array:
        z, of_depthwise = self.depthwise(x, self.depthwise_kernel.value, None)
        bias = self.bias.value if self.bias else None
        y, of_pointwise = self.ops.conv2d(z, self.pointwise_kernel.value, bias, (1, 1), "valid", self.activation)
        self.saved = of_depthwise, of_pointwise
        return self.with_curve(y)

    def call_backward(self, dy: Array, need_dx: bool) -> Array | None:
        dy, (of_depthwise, of_pointwise) = self.before_curve(dy)
        dz, self.pointwise_kernel.grad, dbias = self.ops.conv2d_backward(dy, of_pointwise, True)
        dx, dkernel, _ = self.ops.grouped_conv2d_backward(dz, of_depthwise, need_dx)
        self.depthwise_kernel.grad = dkernel.reshape(self.depthwise_kernel.value.shape)
        if self.bias:
            self.bias.grad = dbias
        return dx
