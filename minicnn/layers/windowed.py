"""The base class of convolution and pooling: a window slides over one or two axes."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends.contract import Pair
from ..backends.geometry import output_length
from ..errors import explain
from .base import Shape
from .spatial import Spatial, pair


class SlidingWindow(Spatial):
    """Base class of the layers with a sliding window."""

    window_argument: str
    """Keras's name for the window's size in this layer."""

    def __init__(self, window: Any, strides: Any, padding: Any, **options: Any) -> None:
        super().__init__(**options)
        rank = self.spatial_rank
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
        return pair(self.window)

    @property
    def strides_2d(self) -> Pair:
        return pair(self.strides)

    @property
    def dilation_2d(self) -> Pair:
        return pair(self.dilation_rate)

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
