"""The base class of layers for sequences and images. Operations are for images; a sequence is an image of height 1."""

from __future__ import annotations

from typing import Any, ClassVar

from ..backends.contract import Array, Pair
from .base import CHANNELS_LAST, Layer


class Spatial(Layer):
    """Base class of layers for sequences (N, L, C), spatial_rank 1, or images (N, H, W, C), spatial_rank 2."""

    spatial_rank: int
    accepted_at_default: ClassVar[dict[str, Any]] = CHANNELS_LAST

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        sequence = self.spatial_rank == 1
        self.axes = ("batch", "length", "channels") if sequence else ("batch", "height", "width", "channels")

    def to_images(self, x: Array) -> Array:
        """(N, L, C) -> (N, 1, L, C); images are unchanged."""
        return x if self.spatial_rank == 2 else x[:, None]

    def from_images(self, y: Array) -> Array:
        """(N, 1, L, C) -> (N, L, C); images are unchanged."""
        return y if self.spatial_rank == 2 else y[:, 0]


def pair(lengths: tuple[int, ...]) -> Pair:
    """A number for each spatial axis of an image: (L,) -> (1, L); two numbers are unchanged."""
    height, width = (1, *lengths)[-2:]
    return height, width
