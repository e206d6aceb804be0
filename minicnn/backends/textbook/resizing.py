"""Images of another size: zeros around them or borders cut off, and pixels repeated."""

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


def upsample2d(x: Array, size: Pair) -> tuple[Array, Saved]:
    """Each pixel becomes a block of SH x SW equal ones: y[n, p, q, c] = x[n, ⌊p / SH⌋, ⌊q / SW⌋, c].

    x (N, H, W, C) -> y (N, H · SH, W · SW, C)
    """
    return x.repeat(size[0], axis=1).repeat(size[1], axis=2), size


def upsample2d_backward(dy: Array, saved: Saved) -> Array:
    """A pixel was copied to its block, so its gradient is the sum over the block.

    dy (N, H · SH, W · SW, C) -> dx (N, H, W, C)
    """
    SH, SW = saved
    N, OH, OW, C = dy.shape
    return dy.reshape(N, OH // SH, SH, OW // SW, SW, C).sum(axis=(2, 4))
