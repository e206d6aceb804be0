"""Convolution by im2col that is never built: the tables of `products.py` find each window's cells where they are.

The samples are shared out among the threads, and each thread takes a few samples at a time, a block that stays in its
second-level cache: it pads them, multiplies, and applies bias and ReLU before the sums leave the registers. The
backward takes the same blocks. There dx is a convolution too: of dz, spread out by the strides, with the kernel turned
by 180° and its channels and filters exchanged.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ...errors import explain
from ..contract import Array, Pair
from ..geometry import output_length, pad_amounts
from .products import ONCE, accumulate, add, copy, multiply, multiply_edge, multiply_row, pack, panel_count
from .runtime.compile import parallel, serial, share
from .runtime.numba_internals import to_fixed_tuple
from .runtime.threads import MIN_PARALLEL_WORK, small, thread_count
from .stages import MOST_SAMPLES, Stage, array_at
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


SIZES = len(Windows._fields)


def backward(
    x: Array, kernel: Array, dy: Array, y: Array, relu: bool, need_dx: bool, w: Windows
) -> tuple[Array | None, Array, Array]:
    """dx or None, dkernel and dbias of `forward`, whose output y was cut off at 0 if `relu`.

    With dz = dy · relu′: dkernel = im2col(x)ᵀ · dz, dbias = Σ dz, dx = im2col(dz) · kernel turned around.
    """
    v = _turned(w)
    block = _block_samples(w.N, (w.HP * w.WP * w.C + w.OH * w.OW * w.F + need_dx * v.HP * v.WP * v.C) * x.itemsize)
    threads = thread_count()
    taps, columns = _whole_tiles(w), panel_count.py_func(w.F, x.itemsize) * width(x.itemsize)
    dkernels = np.zeros((threads, len(taps), columns), x.dtype)  # one for each thread, added up in their order
    dbiases = np.zeros((threads, w.F), np.float64)
    turned = _pack_turned(kernel) if need_dx else np.empty((0, 0, 0), x.dtype)
    dx = np.empty(x.shape if need_dx else 0, x.dtype)
    _backward(
        x.reshape(-1), turned, dy.reshape(-1), y.reshape(-1), relu, dx.reshape(-1), dkernels, dbiases,
        taps, _pixels(w, block), _pixels(v, block), _taps(v), block, _sizes(w), _sizes(v), alone=_short(w),
    )  # fmt: skip
    dkernel = np.ascontiguousarray(dkernels.sum(axis=0)[: w.KH * w.KW * w.C, : w.F]).reshape(kernel.shape)
    return dx if need_dx else None, dkernel, dbiases.sum(axis=0).astype(x.dtype)


ROUNDED = 256
"""So many terms of the bias's gradient are added up in float32; their sums, for there may be thousands, in float64."""

PACKED_ROWS = 32 * ROWS
"""From so many windows on, the kernel is cut into panels first; a few windows take it as it lies."""


def stage(w: Windows, relu: bool, itemsize: int) -> Stage:
    """y = im2col(x) · kernel + bias, cut off at 0 if `relu`; its weights are the kernel and the bias."""
    block = min(MOST_SAMPLES, _block_samples(w.N, max(w.HP * w.WP * w.C, w.OH * w.OW * w.F) * itemsize))
    K, packed = w.KH * w.KW * w.C, w.N * w.OH * w.OW >= PACKED_ROWS
    one_block = w._replace(N=block)
    return Stage(
        _convolve,
        (w.OH, w.OW, w.F),
        (relu, packed, *one_block),
        arrays=2,
        tables=(_pixels(w, block), _taps(w)),
        prepare=_pack_kernel if packed and width(itemsize) != w.F else None,  # one panel lies as it should
        prepared=K * panel_count.py_func(w.F, itemsize) * width(itemsize),
        block=block,
        work=w.OH * w.OW * K * w.F,
    )


@lru_cache(maxsize=256)
def windows(shape: tuple[int, ...], kernel: tuple[int, ...], strides: Pair, padding: str) -> Windows:
    """Where the windows of a kernel (KH, KW, C, F) lie on images (N, H, W, C)."""
    N, H, W, C = shape
    KH, KW, channels, F = kernel
    if channels != C:  # kernels look at no shapes: they would read what is not there
        raise ValueError(explain("conv2d", f"a kernel for {C} channels", f"one of shape {kernel}", "Match it to x."))
    SH, SW = strides
    (top, bottom), (left, right) = pad_amounts(H, KH, SH, padding), pad_amounts(W, KW, SW, padding)
    OH, OW = output_length(H, KH, SH, padding), output_length(W, KW, SW, padding)
    return Windows(N, H, W, C, KH, KW, F, SH, SW, OH, OW, top, left, top + H + bottom, left + W + right)


def _turned(w: Windows) -> Windows:
    """The windows of the convolution that gives dx: over dz, whose pixel (p, q) is put at (top + p·SH, left + q·SW)."""
    HP, WP = w.H + w.KH - 1, w.W + w.KW - 1
    top, left = w.KH - 1 - w.top, w.KW - 1 - w.left
    return Windows(w.N, w.OH, w.OW, w.F, w.KH, w.KW, w.C, 1, 1, w.H, w.W, top, left, HP, WP)


def _short(w: Windows) -> bool:
    """Whether one thread is done before a second one has woken up."""
    return w.N * w.OH * w.OW * w.KH * w.KW * w.C * w.F < MIN_PARALLEL_WORK


def _block_samples(samples: int, sample_bytes: int) -> int:
    return max(1, min(samples, CACHE_BYTES // sample_bytes))


@lru_cache(maxsize=256)
def _sizes(w: Windows) -> Array:
    """All of it in one array, as kernels take it."""
    return np.array(w)


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


@lru_cache(maxsize=256)
def _whole_tiles(w: Windows) -> Array:
    """The taps, filled up to whole tiles by the last of them; nobody reads what comes out there."""
    taps = _taps(w)
    return np.pad(taps, (0, -len(taps) % ROWS), mode="edge")


@serial
def _pack_kernel(parts, part, x, x_at, y, y_at, count, numbers):
    """Prepares the stage: the kernel, cut into panels. Its parts have some of the rows each."""
    w = Windows(*to_fixed_tuple(numbers[6:], SIZES))
    K = w.KH * w.KW * w.C
    pack(array_at(numbers[0], K * w.F, x), K, share(K, parts, part), w.F, y, y_at)


@serial
def _convolve(parts, part, x, x_at, y, y_at, count, numbers):
    """A stage. Its parts have some of the filters each, or, where there are not enough of them, some of the windows."""
    relu, packed, w = numbers[4], numbers[5], Windows(*to_fixed_tuple(numbers[6:], SIZES))
    K, W, panels = w.KH * w.KW * w.C, width(x.itemsize), panel_count(w.F, x.itemsize)
    kernel = array_at(numbers[0], K * (panels * W if packed else w.F), x)
    pixels, taps = array_at(numbers[2], w.N * w.OH * w.OW, numbers), array_at(numbers[3], K, numbers)
    bias, floor = np.zeros(panels * W, x.dtype), x.dtype.type(0.0 if relu else -np.inf)
    if numbers[1]:
        copy(array_at(numbers[1], w.F, x), 0, bias, 0, w.F)
    (begin, end), first, last = share(panels, parts, part), 0, count * w.OH * w.OW
    if panels < parts:
        first_tile, last_tile = share(-(-last // ROWS), parts, part)
        begin, end, first, last = 0, panels, first_tile * ROWS, min(last_tile * ROWS, last)
    M, rows, y_at = last - first, pixels[first:], y_at + first * w.F
    if begin == end or M <= 0:
        return
    a = x[x_at:]
    if _is_padded(w):
        a = np.zeros(count * w.HP * w.WP * w.C, x.dtype)
        _pad(x, x_at, count, a, w)
    whole = end if packed else min(end, w.F // W)  # so many panels lie in the kernel as they are
    if M == 1 and not packed:
        begin = multiply_row(a, rows[0], taps, K, kernel, w.F, (begin, whole), bias, floor, y, y_at)
    if begin < whole:
        panel_step, row_step = (K * W, W) if packed else (W, w.F)
        multiply(ONCE, a, rows, M, taps, K, kernel, panel_step, row_step, (begin, whole), bias, floor, y, y_at, w.F)
    if whole < end:
        multiply_edge(a, rows, M, taps, K, kernel, w.F, bias, floor, y, y_at)


@serial
def _is_padded(w):
    return w.HP > w.H or w.WP > w.W


@serial
def _pad(x, x_at, count, padded, w):
    """Copy the images at x[x_at] to where they lie among their zeros."""
    run = w.W * w.C
    for n in range(count):
        for h in range(w.H):
            copy(x, x_at + (n * w.H + h) * run, padded, ((n * w.HP + w.top + h) * w.WP + w.left) * w.C, run)


@parallel
def _backward(
    threads, t, x, turned, dy, y, relu, dx, dkernels, dbiases, taps, pixels, v_pixels, v_taps, block, w, v
):  # fmt: skip
    """One thread's samples; its sums over them go into a dkernel and a dbias of its own. No dx if `turned` is empty."""
    dkernel, dbias = dkernels[t], dbiases[t]
    w, v = Windows(*to_fixed_tuple(w, SIZES)), Windows(*to_fixed_tuple(v, SIZES))
    first, last = share(w.N, threads, t)
    need_dx = len(turned) > 0
    all_panels, W = (0, len(turned)), width(x.itemsize)
    dz = np.zeros((panel_count(w.F, x.itemsize), block * w.OH * w.OW, width(x.itemsize)), x.dtype)
    padded = np.zeros(block * w.HP * w.WP * w.C, x.dtype)
    spread = np.zeros(block * v.HP * v.WP * v.C if need_dx else 0, x.dtype)
    no_bias = np.zeros(len(turned) * width(x.itemsize), x.dtype)
    no_floor = x.dtype.type(-np.inf)
    for n in range(first, last, block):
        count = min(block, last - n)
        M = count * w.OH * w.OW
        for start in range(0, M, ROUNDED):
            _fill_dz(dy, y, relu, n * w.OH * w.OW, (start, min(start + ROUNDED, M)), w.F, dz, dbias)
        a = x[n * w.H * w.W * w.C :]
        if _is_padded(w):
            _pad(x, n * w.H * w.W * w.C, count, padded, w)
            a = padded
        accumulate(ONCE, a, taps, pixels, M, dz.reshape(-1), dz.shape[1] * W, dkernel.reshape(-1), dkernel.shape, w.F)
        if need_dx:
            _spread(dz, count, spread, w, v)
            dx_at = n * w.H * w.W * w.C
            multiply(ONCE, spread, v_pixels, count * w.H * w.W, v_taps, len(v_taps), turned.reshape(-1),
                     len(v_taps) * W, W, all_panels, no_bias, no_floor, dx, dx_at, w.C)  # fmt: skip


@serial
def _fill_dz(dy, y, relu, first, some_rows, F, dz, dbias):
    """dz = dy where y > 0 for relu, else dy; cut into panels. Its sums over some of the block's pixels go to dbias."""
    panels, _, W = dz.shape
    for panel in range(panels):
        columns = min(W, F - panel * W)
        sums = np.zeros(columns, dz.dtype)
        for m in range(some_rows[0], some_rows[1]):
            at = (first + m) * F + panel * W
            source, value, target = dy[at : at + columns], y[at : at + columns], dz[panel, m]
            for f in range(columns):
                d = source[f] * dy.dtype.type(value[f] > 0) if relu else source[f]
                target[f] = d
                sums[f] += d
        add(sums, dbias[panel * W :])


@serial
def _spread(dz, count, spread, w, v):
    """Put dz's pixels where the turned kernel looks for them, `strides` apart, among zeros."""
    panels, rows, W = dz.shape
    flat = dz.reshape(-1)
    for panel in range(panels):
        columns = min(W, w.F - panel * W)
        at = panel * rows * W
        for n in range(count):
            for p in range(w.OH):
                for q in range(w.OW):
                    place = (n * v.HP + v.top + p * w.SH) * v.WP + v.left + q * w.SW
                    copy(flat, at, spread, place * w.F + panel * W, columns)
                    at += W


def _pack_turned(kernel: Array) -> Array:
    """The kernel (KH, KW, C, F) turned by 180°, (KH, KW, F, C), as panels over C: the right factor of dx."""
    KH, KW, C, F = kernel.shape
    W = width(kernel.itemsize)
    panels = np.zeros((-(-C // W), KH * KW * F, W), kernel.dtype)
    _turn(kernel.reshape(KH * KW, C, F), panels, alone=small(kernel))
    return panels


@parallel
def _turn(threads, part, kernel, panels):
    taps, C, F = kernel.shape
    W = panels.shape[2]
    first, last = share(C, threads, part)
    for tap in range(taps):
        for c in range(first, last):
            source = kernel[taps - 1 - tap, c]
            target = panels[c // W, tap * F : (tap + 1) * F, c % W]
            for f in range(F):
                target[f] = source[f]
