"""Max pooling: one pass over the samples, the channels of a pixel side by side; winners are kept in a byte each."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .. import textbook
from ..contract import Array, Pair, Saved, Step
from ..geometry import output_length, pad_amounts
from ..textbook import average_pool2d, average_pool2d_backward
from .kernels import compilable, parallel, plain, serial, share, small
from .maximum import largest
from .products import clear
from .stages import Shape, Stage

__all__ = ["average_pool2d", "average_pool2d_backward", "max_pool2d", "max_pool2d_backward"]


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
    _challenge(x.reshape(-1), y.reshape(-1), winners.reshape(-1), y_shape[0] * y_shape[1], sizes, alone=small(x))
    return y, (_backward, (winners, x.shape, pool_size, strides, padding))


def max_pool2d_backward(dy: Array, saved: Saved) -> Array:
    """Only the winner of a window moved y, so it alone gets dy; a cell that won several windows gets the sum.

    dy (N, OH, OW, C) -> dx (N, H, W, C)
    """
    backward, saved = saved
    return backward(dy, saved)


def _backward(dy: Array, saved: Saved) -> Array:
    winners, shape, pool_size, strides, padding = saved
    _, sizes = _geometry(shape, pool_size, strides, padding)
    dx = np.empty(shape, dy.dtype)
    (OH, OW), (KH, KW) = dy.shape[1:3], pool_size
    once = pool_size == strides and shape[1:3] == (OH * KH, OW * KW)
    _scatter(plain(dy).reshape(-1), winners.reshape(-1), dx.reshape(-1), shape[0], once, sizes, alone=small(dx))
    return dx


def stages(samples: int, shape: Shape, itemsize: int, step: Step) -> list[Stage]:
    """max_pool2d in inference, on samples of this shape."""
    H, W, C = (1, *shape)[-3:]
    y_shape, sizes = _geometry((1, H, W, C), *step.options)
    return [Stage(_maxima, y_shape[-len(shape) :], tuple(sizes.tolist()), work=H * W * C)]


@serial
def _maxima(parts, part, x, x_at, y, y_at, count, numbers):
    """A stage: the winners' values without their names. Its parts have some of the output's rows each."""
    H, W, C, OH, OW = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    first, last = share(count * OH, parts, part)
    for row in range(first, last):
        n, p = divmod(row, OH)
        top, bottom = _inside(p * numbers[7] - numbers[9], numbers[5], H)
        for q in range(OW):
            left, right = _inside(q * numbers[8] - numbers[10], numbers[6], W)
            cell = x_at + ((n * H + top) * W + left) * C
            largest(x, cell, bottom - top, W * C, right - left, C, y, y_at + (row * OW + q) * C, C)


@serial
def _inside(start, length, size):
    """The part of a window, along one axis, that lies on the image."""
    return max(start, 0), min(start + length, size)


@lru_cache(maxsize=256)
def _geometry(shape: tuple[int, ...], pool_size: Pair, strides: Pair, padding: str) -> tuple[tuple[int, ...], Array]:
    """The shape of y, and the sizes that the kernels need: H, W, C, OH, OW, KH, KW, SH, SW, top, left."""
    N, H, W, C = shape
    (KH, KW), (SH, SW) = pool_size, strides
    OH, OW = output_length(H, KH, SH, padding), output_length(W, KW, SW, padding)
    top, left = pad_amounts(H, KH, SH, padding)[0], pad_amounts(W, KW, SW, padding)[0]
    return (N, OH, OW, C), np.array([H, W, C, OH, OW, KH, KW, SH, SW, top, left])


@serial
def _cells(n, p, q, sizes, cells, names):
    """Where the window of output pixel (n, p, q) has its cells in the flat x, and their numbers in it -> how many."""
    H, W, C = sizes[0], sizes[1], sizes[2]
    top, left = p * sizes[7] - sizes[9], q * sizes[8] - sizes[10]
    count = 0
    for h in range(max(top, 0), min(top + sizes[5], H)):
        for w in range(max(left, 0), min(left + sizes[6], W)):
            cells[count] = ((n * H + h) * W + w) * C
            names[count] = (h - top) * sizes[6] + w - left
            count += 1
    return count


@parallel
def _challenge(threads, t, x, y, winners, rows, sizes):
    """Cells challenge the best so far, three at a time: NaN beats numbers, and the first of equals stays.

    The rows are those of all output images, one after the other.
    """
    C, OH, OW = sizes[2], sizes[3], sizes[4]
    cells, names = np.empty(sizes[5] * sizes[6] + 3, np.int64), np.empty(sizes[5] * sizes[6] + 3, np.int32)
    first, last = share(rows, threads, t)
    for row in range(first, last):
        n, p = divmod(row, OH)
        for q in range(OW):
            count = _cells(n, p, q, sizes, cells, names)
            cells[count : count + 3] = cells[0]  # the first cell again: it never beats itself
            names[count : count + 3] = names[0]
            at = (row * OW + q) * C
            best, winner = y[at : at + C], winners[at : at + C]
            for i in range(1, max(count, 2), 3):
                _three(x[cells[0] : cells[0] + C] if i == 1 else best, i == 1, names[0], best, winner,
                       x[cells[i] : cells[i] + C], names[i], x[cells[i + 1] : cells[i + 1] + C], names[i + 1],
                       x[cells[i + 2] : cells[i + 2] + C], names[i + 2])  # fmt: skip


@serial
def _three(holder, fresh, name, best, winner, x1, name1, x2, name2, x3, name3):
    for c in range(len(best)):
        top = holder[c]
        who = name if fresh else np.int32(winner[c])
        wins = (not x1[c] <= top) & (top == top)
        top, who = (x1[c] if wins else top), (name1 if wins else who)
        wins = (not x2[c] <= top) & (top == top)
        top, who = (x2[c] if wins else top), (name2 if wins else who)
        wins = (not x3[c] <= top) & (top == top)
        top, who = (x3[c] if wins else top), (name3 if wins else who)
        best[c] = top
        winner[c] = who


@parallel
def _scatter(threads, t, dy, winners, dx, samples, once, sizes):
    """The cells of a window get dy where they were the winner, four at a time.

    With `once`, every cell of the image lies in exactly one window: what it gets need not be added to anything.
    """
    H, W, C, OH, OW = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
    cells, names = np.empty(sizes[5] * sizes[6] + 3, np.int64), np.empty(sizes[5] * sizes[6] + 3, np.int32)
    nobody = np.zeros(3 * C, dx.dtype)  # what is put here, nobody reads
    first, last = share(samples, threads, t)
    for n in range(first, last):
        if not once:
            clear(dx, n * H * W * C, H * W * C)
        for p in range(OH):
            for q in range(OW):
                count = _cells(n, p, q, sizes, cells, names)
                at = ((n * OH + p) * OW + q) * C
                d, winner = dy[at : at + C], winners[at : at + C]
                for i in range(0, count, 4):
                    one = dx[cells[i] : cells[i] + C]
                    two = dx[cells[i + 1] : cells[i + 1] + C] if i + 1 < count else nobody[:C]
                    three = dx[cells[i + 2] : cells[i + 2] + C] if i + 2 < count else nobody[C : 2 * C]
                    four = dx[cells[i + 3] : cells[i + 3] + C] if i + 3 < count else nobody[2 * C :]
                    if once:
                        _get(d, winner, one, names[i], two, names[i + 1], three, names[i + 2], four, names[i + 3])
                    else:
                        _gain(d, winner, one, names[i], two, names[i + 1], three, names[i + 2], four, names[i + 3])


@serial
def _get(dy, winner, dx1, name1, dx2, name2, dx3, name3, dx4, name4):
    nothing = dy.dtype.type(0)
    for c in range(len(dy)):
        d, who = dy[c], np.int32(winner[c])
        dx1[c] = d if who == name1 else nothing
        dx2[c] = d if who == name2 else nothing
        dx3[c] = d if who == name3 else nothing
        dx4[c] = d if who == name4 else nothing


@serial
def _gain(dy, winner, dx1, name1, dx2, name2, dx3, name3, dx4, name4):
    nothing = dy.dtype.type(0)
    for c in range(len(dy)):
        d, who = dy[c], np.int32(winner[c])
        dx1[c] += d if who == name1 else nothing
        dx2[c] += d if who == name2 else nothing
        dx3[c] += d if who == name3 else nothing
        dx4[c] += d if who == name4 else nothing
