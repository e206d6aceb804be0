"""Noise in training: dropout of whole channels, and normal noise. In inference, y = x."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import arguments
from ..backends.contract import Array, Saved
from .base import CHANNELS_LAST
from .random import RandomLayer


class _SpatialDropout(RandomLayer):
    """Dropout of whole channels; sequences are images of height 1."""

    accepted_at_default: ClassVar[dict[str, Any]] = CHANNELS_LAST

    def __init__(self, rate: float, *, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed=seed, **options)
        self.rate = arguments.fraction(f"{self} rate", rate)

    def changes_input(self) -> bool:
        return self.rate != 0

    def draw(self, x: Array) -> tuple[Array, Saved]:
        images = x if x.ndim == 4 else x[:, None]
        y, saved = self.ops.spatial_dropout2d(images, self.rate, self.seed, self.calls)
        return y.reshape(x.shape), saved

    def draw_backward(self, dy: Array) -> Array:
        images = dy if dy.ndim == 4 else dy[:, None]
        return self.ops.spatial_dropout2d_backward(images, self.saved).reshape(dy.shape)


class SpatialDropout1D(_SpatialDropout):
    """In training, each channel of (N, L, C) is 0 with probability `rate`, otherwise x / (1 − rate)."""

    axes = ("batch", "length", "channels")


class SpatialDropout2D(_SpatialDropout):
    """In training, each channel of (N, H, W, C) is 0 with probability `rate`, otherwise x / (1 − rate).

    Neighbouring pixels of a channel are alike, so a single dropped one hides little (Tompson et al., 2015).
    """

    axes = ("batch", "height", "width", "channels")


class GaussianNoise(RandomLayer):
    """In training, y = x + normal noise of mean 0 and standard deviation `stddev`."""

    def __init__(self, stddev: float, *, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed=seed, **options)
        self.stddev = arguments.non_negative(f"{self} stddev", stddev)

    def changes_input(self) -> bool:
        return self.stddev != 0

    def draw(self, x: Array) -> tuple[Array, Saved]:
        return self.ops.gaussian_noise(x, self.stddev, self.seed, self.calls)

    def draw_backward(self, dy: Array) -> Array:
        return self.ops.gaussian_noise_backward(dy, self.saved)
