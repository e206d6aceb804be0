"""Matrix products whose left factor is never built: its element (m, k) is a[rows[m] + cols[k]], found by two tables.

With rows = where each window starts and cols = where a window's cells lie from there, the left factor is im2col(x),
without the copy. With the two tables exchanged it is im2col(x)ᵀ, which the kernel's gradient needs.
The right factor is cut into panels, each as wide as a tile, so that a tile reads it from end to end.
"""

from __future__ import annotations

import numpy as np

from .kernels import serial
from .tile import ROWS, low_tile, lower_tile, narrow_tile, row_tile, tile, width


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


@serial
def _height(M):
    """How many rows a tile has, so that M rows share out evenly: ROWS, or one or two less."""
    height = -(-M // -(-M // ROWS))
    return height if height >= ROWS - 2 else ROWS


@serial
def multiply(a, rows, M, cols, K, b, panel_step, row_step, some_panels, bias, floor, out, out_at, F):
    """out[m, f] = max(bias[f] + Σ_k a[rows[m] + cols[k]] · b[k, f], floor) for m < M and the columns of some panels.

    All arrays are flat, and out (M, F) begins at `out_at`. Row k of panel p begins at b[p · panel_step + k · row_step];
    bias is filled up to whole panels.
    """
    W = width(b.itemsize)
    half = W // 2
    last_rows = np.empty(ROWS, rows.dtype)  # the last tile's rows; it computes the last of them more than once
    edge = np.empty(ROWS * W, out.dtype)  # where a tile goes of which not everything is wanted
    for panel in range(some_panels[0], some_panels[1]):
        first, b_at = panel * W, panel * panel_step
        columns = min(W, F - first)
        height = _height(M) if columns > half else ROWS
        whole = M // height * height
        for r in range(ROWS):
            last_rows[r] = rows[min(whole + r, M - 1)]
        for m in range(0, M, height):
            inside = m < whole
            direct = inside and columns in (W, half)
            at = out_at + m * F + first
            some_rows, row = (rows, m) if inside else (last_rows, 0)
            target, start, stride = (out, at, F) if direct else (edge, 0, W)
            if columns <= half:
                narrow_tile(a, some_rows, row, cols, 0, K, b, b_at, row_step, bias, first, 0, floor, target, start,
                            stride)  # fmt: skip
            elif height == ROWS:
                tile(a, some_rows, row, cols, 0, K, b, b_at, row_step, bias, first, 0, floor, target, start, stride)
            elif height == ROWS - 1:
                low_tile(a, some_rows, row, cols, 0, K, b, b_at, row_step, bias, first, 0, floor, target, start, stride)
            else:
                lower_tile(a, some_rows, row, cols, 0, K, b, b_at, row_step, bias, first, 0, floor, target, start,
                           stride)  # fmt: skip
            if not direct:
                for r in range(min(height, M - m)):
                    copy(edge, r * W, out, at + r * F, columns)


@serial
def multiply_row(a, row, cols, K, b, F, some_panels, bias, floor, out, out_at):
    """The same for one row, M = 1, and b as it lies, two panels at a time -> the first panel that it left over."""
    W = width(b.itemsize)
    panel, last = some_panels
    rows = np.empty(1, cols.dtype)
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
    some_rows, sums = np.empty(ROWS, rows.dtype), np.empty(ROWS * W, out.dtype)
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
def accumulate(a, rows, cols, M, panels, out, wanted):
    """out[k, f] += Σ_m a[rows[k] + cols[m]] · b[m, f], m < M and f < wanted; the reduction runs over the windows.

    panels (panels, ·, width) hold b; out (rows, panels · width), its rows and the table filled up to whole tiles.
    """
    W = panels.shape[2]
    K, F = out.shape
    b, flat = panels.reshape(-1), out.reshape(-1)
    no_floor = flat.dtype.type(-np.inf)
    for first in range(0, M, STEPS):
        steps = min(STEPS, M - first)
        for panel in range(panels.shape[0]):
            b_at = (panel * panels.shape[1] + first) * W
            for k in range(0, K, ROWS):
                at = k * F + panel * W
                if panel * W + W // 2 < wanted:
                    tile(a, rows, k, cols, first, steps, b, b_at, W, flat, at, F, no_floor, flat, at, F)
                else:
                    narrow_tile(a, rows, k, cols, first, steps, b, b_at, W, flat, at, F, no_floor, flat, at, F)
