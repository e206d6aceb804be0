"""Matrix products whose left factor is never built: its element (m, k) is a[rows[m] + cols[k]], found by two tables.

With rows = where each window starts and cols = where a window's cells lie from there, the left factor is im2col(x),
without the copy. With the two tables exchanged it is im2col(x)ᵀ, which the kernel's gradient needs.
The right factor is cut into panels, each as wide as a tile, so that a tile reads it from end to end.
"""

from __future__ import annotations

import numpy as np

from .runtime.compile import serial
from .tile import ROWS, low_tile, lower_tile, narrow_tile, row_tile, scratch, tile, width


@serial
def panel_count(columns, itemsize):
    """How many panels it takes to hold this many columns."""
    return -(-columns // width(itemsize))


@serial
def pack(b, K, some_rows, F, panels, panels_at):
    """Some rows of b (K, F) into panels (panels, K, width), the last one filled up with zeros."""
    W = width(b.itemsize)
    for panel in range(panel_count(F, b.itemsize)):
        columns = min(W, F - panel * W)
        for k in range(some_rows[0], some_rows[1]):
            at = panels_at + (panel * K + k) * W
            copy(b, k * F + panel * W, panels, at, columns)
            clear(panels, at + columns, W - columns)


@serial
def copy(source, source_at, target, target_at, count):
    """Copy a run of numbers from one flat array to another."""
    one, other = source[source_at : source_at + count], target[target_at : target_at + count]
    for i in range(count):
        other[i] = one[i]


@serial
def clear(target, target_at, count):
    """Zeros in a run of a flat array."""
    some = target[target_at : target_at + count]
    for i in range(count):
        some[i] = 0


@serial
def mask(dy, y, dz):
    """dz = dy where y > 0, else 0: relu's derivative, by its output."""
    for i in range(len(dz)):
        dz[i] = dy[i] * dy.dtype.type(y[i] > 0)


@serial
def add(source, sums):
    """sums += source."""
    for i in range(len(source)):
        sums[i] += source[i]


ONCE = (1, 0, 0, 0)
"""One product, for `multiply` and `accumulate`."""


@serial
def _height(M):
    """How many rows a tile has, so that M rows share out evenly: ROWS, or one or two less."""
    height = -(-M // -(-M // ROWS))
    return height if height >= ROWS - 2 else ROWS


@serial
def multiply(times, a, rows, M, cols, K, b, panel_step, row_step, some_panels, bias, floor, out, out_at, F):
    """out[m, f] = max(bias[f] + Σ_k a[rows[m] + cols[k]] · b[k, f], floor) for m < M and the columns of some panels.

    All arrays are flat, and out (M, F) begins at `out_at`. Row k of panel p begins at b[p · panel_step + k · row_step];
    bias is filled up to whole panels. So for several products of one shape: `times` says how many, and how far it is
    from one to the next in a, in b and in out.
    """
    many, a_step, b_step, out_step = times
    W = width(b.itemsize)
    half = W // 2
    last_rows = scratch(rows)  # the last tile's rows; it computes the last of them more than once
    edge = scratch(out)  # where a tile goes of which not everything is wanted
    height_of_wide, height, whole = _height(M), 0, 0  # no height yet; it changes at most once a product
    for i in range(many):
        left = a[i * a_step :]
        for panel in range(some_panels[0], some_panels[1]):
            first, b_at = panel * W, i * b_step + panel * panel_step
            columns = min(W, F - first)
            expected = height_of_wide if columns > half else ROWS
            if height != expected:
                height, whole = expected, M // expected * expected
                for r in range(ROWS):
                    last_rows[r] = rows[min(whole + r, M - 1)]
            for m in range(0, M, height):
                inside = m < whole
                direct = inside and columns in (W, half)
                at = out_at + i * out_step + m * F + first
                some_rows, row = (rows, m) if inside else (last_rows, 0)
                target, start, stride = (out, at, F) if direct else (edge, 0, W)
                if columns <= half:
                    narrow_tile(left, some_rows, row, cols, 0, K, b, b_at, row_step, bias, first, 0, floor, target,
                                start, stride)  # fmt: skip
                elif height == ROWS:
                    tile(left, some_rows, row, cols, 0, K, b, b_at, row_step, bias, first, 0, floor, target, start,
                         stride)  # fmt: skip
                elif height == ROWS - 1:
                    low_tile(left, some_rows, row, cols, 0, K, b, b_at, row_step, bias, first, 0, floor, target, start,
                             stride)  # fmt: skip
                else:
                    lower_tile(left, some_rows, row, cols, 0, K, b, b_at, row_step, bias, first, 0, floor, target,
                               start, stride)  # fmt: skip
                if not direct:
                    for r in range(min(height, M - m)):
                        copy(edge, r * W, out, at + r * F, columns)


@serial
def multiply_row(a, row, cols, K, b, F, some_panels, bias, floor, out, out_at):
    """The same for one row, M = 1, and b as it lies, two panels at a time -> the first panel that it left over."""
    W = width(b.itemsize)
    panel, last = some_panels
    rows = scratch(cols)
    rows[0] = row
    while panel + 2 <= last:
        first = panel * W
        row_tile(a, rows, 0, cols, 0, K, b, first, F, bias, first, 0, floor, out, out_at + first, F)
        panel += 2
    return panel


@serial
def multiply_edge(a, rows, M, cols, K, b, F, bias, floor, out, out_at):
    """The same for the columns that do not fill a panel, and b as it lies.

    Rows of b are read as wide as a tile: what lies behind their ends means nothing, but the last ones, which have too
    little behind them, are copied.
    """
    W = width(b.itemsize)
    first = F // W * W
    narrow = F - first <= W // 2
    wide = W // 2 if narrow else W
    safe = max(0, min(K - 1, (K * F - first - wide) // F + 1))  # a tile takes at least one step
    last_of_b = np.zeros((K - safe) * W, b.dtype)
    for k in range(safe, K):
        copy(b, k * F + first, last_of_b, (k - safe) * W, F - first)
    some_rows, sums = scratch(rows), scratch(out)
    for m in range(0, M, ROWS):
        for r in range(ROWS):
            some_rows[r] = rows[min(m + r, M - 1)]
            copy(bias, first, sums, r * W, W)
        for rest in range(safe == 0, 2):
            k, steps, limit = (safe, K - safe, floor) if rest else (0, safe, out.dtype.type(-np.inf))
            some_of_b, at, stride = (last_of_b, 0, W) if rest else (b, first, F)
            if narrow:
                narrow_tile(a, some_rows, 0, cols, k, steps, some_of_b, at, stride, sums, 0, W, limit, sums, 0, W)
            else:
                tile(a, some_rows, 0, cols, k, steps, some_of_b, at, stride, sums, 0, W, limit, sums, 0, W)
        for r in range(min(ROWS, M - m)):
            copy(sums, r * W, out, out_at + (m + r) * F + first, F - first)


STEPS = 256  # rows of the right factor that are used at a time: a panel of them stays in the first-level cache


@serial
def accumulate(times, a, rows, cols, M, b, panel_step, out, shape, wanted):
    """out[k, f] += Σ_m a[rows[k] + cols[m]] · b[m, f], m < M and f < wanted; the reduction runs over the windows.

    All arrays are flat. Row m of panel p begins at b[p · panel_step + m · width]; out is of the shape (K, F), its rows
    and the table filled up to whole tiles, its columns to whole panels. `times` as in `multiply`.
    """
    many, a_step, b_step, out_step = times
    W, (K, F) = width(b.itemsize), shape
    no_floor = out.dtype.type(-np.inf)
    for i in range(many):
        left = a[i * a_step :]
        for first in range(0, M, STEPS):
            count = min(STEPS, M - first)
            for panel in range(F // W):
                b_at = i * b_step + panel * panel_step + first * W
                for k in range(0, K, ROWS):
                    at = i * out_step + k * F + panel * W
                    if panel * W + W // 2 < wanted:
                        tile(left, rows, k, cols, first, count, b, b_at, W, out, at, F, no_floor, out, at, F)
                    else:
                        narrow_tile(left, rows, k, cols, first, count, b, b_at, W, out, at, F, no_floor, out, at, F)
