"""Convolution without im2col: the tables of `products.py` find each window's cells where they are.

The samples are shared out among the threads, and each thread takes a few samples at a time, a block that stays in its
second-level cache: it pads them, multiplies, and applies bias and ReLU before the sums leave the registers. The
backward takes the same blocks. There dx is a convolution too: of dz, spread out by the strides, with the kernel turned
by 180° and its channels and filters exchanged.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import prange

from .. import textbook
from ..contract import Array, Pair, Saved
from ..geometry import output_length, pad_amounts
from ..textbook.activations import activate, activate_backward
from .kernels import compilable, parallel, plain, serial, share
from .products import accumulate, multiply, pack, panel_count
from .tile import ROWS, width

CACHE_BYTES = 256 * 1024
"""What a block of samples may take: half of the second-level cache of an older CPU."""


class Windows(NamedTuple):
    """Where the windows lie; the letters of the contract, HP x WP the padded image."""

    N: int
    H: int
    W: int
    C: int
    KH: int
    KW: int
    F: int
    SH: int
    SW: int
    OH: int
    OW: int
    top: int
    left: int
    HP: int
    WP: int


def conv2d(
    x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, activation: str
) -> tuple[Array, Saved]:
    """Slide F kernels over the image: y = activation(im2col(x) · kernel + bias).

    x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) or None -> y (N, OH, OW, F)
    """
    if not compilable(x, kernel, bias):
        return textbook.conv2d(x, kernel, bias, strides, padding, activation)
    x, kernel = plain(x), plain(kernel)
    w = _windows(x.shape, kernel.shape, strides, padding)
    K = w.KH * w.KW * w.C
    block = _block_samples(w.N, w.HP * w.WP * w.C * x.itemsize)
    panels = pack(kernel.reshape(-1), K, w.F)
    padded_bias = np.zeros(panels.shape[0] * width(x.itemsize), x.dtype)
    if bias is not None:
        padded_bias[: w.F] = bias
    floor = x.dtype.type(0 if activation == "relu" else -np.inf)
    y = np.empty((w.N, w.OH, w.OW, w.F), x.dtype)
    _forward(x.reshape(-1), panels, padded_bias, floor, y.reshape(-1), _pixels(w, block), _taps(w), block, w)
    if activation != "relu":
        y = activate(y, activation)
    return y, (x, kernel, bias, y, strides, padding, activation)


def conv2d_backward(
    dy: Array, saved: Saved, need_dx: bool = True
) -> tuple[Array | None, Array, Array | None]:
    """With dz = dy · activation′: dkernel = im2col(x)ᵀ · dz, dbias = Σ dz, dx = im2col(dz) · kernel turned around.

    dy (N, OH, OW, F) -> dx (N, H, W, C) or None, dkernel (KH, KW, C, F), dbias (F,) or None
    """
    x, kernel, bias, y, strides, padding, activation = saved
    if not compilable(dy, x, kernel):
        return textbook.conv2d_backward(dy, saved, need_dx)
    if activation != "relu":
        dy = activate_backward(dy, y, activation)
    dy = plain(dy)
    w = _windows(x.shape, kernel.shape, strides, padding)
    v = _turned(w)
    block = _block_samples(
        w.N, (w.HP * w.WP * w.C + w.OH * w.OW * w.F + need_dx * v.HP * v.WP * v.C) * x.itemsize
    )
    dkernel, dbias = np.empty_like(kernel), np.empty(w.F, x.dtype)
    dx = np.empty(x.shape if need_dx else 0, x.dtype)
    _backward(
        x.reshape(-1), kernel.reshape(-1), dy.reshape(-1), y.reshape(-1), activation == "relu", need_dx,
        dx.reshape(-1), dkernel.reshape(-1, w.F), dbias,
        _whole_tiles(_taps(w)), _pixels(w, block), _pixels(v, block), _taps(v), block, w, v,
    )  # fmt: skip
    return dx if need_dx else None, dkernel, None if bias is None else dbias


@lru_cache(maxsize=256)
def _windows(shape: tuple[int, ...], kernel: tuple[int, ...], strides: Pair, padding: str) -> Windows:
    N, H, W, C = shape
    KH, KW, _, F = kernel
    SH, SW = strides
    (top, bottom), (left, right) = pad_amounts(H, KH, SH, padding), pad_amounts(W, KW, SW, padding)
    OH, OW = output_length(H, KH, SH, padding), output_length(W, KW, SW, padding)
    return Windows(N, H, W, C, KH, KW, F, SH, SW, OH, OW, top, left, top + H + bottom, left + W + right)


def _turned(w: Windows) -> Windows:
    """The windows of the convolution that gives dx: over dz, whose pixel (p, q) is put at (top + p·SH, left + q·SW)."""
    HP, WP = w.H + w.KH - 1, w.W + w.KW - 1
    top, left = w.KH - 1 - w.top, w.KW - 1 - w.left
    return Windows(w.N, w.OH, w.OW, w.F, w.KH, w.KW, w.C, 1, 1, w.H, w.W, top, left, HP, WP)


def _block_samples(samples: int, sample_bytes: int) -> int:
    return max(1, min(samples, CACHE_BYTES // sample_bytes))


@lru_cache(maxsize=256)
def _pixels(w: Windows, samples: int) -> Array:
    """(samples · OH · OW,): where the window of each output pixel starts in the padded images."""
    n, p, q = np.ix_(np.arange(samples), np.arange(w.OH), np.arange(w.OW))
    return ((n * w.HP + p * w.SH) * w.WP + q * w.SW).reshape(-1) * w.C


@lru_cache(maxsize=256)
def _taps(w: Windows) -> Array:
    """(KH · KW · C,): where each cell of a window lies, seen from the window's start."""
    i, j, c = np.ix_(np.arange(w.KH), np.arange(w.KW), np.arange(w.C))
    return ((i * w.WP + j) * w.C + c).reshape(-1)


def _whole_tiles(rows: Array) -> Array:
    """The table filled up to whole tiles by its last entry; nobody reads what comes out there."""
    return np.pad(rows, (0, -len(rows) % ROWS), mode="edge")


@parallel
def _forward(threads, x, panels, bias, floor, y, pixels, taps, block, w):
    sample_parts = max(1, min(threads, w.N))
    panel_parts = threads // sample_parts  # more threads than samples: they share out the filters as well
    for t in prange(sample_parts * panel_parts):
        samples = share(w.N, sample_parts, t // panel_parts)
        some = share(panels.shape[0], panel_parts, t % panel_parts)
        _forward_samples(x, panels, bias, floor, y, pixels, taps, block, w, samples, some)


@serial
def _forward_samples(x, panels, bias, floor, y, pixels, taps, block, w, samples, some):
    padded = np.zeros(block * w.HP * w.WP * w.C, x.dtype)
    for first in range(samples[0], samples[1], block):
        count = min(block, samples[1] - first)
        a = _pad(x, first, count, padded, w)
        out = y[first * w.OH * w.OW * w.F :]
        multiply(a, pixels, count * w.OH * w.OW, taps, panels, some[0], some[1], bias, floor, out, w.F)


@serial
def _pad(x, first, count, padded, w):
    """The block's images with their zeros around them; x itself where there are none."""
    if w.HP == w.H and w.WP == w.W:
        return x[first * w.H * w.W * w.C :]
    run = w.W * w.C
    for n in range(count):
        for h in range(w.H):
            source = x[((first + n) * w.H + h) * run :]
            target = padded[((n * w.HP + w.top + h) * w.WP + w.left) * w.C :]
            for i in range(run):
                target[i] = source[i]
    return padded


@parallel
def _backward(
    threads, x, kernel, dy, y, relu, need_dx, dx, dkernel, dbias, taps, pixels, turned_pixels, turned_taps, block, w, v
):
    parts = max(1, min(threads, w.N))
    columns = panel_count(w.F, x.itemsize) * width(x.itemsize)
    dkernels = np.zeros((parts, len(taps), columns), x.dtype)  # one for each thread
    dbiases = np.zeros((parts, w.F), x.dtype)
    turned = _pack_turned(kernel, w) if need_dx else np.empty((0, 0, 0), x.dtype)
    for t in prange(parts):
        _backward_samples(
            x, turned, dy, y, relu, need_dx, dx, dkernels[t], dbiases[t],
            taps, pixels, turned_pixels, turned_taps, block, w, v, share(w.N, parts, t),
        )  # fmt: skip
    dbias[:] = dbiases[0]
    for t in range(1, parts):
        dbias += dbiases[t]
    for k in prange(dkernel.shape[0]):
        for f in range(w.F):
            total = dkernels[0, k, f]
            for t in range(1, parts):
                total += dkernels[t, k, f]
            dkernel[k, f] = total


@serial
def _backward_samples(
    x, turned, dy, y, relu, need_dx, dx, dkernel, dbias, taps, pixels, turned_pixels, turned_taps, block, w, v, samples
):
    size = x.itemsize
    padded = np.zeros(block * w.HP * w.WP * w.C, x.dtype)
    dz = np.zeros((panel_count(w.F, size), block * w.OH * w.OW, width(size)), x.dtype)
    spread = np.zeros(block * v.HP * v.WP * v.C if need_dx else 0, x.dtype)
    no_bias = np.zeros(turned.shape[0] * width(size), x.dtype)
    for n in range(samples[0], samples[1], block):
        count = min(block, samples[1] - n)
        _fill_dz(dy, y, relu, n, count, dz, dbias, w)
        accumulate(_pad(x, n, count, padded, w), taps, pixels, count * w.OH * w.OW, dz, dkernel)
        if need_dx:
            _spread(dz, count, spread, w, v)
            multiply(
                spread, turned_pixels, count * w.H * w.W, turned_taps, turned, 0, turned.shape[0],
                no_bias, x.dtype.type(-np.inf), dx[n * w.H * w.W * w.C :], w.C,
            )  # fmt: skip


@serial
def _fill_dz(dy, y, relu, first, count, dz, dbias, w):
    """dz = dy where y > 0 for relu, else dy; cut into panels. Its sums over the block's pixels are added to dbias."""
    M = count * w.OH * w.OW
    base = first * w.OH * w.OW * w.F
    sums = np.zeros(dz.shape[0] * dz.shape[2], dy.dtype)
    for panel in range(dz.shape[0]):
        column = panel * dz.shape[2]
        columns = min(dz.shape[2], w.F - column)
        total = sums[column:]
        for m in range(M):
            source = dy[base + m * w.F + column :]
            value = y[base + m * w.F + column :]
            target = dz[panel, m]
            for f in range(columns):
                d = source[f]
                if relu:
                    d *= dy.dtype.type(value[f] > 0)
                target[f] = d
                total[f] += d
    for f in range(w.F):
        dbias[f] += sums[f]


@serial
def _spread(dz, count, spread, w, v):
    """Put dz's pixels where the turned kernel looks for them, `strides` apart, among zeros."""
    for panel in range(dz.shape[0]):
        column = panel * dz.shape[2]
        columns = min(dz.shape[2], w.F - column)
        m = 0
        for n in range(count):
            for p in range(w.OH):
                for q in range(w.OW):
                    place = (n * v.HP + v.top + p * w.SH) * v.WP + v.left + q * w.SW
                    target = spread[place * w.F + column :]
                    source = dz[panel, m]
                    for f in range(columns):
                        target[f] = source[f]
                    m += 1


@serial
def _pack_turned(kernel, w):
    """The kernel turned by 180°, (KH, KW, F, C), as panels over C: the right factor of dx."""
    size = kernel.itemsize
    W = width(size)
    panels = np.zeros((panel_count(w.C, size), w.KH * w.KW * w.F, W), kernel.dtype)
    for tap in range(w.KH * w.KW):
        for c in range(w.C):
            source = kernel[((w.KH * w.KW - 1 - tap) * w.C + c) * w.F :]
            for f in range(w.F):
                panels[c // W, tap * w.F + f, c % W] = source[f]
    return panels
