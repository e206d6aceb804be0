"""Pooling: one pass over the samples, a pixel's channels side by side; max pooling keeps its winners in a byte each."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from ..contract import Array, Pair, Saved, Step
from ..geometry import output_length, pad_amounts
from ..textbook.pooling import max_pool2d as large_max_pool2d
from ..textbook.pooling import max_pool2d_backward as large_max_pool2d_backward
from .cells import hand_back, largest, mean, share_out, winner
from .products import clear
from .program import Program, addresses_of
from .runtime.compile import parallel, serial, share
from .runtime.numba_internals import to_fixed_tuple
from .runtime.threads import small
from .stages import Shape, Stage

BYTE = 256
"""Cells of a window up to which a byte names the winner. Larger windows are the textbook's."""


def max_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, Saved]:
    """y[n, p, q, c] = max_ij x[n, p·SH + i, q·SW + j, c]; padding counts as −∞, NaN as +∞.

    x (N, H, W, C) -> y (N, OH, OW, C)
    """
    if pool_size[0] * pool_size[1] > BYTE:
        return large_max_pool2d(x, pool_size, strides, padding)
    y_shape, sizes = _geometry(x.shape, pool_size, strides, padding)
    y, winners = np.empty(y_shape, x.dtype), np.empty(y_shape, np.uint8)
    _find_winners(x.reshape(-1), y.reshape(-1), winners.reshape(-1), y_shape[0] * y_shape[1], sizes, alone=small(x))
    return y, (winners, x.shape, pool_size, strides, padding)


def max_pool2d_backward(dy: Array, saved: Saved) -> Array:
    """Only the winner of a window moved y, so it alone gets dy; a cell that won several windows gets the sum.

    dy (N, OH, OW, C) -> dx (N, H, W, C)
    """
    winners, *geometry = saved
    if winners.dtype != np.uint8:
        return large_max_pool2d_backward(dy, saved)
    dx, once, sizes = _for_dx(dy, *geometry)
    _give_back(dy.reshape(-1), winners.reshape(-1), dx.reshape(-1), len(dx), once, sizes, alone=small(dx))
    return dx


def average_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, Saved]:
    """y[n, p, q, c] = mean_ij x[n, p·SH + i, q·SW + j, c] over the cells that lie on the image: padding is not counted.

    x (N, H, W, C) -> y (N, OH, OW, C)
    """
    y = _average_program(x.shape, (pool_size, strides, padding), x.dtype).run(x, addresses_of([]))
    return y, (x.shape, pool_size, strides, padding)


@lru_cache(maxsize=256)
def _average_program(shape: Shape, options: tuple[Pair, Pair, str], dtype: np.dtype) -> Program:
    """The forward alone; the threads share out its samples."""
    step = ("average_pool2d", (), options)
    return Program(stages(shape[0], shape[1:], dtype.itemsize, step), shape[0], prod(shape[1:]), dtype, threads=1)


def average_pool2d_backward(dy: Array, saved: Saved) -> Array:
    """A window's cells weighed alike in y, so they share dy alike.

    dy (N, OH, OW, C) -> dx (N, H, W, C)
    """
    dx, once, sizes = _for_dx(dy, *saved)
    _share_dy(dy.reshape(-1), dx.reshape(-1), len(dx), once, sizes, alone=small(dx))
    return dx


def _for_dx(dy: Array, shape: Shape, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, bool, Array]:
    """Room for dx, whether every cell of the image lies in exactly one window, and the sizes."""
    (OH, OW), (KH, KW) = dy.shape[1:3], pool_size
    once = pool_size == strides and shape[1:3] == (OH * KH, OW * KW)
    return np.empty(shape, dy.dtype), once, _geometry(shape, pool_size, strides, padding)[1]


def stages(samples: int, shape: Shape, itemsize: int, step: Step) -> list[Stage]:
    """max_pool2d or average_pool2d in inference, on samples of this shape."""
    H, W, C = (1, *shape)[-3:]
    operation, _, options = step
    y_shape, sizes = _geometry((1, H, W, C), *options)
    kernel = _find_largest if operation == "max_pool2d" else _find_mean
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
def _window(n, p, q, s):
    """Of the window of output pixel (n, p, q) what is on the image: the first cell's place and name, rows, columns."""
    top, left = p * s.SH - s.above, q * s.SW - s.before
    h, w = max(top, 0), max(left, 0)
    rows, cols = min(top + s.KH, s.H) - h, min(left + s.KW, s.W) - w
    return ((n * s.H + h) * s.W + w) * s.C, (h - top) * s.KW + w - left, rows, cols


@parallel
def _find_winners(threads, t, x, y, winners, rows, sizes):
    """One thread's rows, of those of all output images."""
    s = Sizes(*to_fixed_tuple(sizes, COUNT))
    first, last = share(rows, threads, t)
    for row in range(first, last):
        n, p = divmod(row, s.OH)
        for q in range(s.OW):
            cell, name, height, width = _window(n, p, q, s)
            winner(x, cell, height, s.W * s.C, width, s.C, name, s.KW, y, winners, (row * s.OW + q) * s.C, s.C)


@serial
def _find_largest(parts, part, x, x_at, y, y_at, count, numbers):
    """A stage: the winners without their names. Its parts have some of the output's rows each."""
    s = Sizes(*to_fixed_tuple(numbers, COUNT))
    first, last = share(count * s.OH, parts, part)
    for row in range(first, last):
        n, p = divmod(row, s.OH)
        for q in range(s.OW):
            cell, _, height, width = _window(n, p, q, s)
            largest(x, x_at + cell, height, s.W * s.C, width, s.C, y, y_at + (row * s.OW + q) * s.C, s.C)


@serial
def _find_mean(parts, part, x, x_at, y, y_at, count, numbers):
    """A stage. Its parts have some of the output's rows each."""
    s = Sizes(*to_fixed_tuple(numbers, COUNT))
    first, last = share(count * s.OH, parts, part)
    for row in range(first, last):
        n, p = divmod(row, s.OH)
        for q in range(s.OW):
            cell, _, height, width = _window(n, p, q, s)
            mean(x, x_at + cell, height, s.W * s.C, width, s.C, y, y_at + (row * s.OW + q) * s.C, s.C)


@parallel
def _give_back(threads, t, dy, winners, dx, samples, once, sizes):
    """One thread's samples. With `once`, every cell of the image lies in exactly one window: what it gets need not be
    added to anything."""
    s = Sizes(*to_fixed_tuple(sizes, COUNT))
    first, last = share(samples, threads, t)
    if not once:
        clear(dx, first * s.H * s.W * s.C, (last - first) * s.H * s.W * s.C)
    for row in range(first * s.OH, last * s.OH):
        n, p = divmod(row, s.OH)
        for q in range(s.OW):
            cell, name, height, width = _window(n, p, q, s)
            hand_back(dx, cell, height, s.W * s.C, width, s.C, name, s.KW, dy, winners, (row * s.OW + q) * s.C,
                      not once, s.C)  # fmt: skip


@parallel
def _share_dy(threads, t, dy, dx, samples, once, sizes):
    """The same for the mean, of which every cell has an equal share."""
    s = Sizes(*to_fixed_tuple(sizes, COUNT))
    first, last = share(samples, threads, t)
    if not once:
        clear(dx, first * s.H * s.W * s.C, (last - first) * s.H * s.W * s.C)
    for row in range(first * s.OH, last * s.OH):
        n, p = divmod(row, s.OH)
        for q in range(s.OW):
            cell, _, height, width = _window(n, p, q, s)
            share_out(dx, cell, height, s.W * s.C, width, s.C, dy, (row * s.OW + q) * s.C, not once, s.C)
