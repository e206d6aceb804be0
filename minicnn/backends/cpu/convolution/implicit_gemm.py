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
from ..gemm.gemm import clear, copy, multiply, multiply_add, pack, panel_count
from ..gemm.microkernel import MR, NR
from ..runtime.compile import inlined, parallel, serial, share
from ..runtime.threads import MIN_PARALLEL_WORK, thread_count
from ..runtime.vectors import add, load, store, where_positive, whole_vectors, zeros

BLOCK_BYTES = 256 * 1024
"""Bytes of a block of samples: half of the second-level cache of an older CPU."""

PACK_ROWS = 32 * MR
"""Windows from which on packing the kernel pays. For fewer, the microkernel reads it as it is stored."""


def stage(w: Windows, relu: bool, itemsize: int) -> Stage:
    """y = im2col(x) · kernel + bias, cut off at 0 if `relu`; its weights are the kernel and the bias."""
    block = min(MAX_BLOCK, _block_samples(w.N, max(w.HP * w.WP * w.C, w.OH * w.OW * w.F) * itemsize))
    K, panels = w.KH * w.KW * w.C, -(-w.F // NR(itemsize))
    in_place = 0 if w.N * w.OH * w.OW >= PACK_ROWS and panels > 1 else w.F // NR(itemsize)
    return Stage(
        _convolve,
        (w.OH, w.OW, w.F),
        (relu, in_place, *w._replace(N=block)),
        weights=2,
        tables=(_window_offsets(w, block), _cell_offsets(w)),
        prepare=_prepare,
        prepared=(panels - in_place) * K * NR(itemsize) + _padded_size.py_func(w._replace(N=block)),
        block=block,
        work=w.OH * w.OW * K * w.F,
    )


def backward(
    x: Array, kernel: Array, dy: Array, y: Array, relu: bool, need_dx: bool, w: Windows
) -> tuple[Array | None, Array, Array]:
    """dx or None, dkernel and dbias, with dz = dy · relu′ or dy."""
    v = transposed(w)
    block = _block_samples(w.N, (w.HP * w.WP * w.C + w.OH * w.OW * w.F + v.HP * v.WP * v.C) * x.itemsize)
    threads, rows, K = thread_count(), _whole_tiles(w), w.KH * w.KW * w.C
    dkernels = np.zeros((threads, len(rows), -(-w.F // NR(x.itemsize)) * NR(x.itemsize)), x.dtype)
    dbiases = np.zeros((threads, w.F))  # one for each thread, added up in their order
    dx = np.empty(x.shape if need_dx else 0, x.dtype)
    _backward(
        x.reshape(-1), kernel.reshape(-1), dy.reshape(-1), y.reshape(-1), relu, dx.reshape(-1), dkernels, dbiases,
        rows, _window_offsets(w, block), _window_offsets(v, block), _turned(v), block, np.array(w), np.array(v),
        alone=w.N * w.OH * w.OW * K * w.F < MIN_PARALLEL_WORK,
    )  # fmt: skip
    dkernel = np.ascontiguousarray(dkernels.sum(axis=0)[:K, : w.F]).reshape(kernel.shape)
    return dx if need_dx else None, dkernel, dbiases.sum(axis=0).astype(x.dtype)


def _block_samples(samples: int, sample_bytes: int) -> int:
    return max(1, min(samples, BLOCK_BYTES // sample_bytes))


@lru_cache(maxsize=256)
def _window_offsets(w: Windows, samples: int) -> Array:
    """(samples · OH · OW,): where the window of each output pixel begins in the padded images."""
    n, p, q = np.ix_(np.arange(samples), np.arange(w.OH), np.arange(w.OW))
    return ((n * w.HP + p * w.SH) * w.WP + q * w.SW).reshape(-1) * w.C


@lru_cache(maxsize=256)
def _cell_offsets(w: Windows) -> Array:
    """(KH · KW · C,): where each cell of a window lies, seen from the window's beginning."""
    i, j, c = np.ix_(np.arange(w.KH), np.arange(w.KW), np.arange(w.C))
    return ((i * w.WP + j) * w.C + c).reshape(-1)


@lru_cache(maxsize=256)
def _turned(w: Windows) -> Array:
    """The cells' offsets for a kernel that is turned by 180°."""
    return np.ascontiguousarray(_cell_offsets(w).reshape(-1, w.C)[::-1]).reshape(-1)


@lru_cache(maxsize=256)
def _whole_tiles(w: Windows) -> Array:
    """The cells' offsets, filled up to whole tiles by the last one; nobody reads what comes out there."""
    cells = _cell_offsets(w)
    return np.pad(cells, (0, -len(cells) % MR), mode="edge")


@serial
def _panels_size(in_place, w, itemsize):
    """How many numbers the micropanels are that the kernel is packed into."""
    return (panel_count(w.F, itemsize) - in_place) * w.KH * w.KW * w.C * NR(itemsize)


@serial
def _padded_size(w):
    """How many numbers the padded images are; 0 if there is no padding."""
    return w.N * w.HP * w.WP * w.C if w.HP > w.H or w.WP > w.W else 0


@serial
def _prepare(x, x_at, y, y_at, count, numbers):
    """Prepares the stage: the kernel's micropanels that are not read in place, and room for padded images."""
    in_place, w = numbers[6], geometry(numbers[7:])
    K = w.KH * w.KW * w.C
    pack(array_at(numbers[1], K * w.F, x), K, w.F, in_place, y, y_at)
    clear(y, y_at + _panels_size(in_place, w, x.itemsize), _padded_size(w))


@serial
def _convolve(x, x_at, y, y_at, count, numbers):
    """The stage's kernel."""
    relu, in_place, w = numbers[5], numbers[6], geometry(numbers[7:])
    K, W, panels = w.KH * w.KW * w.C, NR(x.itemsize), panel_count(w.F, x.itemsize)
    kernel, packed_size = array_at(numbers[1], K * w.F, x), _panels_size(in_place, w, x.itemsize)
    packed = array_at(numbers[0], packed_size + _padded_size(w), x)
    windows, cells = array_at(numbers[3], w.N * w.OH * w.OW, numbers), array_at(numbers[4], K, numbers)
    bias, floor = np.zeros(panels * W, x.dtype), x.dtype.type(0.0 if relu else -np.inf)
    if numbers[2]:
        copy(array_at(numbers[2], w.F, x), 0, bias, 0, w.F)
    a, a_at, M = x, x_at, count * w.OH * w.OW
    if _padded_size(w):
        a, a_at = packed[packed_size:], 0
        pad(x, x_at, count, a, w.C, w)
    multiply(a, a_at, windows, M, cells, K, kernel, 0, W, w.F, (0, in_place), bias, floor, y, y_at, w.F)
    multiply(a, a_at, windows, M, cells, K, packed, -in_place * K * W, K * W, W, (in_place, panels), bias, floor, y,
             y_at, w.F)  # fmt: skip


@parallel
def _backward(
    threads, thread, x, kernel, dy, y, relu, dx, dkernels, dbiases, rows, windows, v_windows, v_cells, block, w, v
):  # fmt: skip
    """One thread's samples; its sums over them go into a dkernel and a dbias of its own. No dx if that is empty."""
    dkernel, dbias, w, v = dkernels[thread].reshape(-1), dbiases[thread], geometry(w), geometry(v)
    W, F_panels, C_panels = NR(x.itemsize), panel_count(w.F, x.itemsize), panel_count(w.C, x.itemsize)
    padded = np.zeros(_padded_size(w) // w.N * block, x.dtype)
    packed_dz = np.zeros(F_panels * block * w.OH * w.OW * W, x.dtype)
    dz = np.zeros(block * v.HP * v.WP * w.F if len(dx) else 0, x.dtype)  # its pixels SH x SW apart among zeros
    exchanged = exchange_channels(kernel if len(dx) else kernel[:0], C_panels * W, w)
    no_bias, unused = np.zeros(C_panels * W, x.dtype), np.zeros(w.F)
    first, last = share(w.N, threads, thread)
    for n in range(first, last, block):
        count = min(block, last - n)
        M, image_at = count * w.OH * w.OW, n * w.H * w.W * w.C
        a, a_at = x, image_at
        if len(padded):
            pad(x, image_at, count, padded, w.C, w)
            a, a_at = padded, 0
        load_dz(dy, y, relu, n, count, packed_dz, W, M * W, (w.OH, w.OW, 0, 0, 1, 1), dbias, w)
        multiply_add(a, a_at, rows, len(rows), windows, M, packed_dz, 0, M * W, dkernel, 0, w.F)
        if len(dx):
            load_dz(dy, y, relu, n, count, dz, w.F, W, (v.HP, v.WP, v.top, v.left, w.SH, w.SW), unused, w)
            multiply(dz, 0, v_windows, count * w.H * w.W, v_cells, len(v_cells), exchanged, 0, W, C_panels * W,
                     (0, C_panels), no_bias, x.dtype.type(-np.inf), dx, image_at, w.C)  # fmt: skip


@serial
def pad(x, x_at, count, padded, C, w):
    """Copy images from x[x_at] to where they lie among zeros, in pixels of C >= w.C channels."""
    run, runs = (w.W * w.C, 1) if w.C == C else (w.C, w.W)  # a row at once, or pixel by pixel
    for n in range(count):
        for h in range(w.H):
            source, target = x_at + (n * w.H + h) * w.W * w.C, ((n * w.HP + w.top + h) * w.WP + w.left) * C
            for i in range(runs):
                copy(x, source + i * run, padded, target + i * C, run)


@serial
def unpad(padded, C, count, x, x_at, w):
    """The way back: the images from among their padding."""
    run, runs = (w.W * w.C, 1) if w.C == C else (w.C, w.W)
    for n in range(count):
        for h in range(w.H):
            source, target = ((n * w.HP + w.top + h) * w.WP + w.left) * C, x_at + (n * w.H + h) * w.W * w.C
            for i in range(runs):
                copy(padded, source + i * C, x, target + i * run, run)


DBIAS_TERMS = 256
"""Maximum terms of the bias's gradient that are added in float32. Their sums are added in float64."""


@serial
def load_dz(dy, y, relu, first, count, dz, pixel_step, panel_step, image, dbias, w):
    """dz = dy · relu′ of some samples, into panels of NR filters; dbias += Σ dz.

    Pixel (p, q) becomes pixel (top + p · SH, left + q · SW) of an image (HP, WP, top, left, SH, SW). With a panel_step
    of NR, all filters of a pixel lie side by side.
    """
    HP, WP, top, left, SH, SW = image
    W, nothing = NR(dz.itemsize), dz.dtype.type(0)
    lanes, whole = whole_vectors(w.F, dz.itemsize)
    sums = np.empty(w.F, dz.dtype)
    for n in range(count):
        for p in range(w.OH):
            for q in range(0, w.OW, DBIAS_TERMS):
                source = (((first + n) * w.OH + p) * w.OW + q) * w.F
                target = ((n * HP + top + p * SH) * WP + left + q * SW) * pixel_step
                pixels = min(w.OW - q, DBIAS_TERMS)
                for f in range(0, whole, lanes):
                    at = target + f // W * panel_step + f % W
                    _load_pixels(dy, y, relu, source + f, w.F, pixels, dz, at, SW * pixel_step, sums, f, zeros(dz))
                for f in range(whole, w.F):
                    at = target + f // W * panel_step + f % W
                    _load_pixels(dy, y, relu, source + f, w.F, pixels, dz, at, SW * pixel_step, sums, f, nothing)
                for f in range(w.F):
                    dbias[f] += sums[f]


@inlined
def _load_pixels(dy, y, relu, source, F, pixels, dz, target, step, sums, f, nothing):
    """One filter of a row's pixels, or a vector of filters."""
    total = nothing
    for q in range(pixels):
        d = load(dy, source + q * F, nothing)
        if relu:
            d = where_positive(load(y, source + q * F, nothing), d)
        store(dz, target + q * step, d)
        total = add(total, d)
    store(sums, f, total)


@serial
def exchange_channels(kernel, C, w):
    """The kernel (KH, KW, w.C, F) -> (KH, KW, F, C), with zeros from channel w.C on."""
    taps = len(kernel) // (w.C * w.F)
    exchanged = np.zeros(taps * w.F * C, kernel.dtype)
    step = NR(kernel.itemsize)  # squares, so that lines of both arrays stay in the cache
    for tap in range(taps):
        for start in range(0, w.C, step):
            width = min(step, w.C - start)
            for f in range(w.F):
                source = kernel[(tap * w.C + start) * w.F + f :]
                target = exchanged[(tap * w.F + f) * C + start :][:width]
                for c in range(width):
                    target[c] = source[c * w.F]
    return exchanged
