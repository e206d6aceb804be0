"""Noise for training: whole channels, or other parts, set to zero, and numbers of the normal distribution added.

As dropout's mask, the noise is a function of (seed, call, index), so it is not kept.
"""

from __future__ import annotations

import numpy as np

from ..contract import Array, Saved
from .augmentation import normal
from .dropout import dropout


def shared_dropout(x: Array, rate: float, shared: tuple[int, ...], seed: int, call: int) -> tuple[Array, Saved]:
    """Dropout of elements together that differ only along the `shared` axes.

    Of images (N, H, W, C), (1, 2) are the pixels: each channel is kept or dropped as a whole, since neighbouring pixels
    are alike, so dropping single ones hides little.
    x of any shape -> y of the same shape
    """
    shape = [1 if axis in shared else length for axis, length in enumerate(x.shape)]
    mask, _ = dropout(np.ones(shape, x.real.dtype), rate, seed, call)
    return x * mask, mask


def shared_dropout_backward(dy: Array, saved: Saved) -> Array:
    """dx = mask · dy, both of x's shape."""
    return dy * saved


def gaussian_noise(x: Array, stddev: float, seed: int, call: int) -> tuple[Array, Saved]:
    """y = x + noise of mean 0 and standard deviation `stddev`; x of any shape -> y of the same shape."""
    noise = stddev * normal(seed, call, 2 * np.arange(x.size)).reshape(x.shape)
    return x + noise.astype(x.real.dtype), ()


def gaussian_noise_backward(dy: Array, saved: Saved) -> Array:
    """The noise does not depend on x: dx = dy."""
    return dy
