"""Matrix products whose left factor is never built: its element (m, k) is a[rows[m] + cols[k]], found by two tables.

With rows = where each window starts and cols = where a window's cells lie from there, the left factor is im2col(x),
without the copy. With the two tables exchanged it is im2col(x)ᵀ, which the kernel's gradient needs.
The right factor is cut into panels, each as wide as a tile, so that a tile reads it from end to end.
"""

from __future__ import annotations

import numpy as np

from ..contract import Array
from .kernels import parallel, serial, share, small
from .tile import ROWS, tile, width


@serial
def panel_count(columns, itemsize):
    """How many panels it takes to hold this many columns."""
    return -(-columns // width(itemsize))


def pack(b: Array, K: int, F: int) -> Array:
    """b (K, F), flat -> panels (panels, K, width), the last one filled up with zeros."""
    panels = np.empty((-(-F // width(b.itemsize)), K, width(b.itemsize)), b.dtype)
    _pack(b, K, F, panels.reshape(-1), alone=small(b))
    return panels


@parallel
def _pack(threads, part, b, K, F, panels):
    W = width(b.itemsize)
    first, last = share(K, threads, part)
    for panel in range(panel_count(F, b.itemsize)):
        columns = min(W, F - panel * W)
        for k in range(first, last):
            at = (panel * K + k) * W
            copy(b, k * F + panel * W, panels, at, columns)
            panels[at + columns : at + W] = 0


@serial
def copy(source, source_at, target, target_at, count):
    """Copy a run of numbers from one flat array to another."""
    one, other = source[source_at : source_at + count], target[target_at : target_at + count]
    for i in range(count):
        other[i] = one[i]


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
def multiply(a, rows, M, cols, panels, some_panels, bias, floor, out, out_at, F):
    """out[m, f] = max(bias[f] + Σ_k a[rows[m] + cols[k]] · b[k, f], floor) for m < M and the columns of some panels.

    a and out (M, F) are flat, out begins at `out_at`; panels = pack(b), bias filled up to whole panels.
    """
    K, W = panels.shape[1], panels.shape[2]
    b = panels.reshape(-1)
    whole = M // ROWS * ROWS
    last_rows = np.empty(ROWS, rows.dtype)  # the last tile's rows; it computes the last of them more than once
    for r in range(ROWS):
        last_rows[r] = rows[min(whole + r, M - 1)]
    edge = np.empty(ROWS * W, out.dtype)  # where a tile goes of which not everything is wanted
    for panel in range(some_panels[0], some_panels[1]):
        first = panel * W
        columns = min(W, F - first)
        for m in range(0, M, ROWS):
            inside = m < whole
            direct = inside and columns == W
            at = out_at + m * F + first
            tile(a, rows if inside else last_rows, m if inside else 0, cols, 0, K, b, first * K, W, bias, first, 0,
                 floor, out if direct else edge, at if direct else 0, F if direct else W)  # fmt: skip
            if not direct:
                for r in range(min(ROWS, M - m)):
                    copy(edge, r * W, out, at + r * F, columns)


STEPS = 256  # rows of the right factor that are used at a time: a panel of them stays in the first-level cache


@serial
def accumulate(a, rows, cols, M, panels, out):
    """out[k, f] += Σ_m a[rows[k] + cols[m]] · b[m, f], m < M; the reduction runs over the windows.

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
                tile(a, rows, k, cols, first, steps, b, b_at, W, flat, at, F, no_floor, flat, at, F)
