"""im2col and col2im: every window of an image laid out side by side, and the way back.

The two are adjoint linear maps: ⟨im2col(x), c⟩ = ⟨x, col2im(c)⟩ for all x and c. That is why col2im is the backward of
im2col, and why convolution and both poolings need nothing else.
"""

from __future__ import annotations

import numpy as np

from ..contract import Array, Pair
from ..geometry import pad_amounts


def im2col(x: Array, window: Pair, strides: Pair, padding: str, fill: float = 0.0) -> Array:
    """x (N, H, W, C) -> columns (N, OH, OW, KH, KW, C), a view: columns[n, p, q] is the window of output pixel (p, q).

    columns[n, p, q, i, j, c] = padded[n, p·SH + i, q·SW + j, c], where padding cells hold `fill`.
    """
    _, H, W, _ = x.shape
    (KH, KW), (SH, SW) = window, strides
    rows, cols = pad_amounts(H, KH, SH, padding), pad_amounts(W, KW, SW, padding)
    padded = np.pad(x, ((0, 0), rows, cols, (0, 0)), constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(padded, (KH, KW), axis=(1, 2))  # (N, ·, ·, C, KH, KW), stride 1
    return view[:, ::SH, ::SW].transpose(0, 1, 2, 4, 5, 3)  # (N, OH, OW, KH, KW, C)


def col2im(dcolumns: Array, shape: tuple[int, ...], strides: Pair, padding: str) -> Array:
    """dcolumns (N, OH, OW, KH, KW, C) -> dx of `shape` (N, H, W, C): each pixel sums over all windows that contain it.

    dpadded[n, p·SH + i, q·SW + j, c] += dcolumns[n, p, q, i, j, c]
    """
    N, H, W, C = shape
    _, OH, OW, KH, KW, _ = dcolumns.shape
    SH, SW = strides
    (top, bottom), (left, right) = pad_amounts(H, KH, SH, padding), pad_amounts(W, KW, SW, padding)
    dpadded = np.zeros((N, top + H + bottom, left + W + right, C), dcolumns.dtype)
    for i in range(KH):
        for j in range(KW):  # one cell (i, j) of all windows at once: no two windows share it, so += is safe
            dpadded[:, i : i + SH * OH : SH, j : j + SW * OW : SW] += dcolumns[:, :, :, i, j]
    return dpadded[:, top : top + H, left : left + W]
