"""The base class of convolution and pooling: a window slides over one or two axes. 1D inputs are images of height 1."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends.contract import Array, Pair
from ..backends.geometry import output_length
from ..errors import explain
from .base import Layer, Shape


class SlidingWindow(Layer):
    """Base class of the layers with a sliding window; `spatial_rank` is 1 or 2."""

    spatial_rank: int
    window_argument: str
    """Keras's name for the window's size in this layer."""

    def __init__(self, window: Any, strides: Any, padding: Any, **options: Any) -> None:
        super().__init__(**options)
        rank = self.spatial_rank
        self.axes = ("batch", "length", "channels") if rank == 1 else ("batch", "height", "width", "channels")
        self.window = arguments.window(f"{self} {self.window_argument}", window, rank)
        self.strides = arguments.window(f"{self} strides", strides, rank)
        self.padding = arguments.padding(f"{self} padding", padding)

    dilation_rate: tuple[int, ...] = (1, 1)
    """The distance of a window's elements on each axis."""

    @property
    def extent(self) -> tuple[int, ...]:
        """The lengths that the window covers, gaps included."""
        return tuple((one - 1) * gap + 1 for one, gap in zip(self.window, self.dilation_rate, strict=False))

    @property
    def window_2d(self) -> Pair:
        return self.window if self.spatial_rank == 2 else (1, *self.window)  # type: ignore[return-value]

    @property
    def strides_2d(self) -> Pair:
        return self.strides if self.spatial_rank == 2 else (1, *self.strides)  # type: ignore[return-value]

    @property
    def dilation_2d(self) -> Pair:
        return self.dilation_rate if self.spatial_rank == 2 else (1, *self.dilation_rate)  # type: ignore[return-value]

    def to_images(self, x: Array) -> Array:
        """(N, L, C) -> (N, 1, L, C); images are unchanged."""
        return x if self.spatial_rank == 2 else x[:, None]

    def from_images(self, y: Array) -> Array:
        """(N, 1, OL, F) -> (N, OL, F); images are unchanged."""
        return y if self.spatial_rank == 2 else y[:, 0]

    def output_axes(self, input_shape: Shape) -> Shape:
        """The lengths of the output's spatial axes. Raises ValueError if the window is larger than the input."""
        self.check_rank(input_shape)
        lengths = tuple(
            output_length(length, window, stride, self.padding)
            for length, window, stride in zip(input_shape[1:-1], self.extent, self.strides, strict=True)
        )
        if min(lengths) < 1:
            raise ValueError(
                explain(
                    str(self),
                    f"an input of at least its window, {self.extent}",
                    f"{input_shape[1:-1]}",
                    'Use padding="same", a smaller window, or fewer pooling layers before it.',
                )
            )
        return lengths
