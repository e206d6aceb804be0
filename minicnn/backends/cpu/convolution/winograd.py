"""Convolution with fewer multiplications: Winograd's minimal filtering.

A tile of 4 x 4 outputs of a 3 x 3 convolution takes 144 products a pair of channels. Seen as the product of two
polynomials, evaluated at six points along each axis, it takes 36 (Winograd, 1980; Lavin & Gray, 2016):

    y = Aᵀ [ (G k Gᵀ) ⊙ (Bᵀ d B) ] A         d the tile's 6 x 6 inputs, k the 3 x 3 kernel, ⊙ element by element

Along one axis, 4 outputs of a kernel of length 3 take 6 products instead of 12, of length 2 take 5 instead of 8:
y = Aᵀ [ (G k) ⊙ (Bᵀ d) ].

Summed over the input channels, each of the 36, 6 or 5 points e is a matrix product of its own:
M[e] (tiles, F) = V[e] (tiles, C) · U[e] (C, F). All of it is linear, so the backward is its adjoint, step by step: with
dM = A dz Aᵀ,

    dk = Gᵀ [ Vᵀ · dM ] G        dx = Σ over the tiles of B [ dM · Uᵀ ] Bᵀ

The price is rounding: about ten times that of the direct sum, 1e-6 of the largest output in float32.
To read before: Lavin & Gray, section 4; `implicit_gemm`, `transforms`, `gemm/`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...contract import Array
from ...geometry import Windows
from ..executor import Stage, array_at, geometry
from ..gemm.gemm import clear, copy, filled_up, multiply, multiply_add
from ..gemm.microkernel import MR, NR_BYTES
from ..runtime.compile import even_part, parallel, serial, share, shared
from ..runtime.memory import LINE_BYTES, empty
from ..runtime.vectors import lanes
from .implicit_gemm import exchange_channels, fill_up, filled_up_bias, load_dz, pad, unpad
from .transforms import (
    FORMS,
    OUTPUTS,
    input_adjoint,
    input_transform,
    kernel_adjoint,
    kernel_transform,
    output_adjoint,
    output_transform,
)

BLOCK_TILES = 64
"""Tiles that a thread takes at a time, at least an image: their points fit into its second-level cache."""

MIN_TILES = 128
"""Tiles of a batch from which on the kernel's transform pays."""

POINT_GAP_BYTES = LINE_BYTES
"""Bytes between two points' matrices. A tile writes one row to each; at distances of a power of two, all rows would be
in the same set of the first-level cache, which holds eight to twelve lines."""


class Tiling(NamedTuple):
    """How images are divided into tiles of height x OUTPUTS outputs."""

    form: int  # which of FORMS it is
    height: int
    across: int  # points along the second axis
    points: int  # in all
    TH: int  # tiles along the axes of an image
    TW: int
    C: int  # channels and filters, filled up
    F: int


@shared
def tiling(w, itemsize):
    """The tiling of the windows' images."""
    form, height, across = 0 if w.KH == 3 else 4 - w.KW, OUTPUTS if w.KH > 1 else 1, OUTPUTS + w.KW - 1
    points, TH, TW = across * (height + w.KH - 1), -(-w.OH // height), -(-w.OW // OUTPUTS)
    return Tiling(form, height, across, points, TH, TW, filled_up(w.C, itemsize), filled_up(w.F, itemsize))


def suits(w: Windows, itemsize: int) -> bool:
    """Whether there is a form for the convolution that saves a quarter of the products, and enough channels and tiles
    to pay for the transforms."""
    if (w.KH, w.KW) not in FORMS or (w.SH, w.SW) != (1, 1) or min(w.C, w.F) < NR_BYTES // itemsize:
        return False
    t = tiling(w, itemsize)
    return w.N * t.TH * t.TW >= MIN_TILES and 4 * t.points * t.TH * t.TW <= 3 * w.KH * w.KW * w.OH * w.OW


def stage(w: Windows, relu: bool, itemsize: int, training: bool) -> Stage:
    """y = conv(x, kernel) + bias, cut off at 0 if `relu`; its weights are the kernel and the bias."""
    t = tiling(w, itemsize)
    w = _in_tiles(w, t)
    return Stage(
        _convolve,
        (w.OH, w.OW, w.F),
        (relu, relu and training, *w),
        weights=2,
        prepare=_prepare,
        prepared=t.points * _point_step(w.C * t.F, itemsize) + w.N * w.HP * w.WP * t.C,
        block=w.N,
        work=w.OH * w.OW * w.KH * w.KW * w.C * w.F,
    )


def backward_tables(w: Windows, itemsize: int) -> tuple[Array, ...]:
    """The windows of a block."""
    return (np.array(_in_tiles(w, tiling(w, itemsize))),)


def _in_tiles(w: Windows, t: Tiling) -> Windows:
    """The windows on a block of images that are padded to whole tiles."""
    block = max(1, min(w.N, BLOCK_TILES // (t.TH * t.TW)))
    return w._replace(N=block, HP=t.height * t.TH + w.KH - 1, WP=OUTPUTS * t.TW + w.KW - 1)


@shared
def _point_step(size, itemsize):
    """From the matrix of one point to the next."""
    return size + POINT_GAP_BYTES // itemsize


@serial
def _prepare(x, x_at, y, y_at, count, numbers):
    """Prepares the stage: U = G k Gᵀ, and room for padded images."""
    w = geometry(numbers[5:])
    t, kernel = tiling(w, x.itemsize), array_at(numbers[1], w.KH * w.KW * w.C * w.F, x)
    if w.F < t.F:
        stored, kernel = kernel, np.zeros(w.KH * w.KW * w.C * t.F, x.dtype)
        fill_up(stored, w.F, kernel, 0)
    U_size = t.points * _point_step(w.C * t.F, x.itemsize)
    _transform_kernel(kernel, w.C, t.F, y[y_at : y_at + U_size], w.KW, t)
    clear(y, y_at + U_size, w.N * w.HP * w.WP * t.C)


@serial
def _convolve(x, x_at, y, y_at, count, numbers):
    """The stage's kernel."""
    relu, exact, w = numbers[3], numbers[4], geometry(numbers[5:])
    t = tiling(w, x.itemsize)
    C, F, tiles = t.C, t.F, count * t.TH * t.TW
    U_step, V_step = _point_step(w.C * F, x.itemsize), _point_step(tiles * C, x.itemsize)
    M_step, U_size = _point_step(tiles * F, x.itemsize), t.points * U_step
    prepared = array_at(numbers[0], U_size + w.N * w.HP * w.WP * C, x)  # U, and room for padded images
    bias, padded = filled_up_bias(numbers[2], w.F, x), prepared[U_size:]
    V, M, outputs = empty(t.points * V_step, x), empty(t.points * M_step, x), np.empty(t.height * OUTPUTS * F, x.dtype)
    pad(x, x_at, w.C, count, padded, C, w, 1, 1)
    _transform_inputs(padded, w.WP, _tile_offsets(count, w.HP, w.WP, C, t), V, V_step, t)
    rows, channels = np.arange(tiles) * C, np.arange(w.C)
    no_bias, no_floor, one = np.zeros_like(bias), x.dtype.type(-np.inf), 1 + t.across * (t.height > 1)
    for e in range(t.points):  # what is added at the point 1 (of both axes) is added to each output
        multiply(V, e * V_step, rows, tiles, channels, w.C, prepared, e * U_step, F, bias if e == one else no_bias, 0,
                 0, no_floor, M, e * M_step, F)  # fmt: skip
    floor = x.dtype.type(0.0 if relu else -np.inf)
    bias = np.maximum(bias, floor)
    tile = 0
    for n in range(count):
        for p in range(0, w.OH, t.height):
            for q in range(0, w.OW, OUTPUTS):
                for f in range(0, F, lanes(x)):
                    output_transform(t.form, M, tile * F + f, t.across * M_step, M_step, outputs, f, OUTPUTS * F, F)
                at = y_at + ((n * w.OH + p) * w.OW + q) * w.F
                rows, columns = min(t.height, w.OH - p), min(OUTPUTS, w.OW - q)  # of the tile on the image
                _store_outputs(outputs, F, floor, y, at, rows, columns, w)
                if exact:
                    padded_at = ((n * w.HP + p) * w.WP + q) * C
                    _restore_zero_windows(padded, padded_at, C, bias, y, at, rows, columns, w)
                tile += 1


@serial
def _store_outputs(outputs, F, floor, y, y_at, rows, columns, w):
    """The floor, and into y as much of a tile as lies on the image."""
    run, runs = (columns * F, 1) if w.F == F else (w.F, columns)  # the pixels of a row at once, or one by one
    for i in range(rows):
        for j in range(runs):
            source, target = outputs[(OUTPUTS * i + j) * F :][:run], y[y_at + i * w.OW * w.F + j * run :][:run]
            for f in range(run):
                target[f] = floor if source[f] < floor else source[f]


@serial
def _restore_zero_windows(padded, padded_at, C, value, y, y_at, rows, columns, w):
    """Give a window of zeros exactly relu(bias), as a direct sum does.

    With a bias of 0, rounding must not give tiny positive values: their gradient would pass relu.
    """
    for i in range(rows):
        for j in range(columns):
            if _all_zero(padded, padded_at + (i * w.WP + j) * C, C, w):
                copy(value, 0, y, y_at + (i * w.OW + j) * w.F, w.F)


@serial
def _all_zero(padded, at, C, w):
    """Whether a window holds nothing but zeros."""
    for i in range(w.KH):
        for k in range(at + i * w.WP * C, at + (i * w.WP + w.KW) * C):
            if padded[k] != 0:
                return False
    return True


@parallel
def backward(threads, thread, x, kernel, dy, y, relu, dx, dkernels, dbiases, samples, w):
    """One thread's samples; its sums over them go into a dkernel and a dbias of its own. No dx if that is empty."""
    w = geometry(w)
    t = tiling(w, x.itemsize)
    C, F, HP, WP, need_dx = t.C, t.F, t.height * t.TH, OUTPUTS * t.TW, len(dx) > 0
    dkernel = dkernels[thread].reshape(-1)
    tiles, K = w.N * t.TH * t.TW, -(-w.C // MR) * MR
    V_step, dM_step = _point_step(tiles * C, x.itemsize), _point_step(tiles * F, x.itemsize)
    dU_step, U_step = _point_step(K * F, x.itemsize), _point_step(w.F * C, x.itemsize)
    padded, dz = np.zeros(w.N * w.HP * w.WP * C, x.dtype), np.zeros(w.N * HP * WP * F, x.dtype)
    V, dM, dU = empty(t.points * V_step, x), empty(t.points * dM_step, x), empty(t.points * dU_step, x)
    clear(dU, 0, len(dU))
    U, dpadded = empty(t.points * U_step if need_dx else 0, x), empty(len(padded) if need_dx else 0, x)
    if need_dx:  # each thread for itself: what it has prepared lies in its own cache
        _transform_kernel(exchange_channels(kernel, C, w), w.F, C, U, w.KW, t)
    no_bias, no_floor = np.zeros(C, x.dtype), x.dtype.type(-np.inf)
    channels, filters = np.minimum(np.arange(K), w.C - 1), np.arange(w.F)
    padded_tiles, dz_tiles = _tile_offsets(w.N, w.HP, w.WP, C, t), _tile_offsets(w.N, HP, WP, F, t)
    first, last = share(samples, threads, thread)
    block = even_part(last - first, w.N)
    for n in range(first, last, block):
        count, image_at = min(block, last - n), n * w.H * w.W * w.C
        tiles = count * t.TH * t.TW
        pad(x, image_at, w.C, count, padded, C, w, 1, 1)
        _transform_inputs(padded, w.WP, padded_tiles[:tiles], V, V_step, t)
        load_dz(dy, y, relu, n, count, dz, HP, WP, dbiases[thread], w)
        for tile in range(tiles):
            for f in range(0, F, lanes(x)):  # dM = A dz Aᵀ
                output_adjoint(t.form, dz, dz_tiles[tile] + f, WP * F, F, dM, tile * F + f, t.across * dM_step, dM_step)
        V_rows, dM_rows = np.arange(tiles) * C, np.arange(tiles) * F
        for e in range(t.points):  # a point stays in the cache from one product to the other
            multiply_add(V, e * V_step, channels, V_rows, tiles, dM, e * dM_step, dU, e * dU_step, F)
            if need_dx:  # dV = dM · Uᵀ, in V's place
                multiply(dM, e * dM_step, dM_rows, tiles, filters, w.F, U, e * U_step, C, no_bias, 0, 0, no_floor, V,
                         e * V_step, C)  # fmt: skip
        if need_dx:
            clear(dpadded, 0, len(dpadded))
            for tile in range(tiles):
                at = padded_tiles[tile]
                for c in range(0, C, lanes(x)):
                    input_adjoint(t.form, V, tile * C + c, t.across * V_step, V_step, dpadded, at + c, w.WP * C, C)
            unpad(dpadded, C, count, dx, image_at, w)
    for c in range(w.C):  # dk = Gᵀ dU G
        for f in range(0, F, lanes(x)):
            at = c * F + f
            kernel_adjoint(t.form, dU, at, t.across * dU_step, dU_step, dkernel, at, w.KW * w.C * F, w.C * F)


@serial
def _transform_kernel(kernel, C, F, U, KW, t):
    """U = G k Gᵀ of k (KH, KW, C, F), with F filled up: points a step apart, each (C, F)."""
    U_step = len(U) // t.points
    for c in range(C):
        for f in range(0, F, lanes(kernel)):
            at = c * F + f
            kernel_transform(t.form, kernel, at, KW * C * F, C * F, U, at, t.across * U_step, U_step)


@serial
def _tile_offsets(count, HP, WP, channels, t):
    """Where each tile begins in images of HP x WP pixels of so many numbers."""
    offsets = np.empty((count, t.TH, t.TW), np.intp)
    for n in range(count):
        for p in range(t.TH):
            for q in range(t.TW):
                offsets[n, p, q] = ((n * HP + t.height * p) * WP + OUTPUTS * q) * channels
    return offsets.reshape(-1)


@serial
def _transform_inputs(padded, WP, tiles, V, V_step, t):
    """V = Bᵀ d B of every tile d, which begins at tiles[…] in padded images of WP pixels a row.

    Points a step apart, each (tiles, filled up C).
    """
    for tile in range(len(tiles)):
        for c in range(0, t.C, lanes(V)):
            at = tiles[tile] + c
            input_transform(t.form, padded, at, WP * t.C, t.C, V, tile * t.C + c, t.across * V_step, V_step)
