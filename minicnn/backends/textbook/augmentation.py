"""Data augmentation: a random change of every image in every step, so that the network never sees the same one twice.

Each change is a function of (seed, call, sample), as dropout's mask: training repeats, and resumes, exactly. Each is
linear in the image, up to a constant, so the backward is multiplication by the transposed matrix.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..contract import Array, Range, Saved
from .dropout import random_bits


def uniform(seed: int, call: int, indices: Array) -> Array:
    """A number for each index, uniform in [0, 1), float64."""
    return random_bits(seed, call, indices) / 2**32


def between(limits: Range, share: Array) -> Array:
    """The number at this share of the way from the lower to the upper limit."""
    low, high = limits
    return low + (high - low) * share


# flips


def random_flip(x: Array, horizontal: bool, vertical: bool, seed: int, call: int) -> tuple[Array, Saved]:
    """Mirror each image with probability ½: left to right, top to bottom, or both at once.

    x (N, H, W, C) -> y (N, H, W, C)
    """
    chosen = uniform(seed, call, np.arange(len(x))) < 0.5  # (N,)
    return mirrored(x, chosen, horizontal, vertical), (chosen, horizontal, vertical)


def random_flip_backward(dy: Array, saved: Saved) -> Array:
    """dx is dy, mirrored where x was: mirroring is its own transpose."""
    return mirrored(dy, *saved)


def mirrored(x: Array, chosen: Array, horizontal: bool, vertical: bool) -> Array:
    """A copy of the images (N, H, W, C), the chosen ones (N,) mirrored."""
    rows, columns = (slice(None, None, -1 if flip else None) for flip in (vertical, horizontal))
    y = x.copy()
    y[chosen] = x[chosen][:, rows, columns]
    return y


# shifts


def random_translation(
    x: Array,
    height_factor: Range,
    width_factor: Range,
    fill_mode: str,
    interpolation: str,
    fill_value: float,
    seed: int,
    call: int,
) -> tuple[Array, Saved]:
    """Shift each image down by a random share of its height, and to the right by a random share of its width.

    y[n, i, j] = x[n, i − s, j − t], with s uniform in H · height_factor and t in W · width_factor. Positions between
    two pixels are interpolated, so each image is multiplied by one matrix for its rows and one for its columns:
    y_n = R_n · x_n · C_nᵀ, with R_n (H, H) and C_n (W, W). Positions outside of the image are filled by `fill_mode`.
    x (N, H, W, C) -> y (N, H, W, C)
    """
    N, H, W, _ = x.shape
    down, right = uniform(seed, call, np.arange(2 * N)).reshape(2, N)
    rows, columns = (
        shift_matrix(between(factor, share) * L, L, fill_mode, interpolation, x.real.dtype)
        for factor, share, L in ((height_factor, down, H), (width_factor, right, W))
    )
    y = shifted(x, rows, columns)
    if fill_mode == "constant" and fill_value != 0:
        inside = rows.sum(axis=2)[:, :, None, None] * columns.sum(axis=2)[:, None, :, None]  # (N, H, W, 1)
        y += x.real.dtype.type(fill_value) * (1 - inside)
    return y, (rows, columns)


def random_translation_backward(dy: Array, saved: Saved) -> Array:
    """dx_n = R_nᵀ · dy_n · C_n: every pixel gets the gradients of the places that it was shifted to."""
    rows, columns = saved
    return shifted(dy, rows.swapaxes(1, 2), columns.swapaxes(1, 2))


def shifted(x: Array, rows: Array, columns: Array) -> Array:
    """R_n · x_n · C_nᵀ for every image and channel: x (N, H, W, C), rows (N, H, H), columns (N, W, W)."""
    N, H, W, C = x.shape
    y = (rows @ x.reshape(N, H, W * C)).reshape(N, H, W, C)
    y = y.swapaxes(1, 2).reshape(N, W, H * C)
    return np.ascontiguousarray((columns @ y).reshape(N, W, H, C).swapaxes(1, 2))


def shift_matrix(shift: Array, L: int, fill_mode: str, interpolation: str, dtype: Any) -> Array:
    """A matrix (N, L, L) for shifts (N,) in pixels: row i has the weights of the pixels that pixel i is made of."""
    position = np.arange(L) - shift[:, None]  # (N, L), where each pixel comes from
    before = np.floor(position + 0.5 if interpolation == "nearest" else position)
    weight = position - before
    taps = [(before, 1)] if interpolation == "nearest" else [(before, 1 - weight), (before + 1, weight)]
    matrix = np.zeros((len(shift), L, L), dtype)
    for index, share in taps:
        source = FILL_MODES[fill_mode](index.astype(int), L)
        n, i = np.nonzero((source >= 0) & (source < L))
        matrix[n, i, source[n, i]] += np.broadcast_to(share, source.shape)[n, i]
    return matrix


FILL_MODES = {
    "constant": lambda index, L: index,  # a b c d stay as they are; outside there is no pixel, but fill_value
    "nearest": lambda index, L: np.clip(index, 0, L - 1),  # a a a a | a b c d | d d d d
    "wrap": lambda index, L: index % L,  # a b c d | a b c d | a b c d
    "reflect": lambda index, L: np.minimum(index % (2 * L), 2 * L - 1 - index % (2 * L)),  # d c b a | a b c d | d c b a
}
"""Which of the pixels 0 … L − 1 stands at an index before or after them."""


# erased boxes


def random_erasing(
    x: Array, factor: Range, scale: Range, fill_value: float | None, value_range: Range, seed: int, call: int
) -> tuple[Array, Saved]:
    """Replace a random box in some images by fill_value, or by noise (Zhong et al., 2020).

    An image is changed with a probability that is uniform in `factor`. The box is √a of the height by √b of the width,
    with a and b uniform in `scale`, at a random place. Noise is normal, times value_range's upper limit; it and
    fill_value are clipped to value_range.
    x (N, H, W, C) -> y (N, H, W, C)
    """
    N, H, W, _ = x.shape
    chance, limit, a, b, top, left = uniform(seed, call, np.arange(6 * N)).reshape(6, N)
    chosen = chance < between(factor, limit)
    rows = interval(top, np.sqrt(between(scale, a)), H)  # (N, H)
    columns = interval(left, np.sqrt(between(scale, b)), W)  # (N, W)
    box = (chosen[:, None] & rows)[:, :, None, None] & columns[:, None, :, None]  # (N, H, W, 1)
    y, erased = x.copy(), np.flatnonzero(np.broadcast_to(box, x.shape))
    fill = fill_value if fill_value is not None else normal(seed, call, 6 * N + 2 * erased) * value_range[1]
    y.reshape(-1)[erased] = np.clip(fill, *value_range)
    return y, box


def random_erasing_backward(dy: Array, saved: Saved) -> Array:
    """dx = dy outside of the box; what was erased has no gradient."""
    return np.where(saved, dy.dtype.type(0), dy)


def interval(start: Array, length: Array, L: int) -> Array:
    """Which of L pixels lie in an interval, (N, L): `length` (N,) is its share of L, `start` (N,) that of the rest."""
    begin, pixels = start * (1 - length) * L, np.arange(L)
    return (pixels >= begin[:, None]) & (pixels < (begin + length * L)[:, None])


def normal(seed: int, call: int, indices: Array) -> Array:
    """A number of the standard normal distribution for each index, by Box and Muller, from two uniform ones."""
    radius, angle = uniform(seed, call, indices), uniform(seed, call, indices + 1)
    return np.sqrt(-2 * np.log(1 - radius)) * np.cos(2 * np.pi * angle)
