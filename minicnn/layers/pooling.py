"""Pooling layers: reduce each window to one number, its maximum or mean, so that the image shrinks."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends.contract import Array, Step
from .base import Shape
from .spatial import Spatial, pair
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


class _GlobalPooling(Spatial):
    """Pooling with a window of the image's size."""

    any_size = False
    operation: str
    """The pooling of the contract."""

    def __init__(self, *, keepdims: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.keepdims = arguments.flag(f"{self} keepdims", keepdims)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape)
        N, *lengths, C = input_shape
        return (N, *(1 for _ in lengths), C) if self.keepdims else (N, C)

    def call(self, x: Array, training: bool) -> Array:
        images = self.to_images(x)
        window = images.shape[1:3]
        y, self.saved = getattr(self.ops, self.operation)(images, window, window, "valid")  # (N, 1, 1, C)
        return y.reshape(self.compute_output_shape(x.shape))

    def steps(self) -> tuple[Step, ...] | None:
        lengths: Any = self.input_shape[1:-1]  # type: ignore[index]  # it is built
        if None in lengths:
            return None
        window = pair(lengths)
        pooling = (self.operation, (), (window, window, "valid"))
        return (pooling,) if self.keepdims else (pooling, ("flatten", (), ()))

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        backward = getattr(self.ops, f"{self.operation}_backward")
        return self.from_images(backward(dy.reshape(dy.shape[0], 1, 1, dy.shape[-1]), self.saved))


class GlobalAveragePooling1D(_GlobalPooling):
    """The mean of each whole channel: (N, L, C) -> (N, C), or (N, 1, C) with keepdims."""

    spatial_rank = 1
    operation = "average_pool2d"


class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each whole channel: (N, H, W, C) -> (N, C), or (N, 1, 1, C) with keepdims."""

    spatial_rank = 2
    operation = "average_pool2d"


class GlobalMaxPooling1D(_GlobalPooling):
    """The largest value of each whole channel: (N, L, C) -> (N, C), or (N, 1, C) with keepdims."""

    spatial_rank = 1
    operation = "max_pool2d"


class GlobalMaxPooling2D(_GlobalPooling):
    """The largest value of each whole channel: (N, H, W, C) -> (N, C), or (N, 1, 1, C) with keepdims."""

    spatial_rank = 2
    operation = "max_pool2d"
