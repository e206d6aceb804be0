"""Images of another size: zeros around them or borders cut off, and more pixels."""

from __future__ import annotations

import numpy as np

from ..contract import Array, Pair, Saved


def pad2d(x: Array, rows: Pair, columns: Pair) -> tuple[Array, Saved]:
    """Zeros above and below (rows), left and right (columns) of each image; a negative number cuts off so many.

    x (N, H, W, C) -> y (N, H + Σ rows, W + Σ columns, C)
    """
    return bordered(x, rows, columns), (rows, columns)


def pad2d_backward(dy: Array, saved: Saved) -> Array:
    """The zeros are no part of x, so their gradients are cut off; what was cut off had no effect and gets zeros.

    dy (N, OH, OW, C) -> dx (N, H, W, C)
    """
    (top, bottom), (left, right) = saved
    return bordered(dy, (-top, -bottom), (-left, -right))


def bordered(x: Array, rows: Pair, columns: Pair) -> Array:
    """A copy of x with other borders."""
    _, H, W, _ = x.shape
    (top, bottom), (left, right) = rows, columns
    inside = x[:, max(-top, 0) : H - max(-bottom, 0), max(-left, 0) : W - max(-right, 0)]
    zeros = ((0, 0), (max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0)), (0, 0))
    return np.pad(inside, zeros)


def upsample2d(x: Array, size: Pair, interpolation: str) -> tuple[Array, Saved]:
    """An image of size[0] times as many rows and size[1] times as many columns.

    "nearest": each pixel becomes a block of SH x SW equal ones, y[n, p, q, c] = x[n, ⌊p / SH⌋, ⌊q / SW⌋, c].
    "bilinear": each pixel of y is a weighted mean of the four around it, y_nc = A · x_nc · Bᵀ; see `stretching`.
    x (N, H, W, C) -> y (N, H · SH, W · SW, C)
    """
    saved = size, interpolation
    if interpolation == "nearest":
        return x.repeat(size[0], axis=1).repeat(size[1], axis=2), saved
    A, B = (stretching(length, times, x.real.dtype) for length, times in zip(x.shape[1:3], size, strict=True))
    return mixed(x, A, B), saved


def upsample2d_backward(dy: Array, saved: Saved) -> Array:
    """A pixel that was copied to a block gets the sum over the block. Bilinear: dx_nc = Aᵀ · dy_nc · B.

    dy (N, H · SH, W · SW, C) -> dx (N, H, W, C)
    """
    (SH, SW), interpolation = saved
    N, OH, OW, C = dy.shape
    H, W = OH // SH, OW // SW
    if interpolation == "nearest":
        return dy.reshape(N, H, SH, W, SW, C).sum(axis=(2, 4))
    A, B = stretching(H, SH, dy.real.dtype), stretching(W, SW, dy.real.dtype)
    return mixed(dy, A.T, B.T)


def stretching(length: int, times: int, dtype: np.dtype) -> Array:
    """The matrix (length · times, length) that stretches an axis by linear interpolation.

    Pixels are squares: the centre of pixel p of the result lies at (p + ½) / times − ½ in the original's pixels. Its
    weights are those of the two pixels around that place, or 1 at the image's border.
    """
    place = ((np.arange(length * times) + 0.5) / times - 0.5).clip(0, length - 1)
    distance = np.abs(place[:, None] - np.arange(length))  # (length · times, length)
    return (1 - distance).clip(0).astype(dtype)


def mixed(x: Array, rows: Array, columns: Array) -> Array:
    """y_nc = rows · x_nc · columnsᵀ: x (N, H, W, C), rows (OH, H), columns (OW, W) -> y (N, OH, OW, C)."""
    N, H, W, C = x.shape
    y = rows @ x.reshape(N, H, W * C)  # (N, OH, W · C)
    y = columns @ y.reshape(-1, W, C)  # (N · OH, OW, C)
    return y.reshape(N, len(rows), len(columns), C)
