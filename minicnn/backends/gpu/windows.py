"""The indices of im2col and col2im: which pixel an element of a window is, and which windows contain a pixel.

The textbook copies all windows side by side. A kernel computes the address of each element and reads it in place.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..contract import Pair
from ..geometry import output_length, pad_amounts
from .kernels import check_size

WINDOWS = """
struct Windows { int N, H, W, C, OH, OW, KH, KW, SH, SW, top, left; };

// The index of the pixel (n, h, w) at element (i, j) of window (n, p, q); -1 for padding.
__device__ int pixel_under(const Windows& at, int n, int p, int q, int i, int j)
{
    int h = p * at.SH + i - at.top, w = q * at.SW + j - at.left;
    return (unsigned)h < (unsigned)at.H && (unsigned)w < (unsigned)at.W ? (n * at.H + h) * at.W + w : -1;
}

// The windows that contain a position of a padded axis: first, …, last.
struct Range { int first, last; };

__device__ Range windows_over(int position, int window, int stride, int windows)
{
    int first = position < window ? 0 : (position - window) / stride + 1;
    return {first, min(position / stride, windows - 1)};
}
"""

_FIELDS = ("N", "H", "W", "C", "OH", "OW", "KH", "KW", "SH", "SW", "top", "left")
_STRUCT = np.dtype([(field, np.int32) for field in _FIELDS])


class Windows(NamedTuple):
    """The geometry of windows: a structure for the kernels, and the output shape."""

    struct: Any
    """The C structure, passed by value."""
    N: int
    OH: int
    OW: int


@lru_cache(maxsize=1024)
def windows(shape: tuple[int, ...], window: Pair, strides: Pair, padding: str) -> Windows:
    """The windows of an image batch (N, H, W, C)."""
    N, H, W, C = shape
    (KH, KW), (SH, SW) = window, strides
    OH, OW = output_length(H, KH, SH, padding), output_length(W, KW, SW, padding)
    top, left = pad_amounts(H, KH, SH, padding)[0], pad_amounts(W, KW, SW, padding)[0]
    check_size(N * max(H * W, OH * OW))  # pixels and windows are indexed with int, elements with size_t
    return Windows(np.array((N, H, W, C, OH, OW, KH, KW, SH, SW, top, left), _STRUCT)[()], N, OH, OW)
