"""Pooling: one pass over the samples, a pixel's channels side by side; max pooling keeps its winners in a byte each."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple

from .. import textbook
from ..contract import Array, Pair, Saved, Step
from ..geometry import output_length, pad_amounts
from .cells import hand_back, largest, mean, share_out, winner
from .kernels import compilable, parallel, plain, serial, share, small
from .products import clear
from .stages import Shape, Stage


def max_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, Saved]:
    """y[n, p, q, c] = max_ij x[n, p·SH + i, q·SW + j, c]; padding counts as −∞, NaN as +∞.

    x (N, H, W, C) -> y (N, OH, OW, C)
    """
    if not compilable(x) or pool_size[0] * pool_size[1] > 256:  # a byte has to name the winner
        y, saved = textbook.max_pool2d(x, pool_size, strides, padding)
        return y, (textbook.max_pool2d_backward, saved)
    x = plain(x)
    y_shape, sizes = _geometry(x.shape, pool_size, strides, padding)
    y, winners = np.empty(y_shape, x.dtype), np.empty(y_shape, np.uint8)
    _find_winners(x.reshape(-1), y.reshape(-1), winners.reshape(-1), y_shape[0] * y_shape[1], sizes, alone=small(x))
    return y, (_max_backward, (winners, x.shape, pool_size, strides, padding))


def max_pool2d_backward(dy: Array, saved: Saved) -> Array:
    """Only the winner of a window moved y, so it alone gets dy; a cell that won several windows gets the sum.

    dy (N, OH, OW, C) -> dx (N, H, W, C)
    """
    backward, saved = saved
    return backward(dy, saved)


def _max_backward(dy: Array, saved: Saved) -> Array:
    winners, *geometry = saved
    dx, once, sizes = _for_dx(dy, *geometry)
    _give_back(plain(dy).reshape(-1), winners.reshape(-1), dx.reshape(-1), len(dx), once, sizes, alone=small(dx))
    return dx


def average_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, Saved]:
    """y[n, p, q, c] = mean_ij x[n, p·SH + i, q·SW + j, c] over the cells that lie on the image: padding is not counted.

    x (N, H, W, C) -> y (N, OH, OW, C)
    """
    if not compilable(x):
        y, saved = textbook.average_pool2d(x, pool_size, strides, padding)
        return y, (textbook.average_pool2d_backward, saved)
    y_shape, sizes = _geometry(x.shape, pool_size, strides, padding)
    y = np.empty(y_shape, x.dtype)
    _average(plain(x).reshape(-1), y.reshape(-1), y_shape[0] * y_shape[1], sizes, alone=small(x))
    return y, (_average_backward, (x.shape, pool_size, strides, padding))


def average_pool2d_backward(dy: Array, saved: Saved) -> Array:
    """A window's cells weighed alike in y, so they share dy alike.

    dy (N, OH, OW, C) -> dx (N, H, W, C)
    """
    backward, saved = saved
    return backward(dy, saved)


def _average_backward(dy: Array, saved: Saved) -> Array:
    dx, once, sizes = _for_dx(dy, *saved)
    _share_dy(plain(dy).reshape(-1), dx.reshape(-1), len(dx), once, sizes, alone=small(dx))
    return dx


def _for_dx(dy: Array, shape: Shape, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, bool, Array]:
    """Room for dx, whether every cell of the image lies in exactly one window, and the sizes."""
    (OH, OW), (KH, KW) = dy.shape[1:3], pool_size
    once = pool_size == strides and shape[1:3] == (OH * KH, OW * KW)
    return np.empty(shape, dy.dtype), once, _geometry(shape, pool_size, strides, padding)[1]


def stages(samples: int, shape: Shape, itemsize: int, step: Step) -> list[Stage]:
    """max_pool2d or average_pool2d in inference, on samples of this shape."""
    H, W, C = (1, *shape)[-3:]
    y_shape, sizes = _geometry((1, H, W, C), *step.options)
    kernel = _find_largest if step.operation == "max_pool2d" else _find_mean
    return [Stage(kernel, y_shape[-len(shape) :], tuple(sizes.tolist()), work=H * W * C)]


class Sizes(NamedTuple):
    """The image, the output, the window, its strides, and the padding above and before the image."""

    H: int
    W: int
    C: int
    OH: int
    OW: int
    KH: int
    KW: int
    SH: int
    SW: int
    above: int
    before: int


COUNT = len(Sizes._fields)


@lru_cache(maxsize=256)
def _geometry(shape: tuple[int, ...], pool_size: Pair, strides: Pair, padding: str) -> tuple[tuple[int, ...], Array]:
    """The shape of y, and the sizes as kernels take them."""
    N, H, W, C = shape
    (KH, KW), (SH, SW) = pool_size, strides
    OH, OW = output_length(H, KH, SH, padding), output_length(W, KW, SW, padding)
    above, before = pad_amounts(H, KH, SH, padding)[0], pad_amounts(W, KW, SW, padding)[0]
    return (N, OH, OW, C), np.array(Sizes(H, W, C, OH, OW, KH, KW, SH, SW, above, before))


@serial
def _inside(start, length, size):
    """The part of a window, along one axis, that lies on the image."""
    return max(start, 0), min(start + length, size)


@parallel
def _find_winners(threads, t, x, y, winners, rows, sizes):
    """One thread's rows, of those of all output images."""
    s = Sizes(*to_fixed_tuple(sizes, COUNT))
    first, last = share(rows, threads, t)
    for row in range(first, last):
        n, p = divmod(row, s.OH)
        top, bottom = _inside(p * s.SH - s.above, s.KH, s.H)
        for q in range(s.OW):
            left, right = _inside(q * s.SW - s.before, s.KW, s.W)
            cell = ((n * s.H + top) * s.W + left) * s.C
            name = (top - p * s.SH + s.above) * s.KW + left - q * s.SW + s.before
            winner(
                x, cell, bottom - top, s.W * s.C, right - left, s.C, name, s.KW, y, winners, (row * s.OW + q) * s.C, s.C
            )


@serial
def _find_largest(parts, part, x, x_at, y, y_at, count, numbers):
    """A stage: the winners without their names. Its parts have some of the output's rows each."""
    s = Sizes(*to_fixed_tuple(numbers, COUNT))
    first, last = share(count * s.OH, parts, part)
    for row in range(first, last):
        n, p = divmod(row, s.OH)
        top, bottom = _inside(p * s.SH - s.above, s.KH, s.H)
        for q in range(s.OW):
            left, right = _inside(q * s.SW - s.before, s.KW, s.W)
            cell = x_at + ((n * s.H + top) * s.W + left) * s.C
            largest(x, cell, bottom - top, s.W * s.C, right - left, s.C, y, y_at + (row * s.OW + q) * s.C, s.C)


@parallel
def _average(threads, t, x, y, rows, sizes):
    """One thread's rows, of those of all output images."""
    s = Sizes(*to_fixed_tuple(sizes, COUNT))
    first, last = share(rows, threads, t)
    for row in range(first, last):
        _average_row(x, 0, y, 0, row, s)


@serial
def _find_mean(parts, part, x, x_at, y, y_at, count, numbers):
    """A stage. Its parts have some of the output's rows each."""
    s = Sizes(*to_fixed_tuple(numbers, COUNT))
    first, last = share(count * s.OH, parts, part)
    for row in range(first, last):
        _average_row(x, x_at, y, y_at, row, s)


@serial
def _average_row(x, x_at, y, y_at, row, s):
    n, p = divmod(row, s.OH)
    top, bottom = _inside(p * s.SH - s.above, s.KH, s.H)
    for q in range(s.OW):
        left, right = _inside(q * s.SW - s.before, s.KW, s.W)
        cell = x_at + ((n * s.H + top) * s.W + left) * s.C
        mean(x, cell, bottom - top, s.W * s.C, right - left, s.C, y, y_at + (row * s.OW + q) * s.C, s.C)


@parallel
def _share_dy(threads, t, dy, dx, samples, once, sizes):
    """One thread's samples, as in `_give_back`."""
    s = Sizes(*to_fixed_tuple(sizes, COUNT))
    first, last = share(samples, threads, t)
    for n in range(first, last):
        if not once:
            clear(dx, n * s.H * s.W * s.C, s.H * s.W * s.C)
        for p in range(s.OH):
            top, bottom = _inside(p * s.SH - s.above, s.KH, s.H)
            for q in range(s.OW):
                left, right = _inside(q * s.SW - s.before, s.KW, s.W)
                cell, y_at = ((n * s.H + top) * s.W + left) * s.C, ((n * s.OH + p) * s.OW + q) * s.C
                share_out(dx, cell, bottom - top, s.W * s.C, right - left, s.C, dy, y_at, not once, s.C)


@parallel
def _give_back(threads, t, dy, winners, dx, samples, once, sizes):
    """One thread's samples. With `once`, every cell of the image lies in exactly one window: what it gets need not be
    added to anything."""
    s = Sizes(*to_fixed_tuple(sizes, COUNT))
    first, last = share(samples, threads, t)
    for n in range(first, last):
        if not once:
            clear(dx, n * s.H * s.W * s.C, s.H * s.W * s.C)
        for p in range(s.OH):
            top, bottom = _inside(p * s.SH - s.above, s.KH, s.H)
            for q in range(s.OW):
                left, right = _inside(q * s.SW - s.before, s.KW, s.W)
                cell = ((n * s.H + top) * s.W + left) * s.C
                name = (top - p * s.SH + s.above) * s.KW + left - q * s.SW + s.before
                hand_back(dx, cell, bottom - top, s.W * s.C, right - left, s.C, name, s.KW, dy, winners,
                          ((n * s.OH + p) * s.OW + q) * s.C, not once, s.C)  # fmt: skip
