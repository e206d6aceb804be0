"""Pooling layers: reduce each window to one number, its maximum or mean, so that the image shrinks."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends.contract import Array, Step
from .base import Layer, Shape
from .windowed import SlidingWindow


class _Pooling(SlidingWindow):
    """Pooling of any spatial rank; strides default to the pool size, so that windows don't overlap."""

    window_argument = "pool_size"

    def __init__(
        self,
        pool_size: int | tuple[int, ...] = 2,
        strides: int | tuple[int, ...] | None = None,
        padding: str = "valid",
        **options: Any,
    ) -> None:
        super().__init__(pool_size, pool_size if strides is None else strides, padding, **options)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self.output_axes(input_shape), input_shape[-1])


class _MaxPooling(_Pooling):
    def call(self, x: Array, training: bool) -> Array:
        y, self.saved = self.ops.max_pool2d(self.to_images(x), self.window_2d, self.strides_2d, self.padding)
        return self.from_images(y)

    def steps(self) -> tuple[Step, ...]:
        return (("max_pool2d", (), (self.window_2d, self.strides_2d, self.padding)),)

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return self.from_images(self.ops.max_pool2d_backward(self.to_images(dy), self.saved))


class _AveragePooling(_Pooling):
    def call(self, x: Array, training: bool) -> Array:
        y, self.saved = self.ops.average_pool2d(self.to_images(x), self.window_2d, self.strides_2d, self.padding)
        return self.from_images(y)

    def steps(self) -> tuple[Step, ...]:
        return (("average_pool2d", (), (self.window_2d, self.strides_2d, self.padding)),)

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return self.from_images(self.ops.average_pool2d_backward(self.to_images(dy), self.saved))


class MaxPooling1D(_MaxPooling):
    """The largest value of each window: (N, L, C) -> (N, OL, C). Arguments: pool_size, strides, padding."""

    spatial_rank = 1


class MaxPooling2D(_MaxPooling):
    """The largest value of each window: (N, H, W, C) -> (N, OH, OW, C). Arguments: pool_size, strides, padding."""

    spatial_rank = 2


class AveragePooling1D(_AveragePooling):
    """Each window's mean, padding not counted: (N, L, C) -> (N, OL, C). Arguments: pool_size, strides, padding."""

    spatial_rank = 1


class AveragePooling2D(_AveragePooling):
    """Each window's mean, padding not counted: (N, H, W, C) -> (N, OH, OW, C). Arguments as MaxPooling2D's."""

    spatial_rank = 2


class GlobalAveragePooling2D(Layer):
    """The mean of each whole channel: (N, H, W, C) -> (N, C), or (N, 1, 1, C) with keepdims.

    It is average pooling with a window of the image's size.
    """

    axes = ("batch", "height", "width", "channels")
    any_size = False

    def __init__(self, *, keepdims: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.keepdims = arguments.flag(f"{self} keepdims", keepdims)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape)
        N, _, _, C = input_shape
        return (N, 1, 1, C) if self.keepdims else (N, C)

    def call(self, x: Array, training: bool) -> Array:
        image = x.shape[1:3]
        y, self.saved = self.ops.average_pool2d(x, image, image, "valid")  # (N, 1, 1, C)
        return y.reshape(self.compute_output_shape(x.shape))

    def steps(self) -> tuple[Step, ...]:
        image = self.input_shape[1:3]  # type: ignore[index]
        pooling = ("average_pool2d", (), (image, image, "valid"))
        return (pooling,) if self.keepdims else (pooling, ("flatten", (), ()))

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return self.ops.average_pool2d_backward(dy.reshape(dy.shape[0], 1, 1, dy.shape[-1]), self.saved)
