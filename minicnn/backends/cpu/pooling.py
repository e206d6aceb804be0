"""Max pooling: one pass over the samples, the channels of a pixel side by side; winners are kept in a byte each."""

from __future__ import annotations

import numpy as np
from numba import prange

from .. import textbook
from ..contract import Array, Pair, Saved
from ..geometry import output_length, pad_amounts
from ..textbook import average_pool2d, average_pool2d_backward
from .kernels import compilable, parallel, plain, serial, share

__all__ = ["average_pool2d", "average_pool2d_backward", "max_pool2d", "max_pool2d_backward"]


def max_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, Saved]:
    """y[n, p, q, c] = max_ij x[n, p·SH + i, q·SW + j, c]; padding counts as −∞, NaN as +∞.

    x (N, H, W, C) -> y (N, OH, OW, C)
    """
    if not compilable(x) or pool_size[0] * pool_size[1] > 256:  # a byte has to name the winner
        y, saved = textbook.max_pool2d(x, pool_size, strides, padding)
        return y, (textbook.max_pool2d_backward, saved)
    x = plain(x)
    y_shape, window = _geometry(x.shape, pool_size, strides, padding)
    y, winners = np.empty(y_shape, x.dtype), np.empty(y_shape, np.uint8)
    _challenge(x, y, winners, *window)
    return y, (_backward, (winners, x.shape, pool_size, strides, padding))


def max_pool2d_backward(dy: Array, saved: Saved) -> Array:
    """Only the winner of a window moved y, so it alone gets dy; a cell that won several windows gets the sum.

    dy (N, OH, OW, C) -> dx (N, H, W, C)
    """
    backward, saved = saved
    return backward(dy, saved)


def _backward(dy: Array, saved: Saved) -> Array:
    winners, shape, pool_size, strides, padding = saved
    _, window = _geometry(shape, pool_size, strides, padding)
    dx = np.empty(shape, dy.dtype)
    _scatter(plain(dy), winners, dx, *window)
    return dx


def _geometry(
    shape: tuple[int, ...], pool_size: Pair, strides: Pair, padding: str
) -> tuple[tuple[int, ...], tuple[Pair, Pair, Pair]]:
    """The shape of y, and the kernels' (KH, KW), (SH, SW), (top, left)."""
    N, H, W, C = shape
    (KH, KW), (SH, SW) = pool_size, strides
    y_shape = (N, output_length(H, KH, SH, padding), output_length(W, KW, SW, padding), C)
    return y_shape, ((KH, KW), (SH, SW), (pad_amounts(H, KH, SH, padding)[0], pad_amounts(W, KW, SW, padding)[0]))


@parallel
def _challenge(threads, x, y, winners, pool, strides, before):
    for t in prange(threads):
        first, last = share(x.shape[0], threads, t)
        for n in range(first, last):
            for p in range(y.shape[1]):
                _challenge_row(x[n], y[n, p], winners[n, p], pool, (p * strides[0] - before[0], strides[1], before[1]))


@serial
def _challenge_row(x, y, winners, pool, place):
    """One row of windows. Every cell challenges the best so far: NaN beats numbers, the first of equals stays."""
    H, W, C = x.shape
    top, stride, left = place
    for q in range(y.shape[0]):
        start = q * stride - left
        best, winner = y[q], winners[q]
        fresh = True
        for h in range(max(top, 0), min(top + pool[0], H)):
            for w in range(max(start, 0), min(start + pool[1], W)):
                cell = np.uint8((h - top) * pool[1] + w - start)
                challenger = x[h, w]
                if fresh:
                    fresh = False
                    for c in range(C):
                        best[c] = challenger[c]
                        winner[c] = cell
                    continue
                for c in range(C):
                    wins = (not challenger[c] <= best[c]) & (best[c] == best[c])
                    best[c] = challenger[c] if wins else best[c]
                    winner[c] = cell if wins else winner[c]


@parallel
def _scatter(threads, dy, winners, dx, pool, strides, before):
    for t in prange(threads):
        first, last = share(dx.shape[0], threads, t)
        for n in range(first, last):
            dx[n] = 0
            for p in range(dy.shape[1]):
                _scatter_row(dy[n, p], winners[n, p], dx[n], pool, (p * strides[0] - before[0], strides[1], before[1]))


@serial
def _scatter_row(dy, winners, dx, pool, place):
    """One row of windows: every cell of a window adds dy where it was the winner."""
    H, W, C = dx.shape
    top, stride, left = place
    nothing = dx.dtype.type(0)
    for q in range(dy.shape[0]):
        start = q * stride - left
        d, winner = dy[q], winners[q]
        for h in range(max(top, 0), min(top + pool[0], H)):
            for w in range(max(start, 0), min(start + pool[1], W)):
                cell = np.uint8((h - top) * pool[1] + w - start)
                target = dx[h, w]
                for c in range(C):
                    target[c] += d[c] if winner[c] == cell else nothing
