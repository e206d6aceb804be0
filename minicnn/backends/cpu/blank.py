"""Windows of zeros, whose output is the bias to the bit."""

from __future__ import annotations

import numpy as np

from ..contract import Array
from .direct import SIZES, Windows
from .products import copy
from .runtime.compile import parallel, serial, share
from .runtime.numba_internals import to_fixed_tuple


def clear_blank(x: Array, bias: Array | None, relu: bool, y: Array, w: Windows) -> None:
    """Give a window of zeros the bias, to the bit, as a direct sum does.

    Where the bias is 0, on the black ground of an image with fresh biases, rounding must not open relu's mask.
    """
    value = np.zeros(w.F, x.dtype) if bias is None else bias
    value = np.maximum(value, 0) if relu else value
    _clear_blank(x.reshape(-1).view(np.uint32), value, y.reshape(-1), np.array(w))


@parallel
def _clear_blank(threads, part, words, value, y, w):
    """One thread's samples."""
    w = Windows(*to_fixed_tuple(w, SIZES))
    run = len(words) // (w.N * w.H * w.W)
    blank = np.empty((w.H, w.W), np.bool_)
    first, last = share(w.N, threads, part)
    for n in range(first, last):
        blanks = 0
        for h in range(w.H):
            for q in range(w.W):
                blank[h, q] = _all_zero(words, ((n * w.H + h) * w.W + q) * run, run)
                blanks += blank[h, q]
        if blanks == 0:
            continue
        for p in range(w.OH):
            for q in range(w.OW):
                if _is_blank(blank, p - w.top, q - w.left, w):
                    copy(value, 0, y, ((n * w.OH + p) * w.OW + q) * w.F, w.F)


@serial
def _all_zero(words, at, run):
    """Whether all bits but the signs are zero."""
    bits = words[at]
    if bits & np.uint32(0x7FFFFFFF) == 0:  # else the first number has settled it
        for i in range(at + 1, at + run):
            bits |= words[i]
    return bits & np.uint32(0x7FFFFFFF) == 0


@serial
def _is_blank(blank, top, left, w):
    """Whether the window that begins at this pixel holds nothing but zeros."""
    for i in range(max(top, 0), min(top + w.KH, w.H)):
        for j in range(max(left, 0), min(left + w.KW, w.W)):
            if not blank[i, j]:
                return False
    return True
