"""Convolution layers: F learned kernels slide over the input, each detecting one pattern."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import arguments, initializers, regularizers
from ..backends.contract import Array, Step
from ..errors import explain, shown
from .activated import Activated
from .base import NO_CONSTRAINTS, NO_LORA, Shape
from .windowed import SlidingWindow


class _Conv(Activated, SlidingWindow):
    """A convolution of any spatial rank: y = activation(x ∗ kernel + bias)."""

    window_argument = "kernel_size"
    accepted_at_default: ClassVar[dict[str, Any]] = {**NO_CONSTRAINTS, **NO_LORA}

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, ...],
        strides: int | tuple[int, ...] = 1,
        padding: str = "valid",
        *,
        dilation_rate: int | tuple[int, ...] = 1,
        groups: int = 1,
        activation: str | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(kernel_size, strides, padding, **options)
        self.filters = arguments.whole(f"{self} filters", filters)
        self.dilation_rate = arguments.window(f"{self} dilation_rate", dilation_rate, self.spatial_rank)
        self.groups = arguments.whole(f"{self} groups", groups)
        if self.filters % self.groups:
            expected, remedy = f"a divisor of the {self.filters} filters", "Each group makes as many of them."
            raise ValueError(explain(f"{self} groups", expected, shown(groups), remedy))
        self.set_activation(activation)
        self.use_bias = arguments.flag(f"{self} use_bias", use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    def build(self, input_shape: Shape) -> None:
        kernel_shape = (*self.window, input_shape[-1] // self.groups, self.filters)
        self.kernel = self.add_weight(
            "kernel", kernel_shape, self.kernel_initializer, regularizer=self.kernel_regularizer
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (self.filters,), self.bias_initializer, regularizer=self.bias_regularizer
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if input_shape[-1] % self.groups:
            expected, remedy = f"channels in {self.groups} equal groups", "Choose groups that divide both."
            raise ValueError(explain(str(self), expected, f"{input_shape[-1]} channels", remedy))
        return (input_shape[0], *self.output_axes(input_shape), self.filters)

    @property
    def is_grouped(self) -> bool:
        """Whether it has groups, or gaps in its window; then it is the contract's grouped_conv2d."""
        return self.groups > 1 or max(self.dilation_rate) > 1

    def call(self, x: Array, training: bool) -> Array:
        kernel = self.kernel.value if self.spatial_rank == 2 else self.kernel.value[None]  # (KH, KW, C, F)
        bias = self.bias.value if self.bias else None
        where = self.strides_2d, self.padding
        if self.is_grouped:
            z, saved = self.ops.grouped_conv2d(self.to_images(x), kernel, bias, *where, self.dilation_2d, self.groups)
            y, of_activation = self.ops.activation(z, self.activation)
            self.saved = saved, of_activation
        else:
            y, self.saved = self.ops.conv2d(self.to_images(x), kernel, bias, *where, self.activation)
        return self.with_curve(self.from_images(y))

    def steps(self) -> tuple[Step, ...]:
        weights, where = (self.kernel, self.bias), (self.strides_2d, self.padding)
        if self.is_grouped:
            convolution = ("grouped_conv2d", weights, (*where, self.dilation_2d, self.groups))
            return (convolution, ("activation", (), (self.activation,)), *self.steps_of_curve())
        return (("conv2d", weights, (*where, self.activation)), *self.steps_of_curve())

    def call_backward(self, dy: Array, need_dx: bool) -> Array | None:
        dy, saved = self.before_curve(dy)
        dy = self.to_images(dy)
        if self.is_grouped:
            saved, of_activation = saved
            dz = self.ops.activation_backward(dy, of_activation)
            dx, dkernel, dbias = self.ops.grouped_conv2d_backward(dz, saved, need_dx)
        else:
            dx, dkernel, dbias = self.ops.conv2d_backward(dy, saved, need_dx)
        self.kernel.grad = dkernel if self.spatial_rank == 2 else dkernel[0]
        if self.bias:
            self.bias.grad = dbias
        return None if dx is None else self.from_images(dx)


class Conv1D(_Conv):
    """Convolution over one axis: (N, L, C) -> (N, OL, filters), kernel (kernel_size, C, filters).

    y[n, p] = activation(bias + Σ_i x[n, p·stride + i] · kernel[i])

    Arguments are Keras's: filters, kernel_size, strides, padding ("valid" or "same"), dilation_rate, groups,
    activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer; name, dtype,
    input_shape, trainable.
    """

    spatial_rank = 1


class Conv2D(_Conv):
    """Convolution over two axes: (N, H, W, C) -> (N, OH, OW, filters), kernel (KH, KW, C, filters).

    y[n, p, q] = activation(bias + Σ_ij x[n, p·SH + i, q·SW + j] · kernel[i, j])

    Arguments are Keras's: filters, kernel_size, strides, padding ("valid" or "same"), dilation_rate, groups,
    activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer; name, dtype,
    input_shape, trainable.
    """

    spatial_rank = 2
