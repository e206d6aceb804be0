"""Pooling: one pass over the samples, vectors of a pixel's channels at a time."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..contract import Array, Pair, Saved
from ..geometry import Windows, windows
from .activations import PASS_WORK
from .executor import Shape, Stage, forward, geometry
from .gemm.gemm import clear
from .runtime.compile import inlined, parallel, serial, share
from .runtime.threads import small
from .runtime.vectors import add, divide, lanes, load, maximum, short_loops, store, where_equal, zeros


def max_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, Saved]:
    """y[n, p, q, c] = max_ij x[n, p·SH + i, q·SW + j, c]; padding counts as −∞, NaN as +∞.

    x (N, H, W, C) -> y (N, OH, OW, C)
    """
    y = forward(max_stages, x, [], pool_size, strides, padding)
    return y, (x, y, pool_size, strides, padding)


def max_pool2d_backward(dy: Array, saved: Saved) -> Array:
    """Only the largest cell of a window moved y, so it alone gets dy; one that is largest in several gets the sum.

    Of equal ones, the first gets it. dy (N, OH, OW, C) -> dx (N, H, W, C)
    """
    x, y, *options = saved
    return _backward(dy, x.shape, x, y, False, *options)


def average_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, Saved]:
    """y[n, p, q, c] = mean_ij x[n, p·SH + i, q·SW + j, c] over the cells that lie on the image: padding is not counted.

    x (N, H, W, C) -> y (N, OH, OW, C)
    """
    return forward(average_stages, x, [], pool_size, strides, padding), (x.shape, pool_size, strides, padding)


def average_pool2d_backward(dy: Array, saved: Saved) -> Array:
    """A window's cells weighed alike in y, so they share dy alike.

    dy (N, OH, OW, C) -> dx (N, H, W, C)
    """
    shape, *options = saved
    return _backward(dy, shape, dy, dy, True, *options)


def _backward(
    dy: Array, shape: Shape, x: Array, y: Array, average: bool, pool_size: Pair, strides: Pair, padding: str
) -> Array:
    """dx; x and y are read in max pooling only."""
    w, dx = _windows(shape, pool_size, strides, padding), np.empty(shape, dy.dtype)
    once = pool_size == strides and shape[1:3] == (w.OH * w.KH, w.OW * w.KW)  # each cell lies in exactly one window
    flat = [array.reshape(-1) for array in (dy, x, y, dx)]
    _give_back(*flat, average, once, np.array(w), alone=small(dx))
    return dx


def stages(average: bool, shape: Shape, itemsize: int, weights: tuple[Shape, ...], *options: Any) -> list[Stage]:
    """max_pool2d or average_pool2d of images of this shape."""
    w = _windows(shape, *options)
    return [Stage(_pool, (w.OH, w.OW, w.C), (average, *w), work=w.H * w.W * w.C * PASS_WORK)]


max_stages, average_stages = partial(stages, False), partial(stages, True)


def _windows(shape: Shape, pool_size: Pair, strides: Pair, padding: str) -> Windows:
    return windows(shape, pool_size, shape[-1], strides, padding)


@inlined
def _on_image(row, q, w):
    """What of window q in a row of outputs lies on the image: the first cell's index, rows, columns."""
    n, p = divmod(row, w.OH)
    top, left = p * w.SH - w.top, q * w.SW - w.left
    h, v = max(top, 0), max(left, 0)
    return ((n * w.H + h) * w.W + v) * w.C, min(top + w.KH, w.H) - h, min(left + w.KW, w.W) - v


@serial
def _pool(x, x_at, y, y_at, count, numbers):
    """A stage's kernel."""
    short_loops()
    average, w = numbers[1] != 0, geometry(numbers[2:])
    for row in range(count * w.OH):
        for q in range(w.OW):
            first, rows, cols = _on_image(row, q, w)
            out = y_at + (row * w.OW + q) * w.C
            for c in range(0, w.C, lanes(x)):
                at = x_at + first + c
                pooled = _mean(x, at, w.C - c, rows, cols, w) if average else _largest(x, at, w.C - c, rows, cols, w)
                store(y, out + c, w.C - c, pooled)


@inlined
def _largest(x, x_at, channels, rows, cols, w):
    short_loops()
    largest = load(x, x_at, channels)
    for i in range(rows):
        for j in range(cols):
            largest = maximum(largest, load(x, x_at + (i * w.W + j) * w.C, channels))
    return largest


@inlined
def _mean(x, x_at, channels, rows, cols, w):
    """Each row is added up first, so that large windows lose few digits."""
    short_loops()
    total = zeros(x)
    for i in range(rows):
        of_row = zeros(x)
        for j in range(cols):
            of_row = add(of_row, load(x, x_at + (i * w.W + j) * w.C, channels))
        total = add(total, of_row)
    return divide(total, rows * cols)


@parallel
def _give_back(threads, thread, dy, x, y, dx, average, once, w):
    """One thread's samples. With `once`, what a cell gets need not be added to anything."""
    short_loops()
    w = geometry(w)
    first, last = share(w.N, threads, thread)
    for n in range(first, last):
        if not once:  # one sample at a time, so that it stays in the cache
            clear(dx, n * w.H * w.W * w.C, w.H * w.W * w.C)
        for row in range(n * w.OH, (n + 1) * w.OH):
            for q in range(w.OW):
                cell, rows, cols = _on_image(row, q, w)
                for c in range(0, w.C, lanes(dx)):
                    at = (row * w.OW + q) * w.C + c
                    _share_out(dx, cell + c, rows, cols, dy, x, y, at, w.C - c, average, once, w)


@inlined
def _share_out(dx, dx_at, rows, cols, dy, x, y, at, channels, average, once, w):
    """The gradient of one window."""
    short_loops()
    nothing, rest, largest = zeros(dx), load(dy, at, channels), load(y, at, channels)
    if average:
        rest = divide(rest, rows * cols)
    for i in range(rows):
        for j in range(cols):
            cell, mine = dx_at + (i * w.W + j) * w.C, rest
            if not average:
                value = load(x, cell, channels)
                mine = where_equal(value, largest, rest, nothing)
                rest = where_equal(value, largest, nothing, rest)
            store(dx, cell, channels, mine if once else add(load(dx, cell, channels), mine))
