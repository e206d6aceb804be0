"""Matrix products whose left factor is never stored: its element (m, k) is a[rows[m] + cols[k]], found by two tables.

With rows = where each window begins and cols = where a window's cells lie from there, the left factor is im2col(x), and
im2col(x) is never built: an implicit GEMM. With the tables exchanged it is im2col(x)ᵀ, for the kernel's gradient. The
tables are the indirection buffer of Dukhan, "The Indirect Convolution Algorithm" (2019), offsets in place of pointers.

To read before: the package's docstring, `microkernel`.
"""

from __future__ import annotations

import numpy as np

from ..runtime.compile import inlined, serial, shared
from .microkernel import MR, NR_BYTES, microkernel

KC = 256
"""Rows of B that `multiply_add` uses at a time: KC x NR of them, 32 KB, stay in the first-level cache."""


@shared
def filled_up(columns, itemsize):
    """So many columns, filled up to halves of tiles: all rows of B are as long as that."""
    half = NR_BYTES // 2 // itemsize
    return -(-columns // half) * half


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


@inlined
def multiply(a, a_at, rows, M, cols, K, b, b_at, b_step, start, start_at, start_step, floor, out, out_at, F):
    """out[m, f] = max(start[m, f] + Σ_k a[a_at + rows[m] + cols[k]] · b[k, f], floor) for m < M and f < F.

    All arrays are flat and begin somewhere: b[k, f] = b[b_at + k · b_step + f]; the step of out is F, that of a bias 0.
    Rows of b and start are filled up. The start, if it is a bias, and the floor are the epilogue.
    """
    NR = NR_BYTES // b.itemsize
    edge = out
    if M < MR or F % (NR // 2):
        edge = np.empty(MR * NR, out.dtype)  # for tiles of which not everything is wanted
    if M < MR:
        rows = rows[np.minimum(np.arange(MR), M - 1)]  # the last row several times
    for f in range(0, F, NR):
        columns = min(NR, F - f)
        half = b_step - f <= NR // 2
        direct = M >= MR and columns == (NR // 2 if half else NR)
        target, step = (out, F) if direct else (edge, NR)
        for tile in range(0, M, MR):
            m = max(0, min(tile, M - MR))  # the last tile computes some rows once more
            out_m, start_m = out_at + m * F + f, start_at + m * start_step + f
            microkernel(half, a, a_at, rows, m, cols, K, b, b_at + f, b_step, start, start_m, start_step, floor, target,
                        out_m if direct else 0, step)  # fmt: skip
            if not direct:
                for r in range(min(MR, M)):
                    copy(edge, r * NR, out, out_m + r * F, columns)


@serial
def multiply_add(a, a_at, rows, cols, M, b, b_at, out, out_at, F):
    """out[k, f] += Σ_m a[a_at + rows[k] + cols[m]] · b[m, f]: the sum runs over the M windows.

    As `multiply`, with F filled up and a multiple of MR rows.
    """
    no_floor = out.dtype.type(-np.inf)
    for m in range(0, M, KC):
        multiply(a, a_at, rows, len(rows), cols[m:], min(KC, M - m), b, b_at + m * F, F, out, out_at, F, no_floor, out,
                 out_at, F)  # fmt: skip
