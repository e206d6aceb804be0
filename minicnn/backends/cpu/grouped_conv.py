"""Convolution in groups and with gaps, put together from ordinary convolutions.

With gaps of D - 1 pixels, a window sees every D-th pixel: D x D images, each with every D-th row and column of x, have
windows without gaps. Several groups of few channels become one convolution, whose kernel has zeros between them: the
matrix of one group would be narrower than a tile of the GEMM, and take as long as a whole tile. If every group is one
channel, a depthwise convolution, matrices do not pay at all: it has a kernel of its own, which takes a pixel's channels
side by side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..contract import Array, Pair, Saved
from ..geometry import output_length, pad_amounts, windows
from ..textbook import grouped_conv as textbook
from .conv import conv2d, conv2d_backward
from .executor import geometry
from .gemm.gemm import clear
from .gemm.microkernel import NR_BYTES
from .runtime.compile import inlined, parallel, share
from .runtime.threads import small, thread_count
from .runtime.vectors import add, lanes, load, multiply, short_loops, store

Gradients = tuple["Array | None", Array, "Array | None"]


def grouped_conv2d(
    x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, dilation_rate: Pair, groups: int
) -> tuple[Array, Saved]:
    """Each group of channels makes its share of the outputs; a window's pixels are DH and DW apart.

    x (N, H, W, C), kernel (KH, KW, C / groups, F), bias (F,) or None -> y (N, OH, OW, F)
    """
    given = x, kernel, bias, strides, padding
    if any(stride > 1 and gap > 1 for stride, gap in zip(strides, dilation_rate, strict=True)):  # Keras refuses it
        y, saved = textbook.grouped_conv2d(*given, dilation_rate, groups)
        return y, (textbook.grouped_conv2d_backward, saved)
    if max(dilation_rate) > 1:
        return _dilated(*given, dilation_rate, groups)
    return _depthwise(*given) if groups == x.shape[-1] > 1 else _in_groups(*given, groups)


def grouped_conv2d_backward(dy: Array, saved: Saved, need_dx: bool = True) -> Gradients:
    """The gradients of the convolutions that the forward was put together from.

    dy (N, OH, OW, F) -> dx (N, H, W, C) or None, dkernel (KH, KW, C / groups, F), dbias (F,) or None
    """
    backward, saved = saved
    return backward(dy, saved, need_dx)


def _dilated(
    x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, gaps: Pair, groups: int
) -> tuple[Array, Saved]:
    """A convolution without gaps of all the images of every DH-th row and DW-th column, as one batch."""
    extents = [(window - 1) * gap + 1 for window, gap in zip(kernel.shape[:2], gaps, strict=True)]
    axes = list(zip(x.shape[1:3], extents, strides, strict=True))
    OH, OW = (output_length(*axis, padding) for axis in axes)
    (top, bottom), (left, right) = (pad_amounts(*axis, padding) for axis in axes)
    bottom += -(top + x.shape[1] + bottom) % gaps[0]  # to a whole number of rows for each part
    right += -(left + x.shape[2] + right) % gaps[1]
    parts = _space_to_batch(np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0))), gaps)
    y, saved = grouped_conv2d(parts, kernel, bias, strides, "valid", (1, 1), groups)
    y = _batch_to_space(y, gaps)
    inside = slice(None), slice(top, top + x.shape[1]), slice(left, left + x.shape[2])
    return np.ascontiguousarray(y[:, :OH, :OW]), (_dilated_backward, (saved, y.shape, gaps, inside))


def _dilated_backward(dy: Array, saved: Saved, need_dx: bool) -> Gradients:
    saved, shape, gaps, inside = saved
    whole = np.zeros(shape, dy.dtype)
    whole[:, : dy.shape[1], : dy.shape[2]] = dy
    dparts, dkernel, dbias = grouped_conv2d_backward(_space_to_batch(whole, gaps), saved, need_dx)
    dx = None if dparts is None else np.ascontiguousarray(_batch_to_space(dparts, gaps)[inside])
    return dx, dkernel, dbias


def _space_to_batch(x: Array, gaps: Pair) -> Array:
    """x (N, DH · h, DW · w, C) -> (DH · DW · N, h, w, C): every DH-th row and DW-th column is an image."""
    (N, H, W, C), (DH, DW) = x.shape, gaps
    parts = x.reshape(N, H // DH, DH, W // DW, DW, C).transpose(2, 4, 0, 1, 3, 5)
    return np.ascontiguousarray(parts).reshape(DH * DW * N, H // DH, W // DW, C)


def _batch_to_space(x: Array, gaps: Pair) -> Array:
    """The reverse of `_space_to_batch`."""
    (N, h, w, C), (DH, DW) = x.shape, gaps
    whole = x.reshape(DH, DW, N // (DH * DW), h, w, C).transpose(2, 3, 0, 4, 1, 5)
    return np.ascontiguousarray(whole).reshape(N // (DH * DW), DH * h, DW * w, C)


def _in_groups(
    x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, groups: int
) -> tuple[Array, Saved]:
    """One convolution for as many groups as fill a tile of the GEMM.

    An infinite number or NaN in one of these groups also reaches the others: its product with a zero is NaN.
    """
    D, E = kernel.shape[2], kernel.shape[3] // groups
    some = next((n for n in range(1, groups) if groups % n == 0 and n * E * x.itemsize >= NR_BYTES), groups)
    outputs, parts = [], []
    for first in range(0, groups, some):
        own, filters = (slice(first * size, (first + some) * size) for size in (D, E))
        weights = _diagonal(kernel[..., filters], some), None if bias is None else np.ascontiguousarray(bias[filters])
        y, saved = conv2d(np.ascontiguousarray(x[..., own]), *weights, strides, padding, "linear")
        outputs.append(y)
        parts.append((filters, saved))
    return _side_by_side(outputs), (_in_groups_backward, (parts, some))


def _in_groups_backward(dy: Array, saved: Saved, need_dx: bool) -> Gradients:
    parts, some = saved
    gradients = [conv2d_backward(np.ascontiguousarray(dy[..., filters]), own, need_dx) for filters, own in parts]
    dx, dkernels, dbiases = zip(*gradients, strict=True)
    dkernel = _side_by_side([_blocks(dkernel, some) for dkernel in dkernels])
    return _side_by_side(dx) if need_dx else None, dkernel, None if dbiases[0] is None else _side_by_side(dbiases)


def _side_by_side(arrays: Sequence[Array]) -> Array:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=-1)


def _diagonal(kernel: Array, groups: int) -> Array:
    """The kernel of groups, (KH, KW, D, F), as one of all channels, (KH, KW, groups · D, F): zeros between them."""
    KH, KW, D, F = kernel.shape
    whole = np.zeros((KH, KW, groups, D, groups, F // groups), kernel.dtype)
    for g, own in enumerate(np.split(kernel, groups, axis=-1)):
        whole[:, :, g, :, g] = own
    return whole.reshape(KH, KW, groups * D, F)


def _blocks(dkernel: Array, groups: int) -> Array:
    """Of the gradient of such a kernel, (KH, KW, groups · D, F), that of the groups, (KH, KW, D, F)."""
    KH, KW, C, F = dkernel.shape
    whole = dkernel.reshape(KH, KW, groups, C // groups, groups, F // groups)
    return _side_by_side([whole[:, :, g, :, g] for g in range(groups)])


def _depthwise(x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str) -> tuple[Array, Saved]:
    """y[n, p, q, c] = bias[c] + Σ_ij x[n, p·SH + i, q·SW + j, c] · kernel[i, j, 0, c], with each channel of x repeated
    for each of its outputs."""
    KH, KW, _, F = kernel.shape
    outputs = F // x.shape[-1]
    x = x if outputs == 1 else np.repeat(x, outputs, axis=-1)
    w = windows(x.shape, (KH, KW), F, strides, padding)
    y, start = np.empty((w.N, w.OH, w.OW, F), x.dtype), np.zeros(F, x.dtype) if bias is None else bias
    _convolve(x.reshape(-1), kernel.reshape(-1), start, y.reshape(-1), np.array(w), alone=small(x))
    return y, (_depthwise_backward, (x, kernel, bias, outputs, w))


def _depthwise_backward(dy: Array, saved: Saved, need_dx: bool) -> Gradients:
    x, kernel, bias, outputs, w = saved
    dx, sums = np.empty(x.shape if need_dx else 0, x.dtype), np.zeros((thread_count(), kernel.size + w.C))
    _gradients(*(array.reshape(-1) for array in (x, kernel, dy, dx)), sums, np.array(w), alone=small(x))
    dkernel, dbias = np.split(sums.sum(axis=0).astype(x.dtype), [kernel.size])
    if need_dx and outputs > 1:
        dx = dx.reshape(*x.shape[:3], -1, outputs).sum(axis=-1)
    return dx if need_dx else None, dkernel.reshape(kernel.shape), None if bias is None else dbias


@parallel
def _convolve(threads, thread, x, kernel, bias, y, w):
    """One thread's rows of outputs."""
    short_loops()
    w = geometry(w)
    first, last = share(w.N * w.OH, threads, thread)
    for row in range(first, last):
        n, p = divmod(row, w.OH)
        for q in range(w.OW):
            top, left = p * w.SH - w.top, q * w.SW - w.left
            for c in range(0, w.C, lanes(x)):
                total = load(bias, c, w.C - c)
                for i in range(max(0, -top), min(w.KH, w.H - top)):
                    for j in range(max(0, -left), min(w.KW, w.W - left)):
                        pixel = load(x, ((n * w.H + top + i) * w.W + left + j) * w.C + c, w.C - c)
                        total = add(total, multiply(pixel, load(kernel, (i * w.KW + j) * w.C + c, w.C - c)))
                store(y, (row * w.OW + q) * w.C + c, w.C - c, total)


@parallel
def _gradients(threads, thread, x, kernel, dy, dx, sums, w):
    """One thread's samples. dkernel and, behind it, dbias are added up image by image, so that few digits are lost."""
    short_loops()
    w, need_dx = geometry(w), len(dx) > 0
    of_image = np.empty(len(kernel) + w.C, x.dtype)
    first, last = share(w.N, threads, thread)
    for n in range(first, last):
        clear(of_image, 0, len(of_image))
        if need_dx:
            clear(dx, n * w.H * w.W * w.C, w.H * w.W * w.C)
        for p in range(w.OH):
            for q in range(w.OW):
                top, left = p * w.SH - w.top, q * w.SW - w.left
                for c in range(0, w.C, lanes(x)):
                    gradient, b = load(dy, ((n * w.OH + p) * w.OW + q) * w.C + c, w.C - c), len(kernel) + c
                    store(of_image, b, w.C - c, add(load(of_image, b, w.C - c), gradient))
                    for i in range(max(0, -top), min(w.KH, w.H - top)):
                        for j in range(max(0, -left), min(w.KW, w.W - left)):
                            at, k = ((n * w.H + top + i) * w.W + left + j) * w.C + c, (i * w.KW + j) * w.C + c
                            _add_product(of_image, k, gradient, x, at, w.C - c)
                            if need_dx:
                                _add_product(dx, at, gradient, kernel, k, w.C - c)
        for k in range(len(of_image)):
            sums[thread, k] += of_image[k]


@inlined
def _add_product(total, total_at, vector, other, other_at, count):
    """total += vector · other, of `count` numbers."""
    product = multiply(vector, load(other, other_at, count))
    store(total, total_at, count, add(load(total, total_at, count), product))
