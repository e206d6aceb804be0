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

import numpy as np

from ...contract import Array
from ...geometry import Windows
from ..executor import Stage, array_at, geometry
from ..gemm.gemm import clear, copy, filled_up, multiply, multiply_add
from ..gemm.microkernel import MR, NR_BYTES
from ..runtime.compile import even_part, parallel, serial, share, shared
from ..runtime.memory import LINE_BYTES, empty
from ..runtime.threads import thread_count
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


def suits(w: Windows, itemsize: int) -> bool:
    """Whether there is a form for the convolution that saves a quarter of the products, and enough channels and tiles
    to pay for the transforms."""
    if (w.KH, w.KW) not in FORMS or (w.SH, w.SW) != (1, 1) or min(w.C, w.F) < NR_BYTES // itemsize:
        return False
    _, _, points, TH, TW = tiling(w)
    return w.N * TH * TW >= MIN_TILES and 4 * points * TH * TW <= 3 * w.KH * w.KW * w.OH * w.OW


def stage(w: Windows, relu: bool, itemsize: int, training: bool) -> Stage:
    """y = conv(x, kernel) + bias, cut off at 0 if `relu`; its weights are the kernel and the bias."""
    w = _in_tiles(w)
    C, F = filled_up(w.C, itemsize), filled_up(w.F, itemsize)
    _, _, points, _, _ = tiling(w)
    return Stage(
        _convolve,
        (w.OH, w.OW, w.F),
        (relu, relu and training, *w),
        weights=2,
        prepare=_prepare,
        prepared=points * _point_step(w.C * F, itemsize) + w.N * w.HP * w.WP * C,
        block=w.N,
        work=w.OH * w.OW * w.KH * w.KW * w.C * w.F,
    )


def backward(
    x: Array, kernel: Array, dy: Array, y: Array, relu: bool, need_dx: bool, w: Windows
) -> tuple[Array | None, Array, Array]:
    """dx or None, dkernel and dbias, with dz = dy · relu′ or dy."""
    samples, w, F = w.N, _in_tiles(w), filled_up(w.F, x.itemsize)
    dkernels = np.empty((thread_count(), w.KH, w.KW, w.C, F), x.dtype)  # one for each thread, added up in their order
    dbiases = np.zeros((len(dkernels), w.F))
    dx = np.empty(x.shape if need_dx else 0, x.dtype)
    _backward(
        x.reshape(-1), kernel.reshape(-1), dy.reshape(-1), y.reshape(-1), relu, dx.reshape(-1),
        dkernels.reshape(len(dkernels), -1), dbiases, samples, np.array(w),
    )  # fmt: skip
    dkernel = np.ascontiguousarray(dkernels.sum(axis=0)[..., : w.F])
    return dx if need_dx else None, dkernel, dbiases.sum(axis=0).astype(x.dtype)


def _in_tiles(w: Windows) -> Windows:
    """The windows on a block of images that are padded to whole tiles."""
    height, _, _, TH, TW = tiling(w)
    block = max(1, min(w.N, BLOCK_TILES // (TH * TW)))
    return w._replace(N=block, HP=height * TH + w.KH - 1, WP=OUTPUTS * TW + w.KW - 1)


@shared
def tiling(w):
    """The height of a tile, its points along the second axis and in all, the tiles along the axes of an image."""
    height = OUTPUTS if w.KH > 1 else 1
    across = OUTPUTS + w.KW - 1
    return height, across, across * (height + w.KH - 1), -(-w.OH // height), -(-w.OW // OUTPUTS)


@serial
def _form(w):
    """Which of FORMS it is."""
    return 0 if w.KH == 3 else 4 - w.KW


@shared
def _point_step(size, itemsize):
    """From the matrix of one point to the next."""
    return size + POINT_GAP_BYTES // itemsize


@serial
def _prepare(x, x_at, y, y_at, count, numbers):
    """Prepares the stage: U = G k Gᵀ, and room for padded images."""
    w = geometry(numbers[5:])
    kernel, F = array_at(numbers[1], w.KH * w.KW * w.C * w.F, x), filled_up(w.F, x.itemsize)
    if w.F < F:
        stored, kernel = kernel, np.zeros(w.KH * w.KW * w.C * F, x.dtype)
        fill_up(stored, w.F, kernel, 0)
    U_size = tiling(w)[2] * _point_step(w.C * F, x.itemsize)
    _transform_kernel(kernel, y[y_at : y_at + U_size], F, w)
    clear(y, y_at + U_size, w.N * w.HP * w.WP * filled_up(w.C, x.itemsize))


@serial
def _convolve(x, x_at, y, y_at, count, numbers):
    """The stage's kernel."""
    relu, exact, w = numbers[3], numbers[4], geometry(numbers[5:])
    height, across, points, TH, TW = tiling(w)
    C, F, tiles = filled_up(w.C, x.itemsize), filled_up(w.F, x.itemsize), count * TH * TW
    U_step, V_step = _point_step(w.C * F, x.itemsize), _point_step(tiles * C, x.itemsize)
    M_step, U_size = _point_step(tiles * F, x.itemsize), points * U_step
    prepared = array_at(numbers[0], U_size + w.N * w.HP * w.WP * C, x)  # U, and room for padded images
    bias, padded = filled_up_bias(numbers[2], w.F, x), prepared[U_size:]
    V, M, outputs = empty(points * V_step, x), empty(points * M_step, x), np.empty(height * OUTPUTS * F, x.dtype)
    pad(x, x_at, w.C, count, padded, C, w, 1, 1)
    _transform_inputs(padded, _tile_offsets(count, w.HP, w.WP, C, w), V, V_step, w)
    rows, channels = np.arange(tiles) * C, np.arange(w.C)
    no_bias, no_floor, one = np.zeros_like(bias), x.dtype.type(-np.inf), 1 + across * (height > 1)
    for e in range(points):  # what is added at the point 1 (of both axes) is added to each output
        multiply(V, e * V_step, rows, tiles, channels, w.C, prepared, e * U_step, F, bias if e == one else no_bias, 0,
                 0, no_floor, M, e * M_step, F)  # fmt: skip
    floor = x.dtype.type(0.0 if relu else -np.inf)
    bias = np.maximum(bias, floor)
    tile = 0
    for n in range(count):
        for p in range(0, w.OH, height):
            for q in range(0, w.OW, OUTPUTS):
                for f in range(0, F, lanes(x)):
                    output_transform(_form(w), M, tile * F + f, across * M_step, M_step, outputs, f, OUTPUTS * F, F)
                at = y_at + ((n * w.OH + p) * w.OW + q) * w.F
                rows, columns = min(height, w.OH - p), min(OUTPUTS, w.OW - q)  # of the tile on the image
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
def _backward(threads, thread, x, kernel, dy, y, relu, dx, dkernels, dbiases, samples, w):
    """One thread's samples; its sums over them go into a dkernel and a dbias of its own. No dx if that is empty."""
    w = geometry(w)
    height, across, points, TH, TW = tiling(w)
    C, F, need_dx, HP, WP = (
        filled_up(w.C, x.itemsize),
        filled_up(w.F, x.itemsize),
        len(dx) > 0,
        height * TH,
        OUTPUTS * TW,
    )
    tiles, K = w.N * TH * TW, -(-w.C // MR) * MR
    V_step, dM_step = _point_step(tiles * C, x.itemsize), _point_step(tiles * F, x.itemsize)
    dU_step, U_step = _point_step(K * F, x.itemsize), _point_step(w.F * C, x.itemsize)
    padded, dz = np.zeros(w.N * w.HP * w.WP * C, x.dtype), np.zeros(w.N * HP * WP * F, x.dtype)
    V, dM, dU = empty(points * V_step, x), empty(points * dM_step, x), empty(points * dU_step, x)
    clear(dU, 0, len(dU))
    U, dpadded = empty(points * U_step if need_dx else 0, x), empty(len(padded) if need_dx else 0, x)
    if need_dx:  # each thread for itself: what it has prepared lies in its own cache
        _transform_kernel(exchange_channels(kernel, C, w), U, C, _exchanged(w))
    no_bias, no_floor = np.zeros(C, x.dtype), x.dtype.type(-np.inf)
    channels, filters = np.minimum(np.arange(K), w.C - 1), np.arange(w.F)
    padded_tiles, dz_tiles = _tile_offsets(w.N, w.HP, w.WP, C, w), _tile_offsets(w.N, HP, WP, F, w)
    first, last = share(samples, threads, thread)
    block = even_part(last - first, w.N)
    for n in range(first, last, block):
        count, image_at = min(block, last - n), n * w.H * w.W * w.C
        tiles = count * TH * TW
        pad(x, image_at, w.C, count, padded, C, w, 1, 1)
        _transform_inputs(padded, padded_tiles[:tiles], V, V_step, w)
        load_dz(dy, y, relu, n, count, dz, HP, WP, dbiases[thread], w)
        for tile in range(tiles):
            for f in range(0, F, lanes(x)):  # dM = A dz Aᵀ
                output_adjoint(_form(w), dz, dz_tiles[tile] + f, WP * F, F, dM, tile * F + f, across * dM_step, dM_step)
        V_rows, dM_rows = np.arange(tiles) * C, np.arange(tiles) * F
        for e in range(points):  # a point stays in the cache from one product to the other
            multiply_add(V, e * V_step, channels, V_rows, tiles, dM, e * dM_step, dU, e * dU_step, F)
            if need_dx:  # dV = dM · Uᵀ, in V's place
                multiply(dM, e * dM_step, dM_rows, tiles, filters, w.F, U, e * U_step, C, no_bias, 0, 0, no_floor, V,
                         e * V_step, C)  # fmt: skip
        if need_dx:
            clear(dpadded, 0, len(dpadded))
            for tile in range(tiles):
                at = padded_tiles[tile]
                for c in range(0, C, lanes(x)):
                    input_adjoint(_form(w), V, tile * C + c, across * V_step, V_step, dpadded, at + c, w.WP * C, C)
            unpad(dpadded, C, count, dx, image_at, w)
    for c in range(w.C):  # dk = Gᵀ dU G
        for f in range(0, F, lanes(x)):
            kernel_adjoint(_form(w), dU, c * F + f, across * dU_step, dU_step, dkernels[thread], c * F + f,
                           w.KW * w.C * F, w.C * F)  # fmt: skip


@serial
def _exchanged(w):
    """Kernels whose channels and filters are exchanged."""
    return Windows(w.N, w.H, w.W, w.F, w.KH, w.KW, w.C, 1, 1, w.OH, w.OW, w.top, w.left, w.HP, w.WP)


@serial
def _transform_kernel(kernel, U, F, w):
    """U = G k Gᵀ of k (KH, KW, C, F): points a step apart, each (C, F), with F filled up."""
    _, across, points, _, _ = tiling(w)
    U_step = len(U) // points
    for c in range(w.C):
        for f in range(0, F, lanes(kernel)):
            at = c * F + f
            kernel_transform(_form(w), kernel, at, w.KW * w.C * F, w.C * F, U, at, across * U_step, U_step)


@serial
def _tile_offsets(count, HP, WP, channels, w):
    """Where each tile begins in images of HP x WP pixels of so many numbers."""
    height, _, _, TH, TW = tiling(w)
    offsets = np.empty((count, TH, TW), np.intp)
    for n in range(count):
        for p in range(TH):
            for q in range(TW):
                offsets[n, p, q] = ((n * HP + height * p) * WP + OUTPUTS * q) * channels
    return offsets.reshape(-1)


@serial
def _transform_inputs(padded, tiles, V, V_step, w):
    """V = Bᵀ d B of every tile d, which begins at tiles[…] in the padded images.

    Points a step apart, each (tiles, filled up C).
    """
    _, across, _, _, _ = tiling(w)
    C = filled_up(w.C, V.itemsize)
    for tile in range(len(tiles)):
        for c in range(0, C, lanes(V)):
            input_transform(_form(w), padded, tiles[tile] + c, w.WP * C, C, V, tile * C + c, across * V_step, V_step)
