"""Convolution in groups and with gaps, put together from convolutions of parts of x.

With gaps of D - 1 pixels, a window sees every D-th pixel: D x D images, each with every D-th row and column of x, have
windows without gaps. A group of channels is a convolution of its own. If every group is one channel (a depthwise
convolution), its matrices would have one row: it has a kernel of its own, which takes a pixel's channels side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from ..contract import Array, Pair, Saved
from ..geometry import output_length, pad_amounts, windows
from ..textbook import grouped_conv as textbook
from .conv import conv2d, conv2d_backward
from .executor import geometry
from .gemm.gemm import clear
from .runtime.compile import inlined, parallel, share
from .runtime.threads import small, thread_count
from .runtime.vectors import add, lanes, load, multiply, short_loops, store

Gradients = tuple["Array | None", Array, "Array | None"]

Part = tuple[slice, ...]
"""Samples, rows, columns and channels of an array."""

ALL = slice(None)


def grouped_conv2d(
    x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, dilation_rate: Pair, groups: int
) -> tuple[Array, Saved]:
    """Each group of channels makes its share of the outputs; a window's pixels are DH and DW apart.

    x (N, H, W, C), kernel (KH, KW, C / groups, F), bias (F,) or None -> y (N, OH, OW, F)
    """
    given, C, F = (x, kernel, bias, strides, padding), x.shape[-1], kernel.shape[-1]
    if any(stride > 1 and gap > 1 for stride, gap in zip(strides, dilation_rate, strict=True)):  # Keras refuses it
        y, saved = textbook.grouped_conv2d(*given, dilation_rate, groups)
        return y, (textbook.grouped_conv2d_backward, saved)
    if max(dilation_rate) > 1:
        return _by_pixels(*given, dilation_rate, groups)
    if groups == 1:
        y, saved = conv2d(*given, "linear")
        return y, (conv2d_backward, saved)
    if groups < C:
        D, E = C // groups, F // groups
        channels = [(slice(g * D, (g + 1) * D), slice(g * E, (g + 1) * E)) for g in range(groups)]
        return _in_parts(*given, 1, [((ALL, ALL, ALL, own), (ALL, ALL, ALL, filters)) for own, filters in channels])
    if F > C:  # one output of every channel, then the next one
        every = [slice(output, None, F // C) for output in range(F // C)]
        return _in_parts(*given, C, [((ALL,) * 4, (ALL, ALL, ALL, filters)) for filters in every])
    return _depthwise(*given)


def grouped_conv2d_backward(dy: Array, saved: Saved, need_dx: bool = True) -> Gradients:
    """The gradients of the parts, each in its place.

    dy (N, OH, OW, F) -> dx (N, H, W, C) or None, dkernel (KH, KW, C / groups, F), dbias (F,) or None
    """
    backward, saved = saved
    return backward(dy, saved, need_dx)


def _in_parts(
    x: Array,
    kernel: Array,
    bias: Array | None,
    strides: Pair,
    padding: str,
    groups: int,
    parts: Sequence[tuple[Part, Part]],
    lengths: Sequence[int] | None = None,
) -> tuple[Array, Saved]:
    """y from its parts: of each pair, the second, a part of y, is the convolution of the first, a part of x."""
    if lengths is None:
        lengths = list(map(output_length, x.shape[1:3], kernel.shape, strides, [padding] * 2))
    y, done = np.empty((len(x), *lengths, kernel.shape[-1]), x.dtype), []
    for source, target in parts:
        filters = target[-1]
        own_x, own_kernel = np.ascontiguousarray(x[source]), np.ascontiguousarray(kernel[..., filters])
        own_bias = None if bias is None else np.ascontiguousarray(bias[filters])
        y[target], saved = grouped_conv2d(own_x, own_kernel, own_bias, strides, padding, (1, 1), groups)
        done.append((source, target, saved))
    return y, (_parts_backward, (x.shape, kernel, bias, done))


def _parts_backward(dy: Array, saved: Saved, need_dx: bool) -> Gradients:
    shape, kernel, bias, parts = saved
    dx, dkernel = np.zeros(shape if need_dx else 0, dy.dtype), np.zeros_like(kernel)
    dbias = None if bias is None else np.zeros_like(bias)
    for source, target, own in parts:
        filters = target[-1]
        dpart, dk, db = grouped_conv2d_backward(np.ascontiguousarray(dy[target]), own, need_dx)
        dkernel[..., filters] += dk
        if dbias is not None:
            dbias[filters] += db
        if need_dx:
            dx[source] += dpart
    return dx if need_dx else None, dkernel, dbias


def _by_pixels(
    x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, dilation_rate: Pair, groups: int
) -> tuple[Array, Saved]:
    """The parts are every DH-th row and DW-th column of the padded x and of y."""
    extents = [(window - 1) * gap + 1 for window, gap in zip(kernel.shape[:2], dilation_rate, strict=True)]
    axes = list(zip(x.shape[1:3], extents, strides, strict=True))
    borders, lengths = [pad_amounts(*axis, padding) for axis in axes], [output_length(*axis, padding) for axis in axes]
    firsts = product(*(range(min(gap, length)) for gap, length in zip(dilation_rate, lengths, strict=True)))
    parts = [
        (ALL, *(slice(at, None, gap) for at, gap in zip(first, dilation_rate, strict=True)), ALL) for first in firsts
    ]
    padded = np.pad(x, [(0, 0), *borders, (0, 0)])
    y, saved = _in_parts(padded, kernel, bias, strides, "valid", groups, [(part, part) for part in parts], lengths)
    inside = ALL, *(slice(before, before + axis[0]) for (before, _), axis in zip(borders, axes, strict=True))
    return y, (_pixels_backward, (saved, inside))


def _pixels_backward(dy: Array, saved: Saved, need_dx: bool) -> Gradients:
    of_padded, inside = saved
    dpadded, dkernel, dbias = grouped_conv2d_backward(dy, of_padded, need_dx)
    return None if dpadded is None else np.ascontiguousarray(dpadded[inside]), dkernel, dbias


def _depthwise(x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str) -> tuple[Array, Saved]:
    """y[n, p, q, c] = bias[c] + Σ_ij x[n, p·SH + i, q·SW + j, c] · kernel[i, j, 0, c]."""
    w = windows(x.shape, kernel.shape[:2], x.shape[-1], strides, padding)
    y, start = np.empty((w.N, w.OH, w.OW, w.C), x.dtype), np.zeros(w.C, x.dtype) if bias is None else bias
    _convolve(x.reshape(-1), kernel.reshape(-1), start, y.reshape(-1), np.array(w), alone=small(x))
    return y, (_depthwise_backward, (x, kernel, bias, w))


def _depthwise_backward(dy: Array, saved: Saved, need_dx: bool) -> Gradients:
    x, kernel, bias, w = saved
    dx, sums = np.empty(x.shape if need_dx else 0, x.dtype), np.zeros((thread_count(), kernel.size + w.C))
    _gradients(*(array.reshape(-1) for array in (x, kernel, dy, dx)), sums, np.array(w), alone=small(x))
    dkernel, dbias = np.split(sums.sum(axis=0).astype(x.dtype), [kernel.size])
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
