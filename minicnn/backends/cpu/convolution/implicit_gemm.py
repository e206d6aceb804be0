"""Convolution as an implicit GEMM: y = im2col(x) · kernel, and im2col(x) is never built.

Each thread takes a few samples at a time, a block that stays in its second-level cache. It copies them to where they
lie in padded images, so that no window has to ask whether it hangs over the edge; multiplies, reading each window's
cells where they are; and applies bias and relu before the sums leave the registers. The backward does the same:

    dkernel = im2col(x)ᵀ · dz        dx = conv2d(dz, the kernel turned by 180°, its channels and filters exchanged)

To read before: `gemm/`; Dukhan, "The Indirect Convolution Algorithm" (2019); the textbook's conv.py.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...contract import Array
from ...geometry import Windows, transposed
from ..executor import MAX_BLOCK, Stage, array_at, geometry
from ..gemm.gemm import clear, copy, filled_up, multiply, multiply_add
from ..gemm.microkernel import MR
from ..runtime.compile import even_part, parallel, serial, share, shared
from ..runtime.memory import empty
from ..runtime.vectors import add, lanes, load, store, where_equal, zeros

BLOCK_BYTES = 256 * 1024
"""Bytes of a block of samples: half of the second-level cache of an older CPU."""


def stage(w: Windows, relu: bool, itemsize: int, training: bool) -> Stage:
    """y = im2col(x) · kernel + bias, cut off at 0 if `relu`; its weights are the kernel and the bias."""
    block = min(MAX_BLOCK, _block_samples(w.N, max(w.HP * w.WP * w.C, w.OH * w.OW * w.F) * itemsize))
    v = w._replace(N=block)
    return Stage(
        _convolve,
        (w.OH, w.OW, w.F),
        (relu, *v),
        weights=2,
        tables=(_window_offsets(v, w.C), _cell_offsets(w, w.C)),
        prepare=_prepare,
        prepared=_kernel_size(w, itemsize) + _padded_size(v),
        block=block,
        work=w.OH * w.OW * w.KH * w.KW * w.C * w.F,
    )


@lru_cache(maxsize=256)
def backward_tables(w: Windows, itemsize: int) -> tuple[Array, ...]:
    """The offsets of the backward's two products, and the windows of a block of x and of dz as arrays."""
    v, F = transposed(w), filled_up(w.F, itemsize)
    block = _block_samples(w.N, (w.HP * w.WP * w.C + w.OH * w.OW * w.F + v.HP * v.WP * v.C) * itemsize)
    w, v = w._replace(N=block), v._replace(N=block)
    cells = _cell_offsets(w, w.C)
    whole_tiles = np.pad(cells, (0, -len(cells) % MR), mode="edge")  # nobody reads what comes out of the rest
    turned = np.ascontiguousarray(_cell_offsets(v, F).reshape(-1, v.C)[::-1]).reshape(-1)  # by 180°
    return whole_tiles, _window_offsets(w, w.C), _window_offsets(v, F), turned, np.array(w), np.array(v)


def _block_samples(samples: int, sample_bytes: int) -> int:
    return max(1, min(samples, BLOCK_BYTES // sample_bytes))


def _window_offsets(w: Windows, channels: int) -> Array:
    """(N · OH · OW,): where the window of each output pixel begins in padded images of so many channels."""
    n, p, q = np.ix_(np.arange(w.N), np.arange(w.OH), np.arange(w.OW))
    return (((n * w.HP + p * w.SH) * w.WP + q * w.SW) * channels).reshape(-1)


def _cell_offsets(w: Windows, channels: int) -> Array:
    """(KH · KW · C,): where each cell of a window lies, seen from the window's beginning."""
    i, j, c = np.ix_(np.arange(w.KH), np.arange(w.KW), np.arange(w.C))
    return ((i * w.WP + j) * channels + c).reshape(-1)


@shared
def _kernel_size(w, itemsize):
    """How many numbers the kernel with filled up rows is; 0 if the rows need no filling."""
    F = filled_up(w.F, itemsize)
    return w.KH * w.KW * w.C * F if F > w.F else 0


@shared
def _padded_size(w):
    """How many numbers the padded images are; 0 if there is no padding."""
    return w.N * w.HP * w.WP * w.C if w.HP > w.H or w.WP > w.W else 0


@serial
def _prepare(x, x_at, y, y_at, count, numbers):
    """Prepares the stage: the kernel with filled up rows, and room for padded images."""
    w = geometry(numbers[6:])
    clear(y, y_at, _kernel_size(w, x.itemsize) + _padded_size(w))
    if _kernel_size(w, x.itemsize):
        fill_up(array_at(numbers[1], w.KH * w.KW * w.C * w.F, x), w.F, y, y_at)


@serial
def fill_up(kernel, F, target, target_at):
    """Copy rows of F numbers to where longer ones begin."""
    for row in range(len(kernel) // F):
        copy(kernel, row * F, target, target_at + row * filled_up(F, kernel.itemsize), F)


@serial
def filled_up_bias(address, F, like):
    """The bias at this address, or zeros if that is 0, filled up."""
    bias = np.zeros(filled_up(F, like.itemsize), like.dtype)
    if address:
        copy(array_at(address, F, like), 0, bias, 0, F)
    return bias


@serial
def _convolve(x, x_at, y, y_at, count, numbers):
    """The stage's kernel."""
    relu, w = numbers[5], geometry(numbers[6:])
    K, kernel_size = w.KH * w.KW * w.C, _kernel_size(w, x.itemsize)
    prepared = array_at(numbers[0], kernel_size + _padded_size(w), x)
    kernel = prepared if kernel_size else array_at(numbers[1], K * w.F, x)
    windows, cells = array_at(numbers[3], w.N * w.OH * w.OW, numbers), array_at(numbers[4], K, numbers)
    bias, floor = filled_up_bias(numbers[2], w.F, x), x.dtype.type(0.0 if relu else -np.inf)
    a, a_at = x, x_at
    if _padded_size(w):
        a, a_at = prepared[kernel_size:], 0
        pad(x, x_at, w.C, count, a, w.C, w, 1, 1)
    multiply(a, a_at, windows, count * w.OH * w.OW, cells, K, kernel, 0, len(bias), bias, 0, 0, floor, y, y_at, w.F)


@parallel
def backward(
    threads, thread, x, kernel, dy, y, relu, dx, dkernels, dbiases, samples, rows, windows, v_windows, v_cells, w, v
):  # fmt: skip
    """One thread's samples; its sums over them go into a dkernel and a dbias of its own. No dx if that is empty."""
    dkernel, dbias, w, v = dkernels[thread].reshape(-1), dbiases[thread], geometry(w), geometry(v)
    C, F, need_dx = filled_up(w.C, x.itemsize), filled_up(w.F, x.itemsize), len(dx) > 0
    padded, dz = np.zeros(_padded_size(w), x.dtype), empty(w.N * w.OH * w.OW * F, x)
    clear(dz, 0, len(dz))
    spread = np.zeros(v.N * v.HP * v.WP * F if need_dx and v.KH * v.KW * w.SH * w.SW > 1 else 0, x.dtype)
    exchanged = exchange_channels(kernel if need_dx else kernel[:0], C, w)
    no_bias, no_floor = np.zeros(C, x.dtype), x.dtype.type(-np.inf)
    first, last = share(samples, threads, thread)
    block = even_part(last - first, w.N)
    for n in range(first, last, block):
        count, image_at = min(block, last - n), n * w.H * w.W * w.C
        a, a_at = x, image_at
        if len(padded):
            a, a_at = padded, 0
            pad(x, image_at, w.C, count, padded, w.C, w, 1, 1)
        load_dz(dy, y, relu, n, count, dz, w.OH, w.OW, dbias, w)
        multiply_add(a, a_at, rows, windows, count * w.OH * w.OW, dz, 0, dkernel, 0, F)
        if need_dx:
            b = dz
            if len(spread):  # its pixels SH x SW apart among zeros
                b = spread
                pad(dz, 0, F, count, spread, F, v, w.SH, w.SW)
            multiply(b, 0, v_windows, count * w.H * w.W, v_cells, len(v_cells), exchanged, 0, C, no_bias, 0, 0,
                     no_floor, dx, image_at, w.C)  # fmt: skip


@serial
def pad(x, x_at, channels, count, padded, padded_channels, w, SH, SW):
    """Copy images from x[x_at] to where they lie among zeros, their pixels SH x SW apart."""
    together = channels == padded_channels and SW == 1
    run, runs = (w.W * channels, 1) if together else (channels, w.W)  # a row at once, or pixel by pixel
    for n in range(count):
        for h in range(w.H):
            source = x_at + (n * w.H + h) * w.W * channels
            target = ((n * w.HP + w.top + h * SH) * w.WP + w.left) * padded_channels
            for i in range(runs):
                copy(x, source + i * run, padded, target + i * SW * padded_channels, run)


@serial
def unpad(padded, C, count, x, x_at, w):
    """The way back: the images from among their padding."""
    run, runs = (w.W * w.C, 1) if w.C == C else (w.C, w.W)
    for n in range(count):
        for h in range(w.H):
            source, target = ((n * w.HP + w.top + h) * w.WP + w.left) * C, x_at + (n * w.H + h) * w.W * w.C
            for i in range(runs):
                copy(padded, source + i * C, x, target + i * run, run)


@serial
def load_dz(dy, y, relu, first, count, dz, HP, WP, dbias, w):
    """dz = dy · relu′ of some samples, into images of HP x WP pixels with filled up filters; dbias += Σ dz."""
    F, sums, nothing = filled_up(w.F, dz.itemsize), np.empty(w.F, dz.dtype), zeros(dz)
    for row in range(count * w.OH):
        n, p = divmod(row, w.OH)
        source, target = (first * w.OH + row) * w.OW * w.F, (n * HP + p) * WP * F
        for f in range(0, w.F, lanes(dz)):
            total, filters = nothing, w.F - f
            for q in range(w.OW):
                d = load(dy, source + q * w.F + f, filters)
                if relu:  # y is never negative
                    d = where_equal(load(y, source + q * w.F + f, filters), nothing, nothing, d)
                store(dz, target + q * F + f, filters, d)
                total = add(total, d)
            store(sums, f, filters, total)
        for f in range(w.F):
            dbias[f] += sums[f]


@serial
def exchange_channels(kernel, C, w):
    """The kernel (KH, KW, w.C, F) -> (KH, KW, F, C), with zeros from channel w.C on."""
    taps = len(kernel) // (w.C * w.F)
    exchanged = np.zeros(taps * w.F * C, kernel.dtype)
    for tap in range(taps):
        for f in range(w.F):
            source, target = kernel[tap * w.C * w.F + f :], exchanged[(tap * w.F + f) * C :][: w.C]
            for c in range(w.C):
                target[c] = source[c * w.F]
    return exchanged
