"""Noise in training: dropout of whole channels, and normal noise. In inference, y = x."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends.contract import Array, Saved
from .random import RandomLayer
from .spatial import Spatial


class _SpatialDropout(RandomLayer, Spatial):
    """Dropout of whole channels."""

    def __init__(self, rate: float, *, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed=seed, **options)
        self.rate = arguments.fraction(f"{self} rate", rate)

    def changes_input(self) -> bool:
        return self.rate != 0

    def draw(self, x: Array) -> tuple[Array, Saved]:
        pixels = tuple(range(1, x.ndim - 1))
        return self.ops.shared_dropout(x, self.rate, pixels, self.seed, self.calls)

    def draw_backward(self, dy: Array) -> Array:
        return self.ops.shared_dropout_backward(dy, self.saved)


class SpatialDropout1D(_SpatialDropout):
    """In training, each channel of (N, L, C) is 0 with probability `rate`, otherwise x / (1 − rate)."""

    spatial_rank = 1


class SpatialDropout2D(_SpatialDropout):
    """In training, each channel of (N, H, W, C) is 0 with probability `rate`, otherwise x / (1 − rate).

    Neighbouring pixels of a channel are alike, so a single dropped one hides little (Tompson et al., 2015).
    """

    spatial_rank = 2


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
