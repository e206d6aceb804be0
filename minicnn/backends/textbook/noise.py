"""Noise for training: whole channels set to zero, and numbers of the normal distribution added.

As dropout's mask, the noise is a function of (seed, call, index), so it is not kept.
"""

from __future__ import annotations

import numpy as np

from ..contract import Array, Saved
from .augmentation import normal
from .dropout import dropout


def spatial_dropout2d(x: Array, rate: float, seed: int, call: int) -> tuple[Array, Saved]:
    """Dropout of whole channels: neighbouring pixels are alike, so dropping single ones hides little.

    Each channel of each sample is kept with probability 1 − rate and scaled by 1 / (1 − rate).
    x (N, H, W, C) -> y (N, H, W, C)
    """
    N, _, _, C = x.shape
    mask, _ = dropout(np.ones((N, C), x.real.dtype), rate, seed, call)
    mask = mask[:, None, None]  # (N, 1, 1, C)
    return x * mask, mask


def spatial_dropout2d_backward(dy: Array, saved: Saved) -> Array:
    """dx = mask · dy, both (N, H, W, C)."""
    return dy * saved


def gaussian_noise(x: Array, stddev: float, seed: int, call: int) -> tuple[Array, Saved]:
    """y = x + noise of mean 0 and standard deviation `stddev`; x of any shape -> y of the same shape."""
    noise = stddev * normal(seed, call, 2 * np.arange(x.size)).reshape(x.shape)
    return x + noise.astype(x.real.dtype), ()


def gaussian_noise_backward(dy: Array, saved: Saved) -> Array:
    """The noise does not depend on x: dx = dy."""
    return dy
