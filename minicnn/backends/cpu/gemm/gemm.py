"""Matrix products whose left factor is never stored: its element (m, k) is a[rows[m] + cols[k]], found by two tables.

With rows = where each window begins and cols = where a window's cells lie from there, the left factor is im2col(x), and
im2col(x) is never built: an implicit GEMM. With the tables exchanged it is im2col(x)ᵀ, for the kernel's gradient. The
tables are the indirection buffer of Dukhan, "The Indirect Convolution Algorithm" (2019), offsets in place of pointers.

To read before: the package's docstring, `microkernel`.
"""

from __future__ import annotations

import numpy as np

from ..runtime.compile import serial
from .microkernel import MR, NR, half_microkernel, microkernel, tile_buffer

KC = 256
"""Rows of B that `multiply_add` uses at a time: a micropanel of them, 32 KB, stays in the first-level cache."""


@serial
def panel_count(columns, itemsize):
    """How many micropanels it takes to hold so many columns."""
    return -(-columns // NR(itemsize))


@serial
def fits_half(columns, itemsize):
    """Whether so many columns fit into half a micropanel."""
    return columns <= NR(itemsize) // 2


@serial
def pack(b, K, F, first_panel, packed, packed_at):
    """b (K, F) from column first_panel · NR on -> micropanels (panels, K, NR), the last one filled up with zeros."""
    W = NR(b.itemsize)
    for panel in range(first_panel, panel_count(F, b.itemsize)):
        columns = min(W, F - panel * W)
        for k in range(K):
            at = packed_at + ((panel - first_panel) * K + k) * W
            copy(b, k * F + panel * W, packed, at, columns)
            clear(packed, at + columns, W - columns)


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
def multiply(a, a_at, rows, M, cols, K, b, b_at, panel_step, row_step, panels, bias, floor, out, out_at, F):
    """out[m, f] = max(bias[f] + Σ_k a[a_at + rows[m] + cols[k]] · b[k, f], floor) for m < M and some panels' columns.

    All arrays are flat, and out (M, F) begins at `out_at`. Row k of panel p is b[b_at + p · panel_step + k · row_step]:
    packed, or B as it is stored. bias is filled up to whole panels; it and the floor are the epilogue.
    """
    W = NR(b.itemsize)
    last_rows = tile_buffer(rows)  # of the last tile, which computes the last row more than once
    edge = tile_buffer(out)  # a tile of which not everything is wanted
    whole = M // MR * MR
    for r in range(MR):
        last_rows[r] = rows[min(whole + r, M - 1)]
    for panel in range(panels[0], panels[1]):
        first, panel_at = panel * W, b_at + panel * panel_step
        columns = min(W, F - first)
        half = fits_half(columns, b.itemsize)
        for m in range(0, M, MR):
            inside = m < whole
            direct = inside and columns == (W // 2 if half else W)
            at = out_at + m * F + first
            some_rows, row = (rows, m) if inside else (last_rows, 0)
            target, start, stride = (out, at, F) if direct else (edge, 0, W)
            if half:
                half_microkernel(a, a_at, some_rows, row, cols, 0, K, b, panel_at, row_step, bias, first, 0, floor,
                                 target, start, stride)  # fmt: skip
            else:
                microkernel(a, a_at, some_rows, row, cols, 0, K, b, panel_at, row_step, bias, first, 0, floor,
                            target, start, stride)  # fmt: skip
            if not direct:
                for r in range(min(MR, M - m)):
                    copy(edge, r * W, out, at + r * F, columns)


@serial
def multiply_add(a, a_at, rows, K, cols, M, b, b_at, panel_step, out, out_at, F):
    """out[k, f] += Σ_m a[a_at + rows[k] + cols[m]] · b[m, f] for k < K and f < F: the sum runs over the windows.

    All arrays are flat. Row m of panel p is b[b_at + p · panel_step + m · NR]. The table `rows` and the rows of out are
    filled up to a multiple of MR, out's columns to whole panels.
    """
    W = NR(b.itemsize)
    panels = panel_count(F, b.itemsize)
    no_floor = out.dtype.type(-np.inf)
    for first in range(0, M, KC):
        steps = min(KC, M - first)
        for panel in range(panels):
            panel_at = b_at + panel * panel_step + first * W
            half = fits_half(F - panel * W, b.itemsize)
            for k in range(0, K, MR):
                at = out_at + (k * panels + panel) * W
                if half:
                    half_microkernel(a, a_at, rows, k, cols, first, steps, b, panel_at, W, out, at, panels * W,
                                     no_floor, out, at, panels * W)  # fmt: skip
                else:
                    microkernel(a, a_at, rows, k, cols, first, steps, b, panel_at, W, out, at, panels * W,
                                no_floor, out, at, panels * W)  # fmt: skip
