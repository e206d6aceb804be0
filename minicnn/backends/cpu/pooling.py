"""Pooling: one pass over the samples, a pixel's channels side by side; max pooling keeps its winners in a byte each."""

from __future__ import annotations

import numpy as np

from ..contract import Array, Pair, Saved
from ..geometry import Windows, windows
from ..textbook.pooling import max_pool2d as large_max_pool2d
from ..textbook.pooling import max_pool2d_backward as large_max_pool2d_backward
from .activations import PASS_WORK
from .executor import Shape, Stage, array_at, forward, geometry
from .gemm.gemm import clear
from .runtime.compile import inlined, parallel, serial, share
from .runtime.threads import small
from .runtime.vectors import add, divide, larger, load, spread, store, where_equal, whole_vectors, zeros

MAX_CELLS = 256
"""Cells of a window up to which a byte names the winner. Larger windows are the textbook's."""


def max_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, Saved]:
    """y[n, p, q, c] = max_ij x[n, p·SH + i, q·SW + j, c]; padding counts as −∞, NaN as +∞.

    x (N, H, W, C) -> y (N, OH, OW, C)
    """
    if pool_size[0] * pool_size[1] > MAX_CELLS:
        return large_max_pool2d(x, pool_size, strides, padding)
    w = _windows(x.shape, pool_size, strides, padding)
    winners = np.empty((w.N, w.OH, w.OW, w.C), np.uint8)
    y = forward(max_stages, x, [winners], pool_size, strides, padding)
    return y, (winners, x.shape, pool_size, strides, padding)


def max_pool2d_backward(dy: Array, saved: Saved) -> Array:
    """Only the winner of a window moved y, so it alone gets dy; a cell that won several windows gets the sum.

    dy (N, OH, OW, C) -> dx (N, H, W, C)
    """
    winners, *geometry = saved
    return _backward(dy, winners, *geometry) if winners.dtype == np.uint8 else large_max_pool2d_backward(dy, saved)


def average_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, Saved]:
    """y[n, p, q, c] = mean_ij x[n, p·SH + i, q·SW + j, c] over the cells that lie on the image: padding is not counted.

    x (N, H, W, C) -> y (N, OH, OW, C)
    """
    y = forward(average_stages, x, [], pool_size, strides, padding)
    return y, (x.shape, pool_size, strides, padding)


def average_pool2d_backward(dy: Array, saved: Saved) -> Array:
    """A window's cells weighed alike in y, so they share dy alike.

    dy (N, OH, OW, C) -> dx (N, H, W, C)
    """
    return _backward(dy, np.empty(0, np.uint8), *saved)


def _backward(dy: Array, winners: Array, shape: Shape, pool_size: Pair, strides: Pair, padding: str) -> Array:
    w, dx = _windows(shape, pool_size, strides, padding), np.empty(shape, dy.dtype)
    once = pool_size == strides and shape[1:3] == (w.OH * w.KH, w.OW * w.KW)
    _give_back(dy.reshape(-1), winners.reshape(-1), dx.reshape(-1), once, np.array(w), alone=small(dx))
    return dx


def max_stages(
    shape: Shape, itemsize: int, weights: tuple[Shape, ...], pool_size: Pair, strides: Pair, padding: str
) -> list[Stage]:
    """max_pool2d of images of this shape. Its weight, in training, is the array that the winners go to."""
    w = _windows(shape, pool_size, strides, padding)
    nowhere = () if weights else (0,)
    return [Stage(_max, (w.OH, w.OW, w.C), (*nowhere, *w), weights=len(weights), work=w.H * w.W * w.C * PASS_WORK)]


def average_stages(
    shape: Shape, itemsize: int, weights: tuple[Shape, ...], pool_size: Pair, strides: Pair, padding: str
) -> list[Stage]:
    """average_pool2d of images of this shape."""
    w = _windows(shape, pool_size, strides, padding)
    return [Stage(_average, (w.OH, w.OW, w.C), tuple(w), work=w.H * w.W * w.C * PASS_WORK)]


def _windows(shape: Shape, pool_size: Pair, strides: Pair, padding: str) -> Windows:
    return windows(shape, pool_size, shape[-1], strides, padding)


@inlined
def _on_image(row, q, w):
    """What of window q in a row of outputs lies on the image: the first cell's index and name, rows, columns."""
    n, p = divmod(row, w.OH)
    top, left = p * w.SH - w.top, q * w.SW - w.left
    h, v = max(top, 0), max(left, 0)
    rows, cols = min(top + w.KH, w.H) - h, min(left + w.KW, w.W) - v
    return ((n * w.H + h) * w.W + v) * w.C, (h - top) * w.KW + v - left, rows, cols


@serial
def _max(x, x_at, y, y_at, count, numbers):
    """A stage's kernel. The name of a cell is its number in the window."""
    w = geometry(numbers[2:])
    lanes, whole = whole_vectors(w.C, x.itemsize)
    winners = array_at(numbers[1], y_at + count * w.OH * w.OW * w.C, np.empty(0, np.uint8))
    vector, number, named = zeros(x), x.dtype.type(0), numbers[1] != 0
    for row in range(count * w.OH):
        for q in range(w.OW):
            cell, name, rows, cols = _on_image(row, q, w)
            out = y_at + (row * w.OW + q) * w.C
            for c in range(0, whole, lanes):
                _largest(x, x_at + cell + c, name, rows, cols, y, winners, out + c, named, vector, w)
            for c in range(whole, w.C):
                _largest(x, x_at + cell + c, name, rows, cols, y, winners, out + c, named, number, w)


@inlined
def _largest(x, x_at, first_name, rows, cols, y, winners, out, named, like, w):
    best, winner = load(x, x_at, like), spread(first_name, like)
    for i in range(rows):
        for j in range(cols):
            name = spread(first_name + i * w.KW + j, like)
            best, winner = larger(load(x, x_at + (i * w.W + j) * w.C, like), name, best, winner)
    store(y, out, best)
    if named:
        store(winners, out, winner)


@serial
def _average(x, x_at, y, y_at, count, numbers):
    """A stage's kernel."""
    w = geometry(numbers[1:])
    lanes, whole = whole_vectors(w.C, x.itemsize)
    vector, number = zeros(x), x.dtype.type(0)
    for row in range(count * w.OH):
        for q in range(w.OW):
            cell, _, rows, cols = _on_image(row, q, w)
            out = y_at + (row * w.OW + q) * w.C
            for c in range(0, whole, lanes):
                _mean(x, x_at + cell + c, rows, cols, y, out + c, vector, w)
            for c in range(whole, w.C):
                _mean(x, x_at + cell + c, rows, cols, y, out + c, number, w)


@inlined
def _mean(x, x_at, rows, cols, y, out, nothing, w):
    """Each row is added up first, so that large windows lose few digits."""
    total = nothing
    for i in range(rows):
        of_row = nothing
        for j in range(cols):
            of_row = add(of_row, load(x, x_at + (i * w.W + j) * w.C, nothing))
        total = add(total, of_row)
    store(y, out, divide(total, spread(x.dtype.type(rows * cols), nothing)))


@parallel
def _give_back(threads, thread, dy, winners, dx, once, w):
    """One thread's samples. With `once`, every cell of the image lies in exactly one window: what it gets need not be
    added to anything. Without winners, each cell gets an equal share."""
    w = geometry(w)
    lanes, whole = whole_vectors(w.C, dy.itemsize)
    vector, number = zeros(dx), dx.dtype.type(0)
    first, last = share(w.N, threads, thread)
    if not once:
        clear(dx, first * w.H * w.W * w.C, (last - first) * w.H * w.W * w.C)
    for row in range(first * w.OH, last * w.OH):
        for q in range(w.OW):
            cell, name, rows, cols = _on_image(row, q, w)
            at = (row * w.OW + q) * w.C
            for c in range(0, whole, lanes):
                _share_out(dx, cell + c, name, rows, cols, dy, winners, at + c, once, vector, w)
            for c in range(whole, w.C):
                _share_out(dx, cell + c, name, rows, cols, dy, winners, at + c, once, number, w)


@inlined
def _share_out(dx, dx_at, first_name, rows, cols, dy, winners, at, once, nothing, w):
    d, winner = load(dy, at, nothing), spread(0, nothing)
    if len(winners):
        winner = load(winners, at, nothing)
    else:
        d = divide(d, spread(dy.dtype.type(rows * cols), nothing))
    for i in range(rows):
        for j in range(cols):
            cell, mine = dx_at + (i * w.W + j) * w.C, d
            if len(winners):
                mine = where_equal(spread(first_name + i * w.KW + j, nothing), winner, d)
            store(dx, cell, mine if once else add(load(dx, cell, nothing), mine))
