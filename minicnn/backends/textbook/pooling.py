"""Pooling: each window (im2col again) becomes one number, its largest or its mean, for each channel on its own."""

from __future__ import annotations

import numpy as np

from ..contract import Array, Pair, Saved
from .windows import col2im, im2col


def max_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, Saved]:
    """y[n, p, q, c] = max_ij x[n, p·SH + i, q·SW + j, c]; padding counts as −∞.

    x (N, H, W, C) -> y (N, OH, OW, C)
    """
    windows = im2col(x, pool_size, strides, padding, fill=-np.inf)  # (N, OH, OW, KH, KW, C)
    N, OH, OW, KH, KW, C = windows.shape
    elements = windows.reshape(N, OH, OW, KH * KW, C)
    winner = elements.argmax(axis=3, keepdims=True)  # (N, OH, OW, 1, C), the first of equal ones
    y = np.take_along_axis(elements, winner, axis=3)[:, :, :, 0]  # (N, OH, OW, C)
    return y, (winner, x.shape, pool_size, strides, padding)


def max_pool2d_backward(dy: Array, saved: Saved) -> Array:
    """Only the winner of a window moved y, so it alone gets dy; a cell that won several windows gets the sum.

    dy (N, OH, OW, C) -> dx (N, H, W, C)
    """
    winner, shape, (KH, KW), strides, padding = saved
    N, OH, OW, C = dy.shape
    delements = np.zeros((N, OH, OW, KH * KW, C), dy.dtype)
    np.put_along_axis(delements, winner, dy[:, :, :, np.newaxis], axis=3)
    return col2im(delements.reshape(N, OH, OW, KH, KW, C), shape, strides, padding)


def average_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, Saved]:
    """y[n, p, q, c] = mean_ij x[n, p·SH + i, q·SW + j, c] over the elements inside the image, without padding.

    x (N, H, W, C) -> y (N, OH, OW, C)
    """
    elements = im2col(x, pool_size, strides, padding)  # (N, OH, OW, KH, KW, C)
    inside = im2col(np.ones((1, *x.shape[1:3], 1), x.real.dtype), pool_size, strides, padding)  # 1 on the image, else 0
    weights = inside / inside.sum(axis=(3, 4), keepdims=True)  # (1, OH, OW, KH, KW, 1): 1 / elements counted
    y = (elements * weights).sum(axis=(3, 4))  # (N, OH, OW, C)
    return y, (weights, x.shape, strides, padding)


def average_pool2d_backward(dy: Array, saved: Saved) -> Array:
    """All elements of a window have the same weight in y, so they get equal shares of dy.

    dy (N, OH, OW, C) -> dx (N, H, W, C)
    """
    weights, shape, strides, padding = saved
    delements = dy[:, :, :, np.newaxis, np.newaxis] * weights  # (N, OH, OW, 1, 1, C) · (1, OH, OW, KH, KW, 1)
    return col2im(delements, shape, strides, padding)
