"""Matrix products whose left factor is never built: its element (m, k) is a[rows[m] + cols[k]], found by two tables.

With rows = where each window starts and cols = where a window's cells lie from there, the left factor is im2col(x),
without the copy. With the two tables exchanged it is im2col(x)ᵀ, which the kernel's gradient needs.
The right factor is cut into panels, each as wide as a tile, so that a tile reads it from end to end.
"""

from __future__ import annotations

import numpy as np

from .kernels import serial
from .tile import ROWS, tile, width


@serial
def panel_count(columns, itemsize):
    """How many panels it takes to hold this many columns."""
    return -(-columns // width(itemsize))


@serial
def pack(b, K, F):
    """b (K, F), flat -> panels (panels, K, width), the last one filled up with zeros."""
    W = width(b.itemsize)
    panels = np.zeros((panel_count(F, b.itemsize), K, W), b.dtype)
    for panel in range(panels.shape[0]):
        first = panel * W
        columns = min(W, F - first)
        for k in range(K):
            for f in range(columns):
                panels[panel, k, f] = b[k * F + first + f]
    return panels


@serial
def multiply(a, rows, M, cols, panels, first_panel, last_panel, bias, floor, out, F):
    """out[m, f] = max(bias[f] + Σ_k a[rows[m] + cols[k]] · b[k, f], floor) for m < M and the columns of some panels.

    out (M, F) and a flat, panels = pack(b), bias filled up to whole panels.
    """
    K, W = panels.shape[1], panels.shape[2]
    whole = M // ROWS * ROWS
    last_rows = np.empty(ROWS, rows.dtype)  # the last tile's rows; it computes the last of them more than once
    for r in range(ROWS):
        last_rows[r] = rows[min(whole + r, M - 1)]
    edge = np.empty(ROWS * W, out.dtype)  # where a tile goes of which not everything is wanted
    for panel in range(first_panel, last_panel):
        first = panel * W
        columns = min(W, F - first)
        b = panels[panel].reshape(-1)
        start = bias[first:]
        for m in range(0, M, ROWS):
            tile_rows = rows[m:] if m < whole else last_rows
            if m < whole and columns == W:
                tile(a, tile_rows, cols, K, b, W, start, 0, floor, out[m * F + first :], F)
                continue
            tile(a, tile_rows, cols, K, b, W, start, 0, floor, edge, W)
            for r in range(min(ROWS, M - m)):
                for f in range(columns):
                    out[(m + r) * F + first + f] = edge[r * W + f]


STEPS = 256  # rows of the right factor that are used at a time: a panel of them stays in the first-level cache


@serial
def accumulate(a, rows, cols, M, panels, out):
    """out[k, f] += Σ_m a[rows[k] + cols[m]] · b[m, f], m < M; the reduction runs over the windows.

    panels (panels, ·, width) hold b; out (rows, panels · width), its rows and the table filled up to whole tiles.
    """
    W = panels.shape[2]
    K, F = out.shape
    flat = out.reshape(-1)
    nothing = flat.dtype.type(-np.inf)
    for first in range(0, M, STEPS):
        steps = min(STEPS, M - first)
        for panel in range(panels.shape[0]):
            b = panels[panel].reshape(-1)[first * W :]
            for k in range(0, K, ROWS):
                block = flat[k * F + panel * W :]
                tile(a, rows[k:], cols[first:], steps, b, W, block, F, nothing, block, F)
