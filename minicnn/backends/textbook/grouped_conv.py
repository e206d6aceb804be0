"""Convolution in groups of channels, and with gaps in the window: the general form of `conv.py`."""

from __future__ import annotations

import numpy as np

from ..contract import Array, Pair, Saved
from ..geometry import pad_amounts


def grouped_conv2d(
    x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, dilation_rate: Pair, groups: int
) -> tuple[Array, Saved]:
    """Each of G groups of D = C / G input channels makes F / G outputs; the window's pixels are DH and DW apart.

    y[n, p, q, g, f] = bias[g, f] + Σ_ijd x[n, p·SH + i·DH, q·SW + j·DW, g, d] · kernel[i, j, d, g, f]

    x (N, H, W, C), kernel (KH, KW, D, F), bias (F,) or None -> y (N, OH, OW, F)
    """
    KH, KW, D, F = kernel.shape
    columns = dilated_windows(x, (KH, KW), strides, padding, dilation_rate)  # (N, OH, OW, KH, KW, C)
    N, OH, OW = columns.shape[:3]
    columns = columns.reshape(N, OH, OW, KH, KW, groups, D)
    y = np.einsum("npqijgd,ijdgf->npqgf", columns, kernel.reshape(KH, KW, D, groups, F // groups), optimize=True)
    y = np.ascontiguousarray(y).reshape(N, OH, OW, F)
    if bias is not None:
        y = y + bias
    return y, (x, kernel, bias, strides, padding, dilation_rate, groups)


def grouped_conv2d_backward(dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
    """The same sum, differentiated with respect to each factor; the windows' gradients are added up where they overlap.

    dy (N, OH, OW, F) -> dx (N, H, W, C) or None, dkernel (KH, KW, D, F), dbias (F,) or None
    """
    x, kernel, bias, strides, padding, dilation_rate, groups = saved
    KH, KW, D, F = kernel.shape
    N, OH, OW, _ = dy.shape
    dz = dy.reshape(N, OH, OW, groups, F // groups)
    columns = dilated_windows(x, (KH, KW), strides, padding, dilation_rate).reshape(N, OH, OW, KH, KW, groups, D)
    dkernel = np.einsum("npqijgd,npqgf->ijdgf", columns, dz, optimize=True).reshape(kernel.shape)
    dbias = None if bias is None else dy.sum(axis=(0, 1, 2))
    if not need_dx:
        return None, dkernel, dbias
    parts = kernel.reshape(KH, KW, D, groups, F // groups)
    dcolumns = np.einsum("npqgf,ijdgf->npqijgd", dz, parts, optimize=True).reshape(N, OH, OW, KH, KW, groups * D)
    return sum_of_windows(dcolumns, x.shape, strides, padding, dilation_rate), dkernel, dbias


def dilated_windows(x: Array, window: Pair, strides: Pair, padding: str, dilation_rate: Pair) -> Array:
    """As im2col: x (N, H, W, C) -> columns (N, OH, OW, KH, KW, C), every DH-th row and DW-th column of each window."""
    (KH, KW), (SH, SW), (DH, DW) = window, strides, dilation_rate
    extent = (KH - 1) * DH + 1, (KW - 1) * DW + 1
    rows, cols = (pad_amounts(*axis, padding) for axis in zip(x.shape[1:3], extent, strides, strict=True))
    padded = np.pad(x, ((0, 0), rows, cols, (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(padded, extent, axis=(1, 2))  # (N, ·, ·, C, extent)
    return view[:, ::SH, ::SW, :, ::DH, ::DW].transpose(0, 1, 2, 4, 5, 3)


def sum_of_windows(dcolumns: Array, shape: tuple[int, ...], strides: Pair, padding: str, dilation_rate: Pair) -> Array:
    """As col2im, the adjoint of `dilated_windows`: each pixel sums over all windows that contain it."""
    N, H, W, C = shape
    _, OH, OW, KH, KW, _ = dcolumns.shape
    (SH, SW), (DH, DW) = strides, dilation_rate
    top, bottom = pad_amounts(H, (KH - 1) * DH + 1, SH, padding)
    left, right = pad_amounts(W, (KW - 1) * DW + 1, SW, padding)
    dpadded = np.zeros((N, top + H + bottom, left + W + right, C), dcolumns.dtype)
    for i in range(KH):
        for j in range(KW):
            row, column = i * DH, j * DW
            dpadded[:, row : row + SH * OH : SH, column : column + SW * OW : SW] += dcolumns[:, :, :, i, j]
    return dpadded[:, top : top + H, left : left + W]
