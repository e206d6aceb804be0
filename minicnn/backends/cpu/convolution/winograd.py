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
from ..gemm.gemm import clear, copy, multiply, multiply_add, panel_count
from ..gemm.microkernel import MR, NR, VECTORS
from ..runtime.compile import parallel, serial, share
from ..runtime.memory import LINE_BYTES, empty
from ..runtime.threads import thread_count
from .implicit_gemm import exchange_channels, load_dz, pad, unpad
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
    if (w.KH, w.KW) not in FORMS or (w.SH, w.SW) != (1, 1) or min(w.C, w.F) < NR(itemsize):
        return False
    _, _, points, TH, TW = tiling.py_func(w)
    return w.N * TH * TW >= MIN_TILES and 4 * points * TH * TW <= 3 * w.KH * w.KW * w.OH * w.OW


def stage(w: Windows, relu: bool, itemsize: int) -> Stage:
    """y = conv(x, kernel) + bias, cut off at 0 if `relu`; its weights are the kernel and the bias."""
    w = _in_tiles(w)._replace(N=_block_samples(w))
    _, _, points, _, _ = tiling.py_func(w)
    U_size = points * _point_step.py_func(-(-w.F // NR(itemsize)) * NR(itemsize) * w.C, itemsize)
    return Stage(
        _convolve,
        (w.OH, w.OW, w.F),
        (relu, *w),
        weights=2,
        prepare=_prepare,
        prepared=U_size + w.N * w.HP * w.WP * filled_up.py_func(w.C, itemsize),
        block=w.N,
        work=w.OH * w.OW * w.KH * w.KW * w.C * w.F,
    )


def backward(
    x: Array, kernel: Array, dy: Array, y: Array, relu: bool, need_dx: bool, w: Windows
) -> tuple[Array | None, Array, Array]:
    """dx or None, dkernel and dbias, with dz = dy · relu′ or dy."""
    w, F = _in_tiles(w), filled_up.py_func(w.F, x.itemsize)
    dkernels = np.empty((thread_count(), w.KH, w.KW, w.C, F), x.dtype)  # one for each thread, added up in their order
    dbiases = np.zeros((len(dkernels), w.F))
    dx = np.empty(x.shape if need_dx else 0, x.dtype)
    _backward(
        x.reshape(-1), kernel.reshape(-1), dy.reshape(-1), y.reshape(-1), relu, dx.reshape(-1),
        dkernels.reshape(len(dkernels), -1), dbiases, _block_samples(w), np.array(w),
    )  # fmt: skip
    dkernel = np.ascontiguousarray(dkernels.sum(axis=0)[..., : w.F])
    return dx if need_dx else None, dkernel, dbiases.sum(axis=0).astype(x.dtype)


def _block_samples(w: Windows) -> int:
    """How many samples a thread takes at a time."""
    _, _, _, TH, TW = tiling.py_func(w)
    return max(1, min(w.N, BLOCK_TILES // (TH * TW)))


def _in_tiles(w: Windows) -> Windows:
    """The windows on images that are padded to whole tiles."""
    height, _, _, TH, TW = tiling.py_func(w)
    return w._replace(HP=height * TH + w.KH - 1, WP=OUTPUTS * TW + w.KW - 1)


@serial
def tiling(w):
    """The height of a tile, its points along the second axis and in all, the tiles along the axes of an image."""
    height = OUTPUTS if w.KH > 1 else 1
    across = OUTPUTS + w.KW - 1
    return height, across, across * (height + w.KH - 1), -(-w.OH // height), -(-w.OW // OUTPUTS)


@serial
def _tiles(samples, w):
    """The tiles of so many samples."""
    return samples * tiling(w)[3] * tiling(w)[4]


@serial
def _form(w):
    """Which of FORMS it is."""
    return 0 if w.KH == 3 else 4 - w.KW


@serial
def _lanes(itemsize):
    """How many numbers a vector holds: the channels that are transformed together."""
    return NR(itemsize) // VECTORS


@serial
def filled_up(channels, itemsize):
    """So many channels, filled up to halves of micropanels, and so to vectors."""
    half = NR(itemsize) // 2
    return -(-channels // half) * half


@serial
def _point_step(size, itemsize):
    """From the matrix of one point to the next."""
    return size + POINT_GAP_BYTES // itemsize


@serial
def _U_size(w, itemsize):
    """How many numbers a transformed kernel is."""
    return tiling(w)[2] * _point_step(panel_count(w.F, itemsize) * NR(itemsize) * w.C, itemsize)


@serial
def _prepare(x, x_at, y, y_at, count, numbers):
    """Prepares the stage: U = G k Gᵀ, and room for padded images."""
    w = geometry(numbers[4:])
    kernel, F = array_at(numbers[1], w.KH * w.KW * w.C * w.F, x), filled_up(w.F, x.itemsize)
    if w.F < F:
        stored, kernel = kernel, np.zeros(w.KH * w.KW * w.C * F, x.dtype)
        for row in range(w.KH * w.KW * w.C):
            copy(stored, row * w.F, kernel, row * F, w.F)
    U_size = _U_size(w, x.itemsize)
    _transform_kernel(kernel, y[y_at : y_at + U_size], w)
    clear(y, y_at + U_size, w.N * w.HP * w.WP * filled_up(w.C, x.itemsize))


@serial
def _convolve(x, x_at, y, y_at, count, numbers):
    """The stage's kernel."""
    w = geometry(numbers[4:])
    C, U_size = filled_up(w.C, x.itemsize), _U_size(w, x.itemsize)
    prepared = array_at(numbers[0], U_size + w.N * w.HP * w.WP * C, x)  # U, and room for padded images
    bias, padded = np.zeros(panel_count(w.F, x.itemsize) * NR(x.itemsize), x.dtype), prepared[U_size:]
    if numbers[2]:
        copy(array_at(numbers[2], w.F, x), 0, bias, 0, w.F)
    pad(x, x_at, count, padded, C, w)
    height, across, points, _, _ = tiling(w)
    tiles, F, W = _tiles(count, w), filled_up(w.F, x.itemsize), NR(x.itemsize)
    V_step, M_step, U_step = _point_step(tiles * C, x.itemsize), _point_step(tiles * F, x.itemsize), U_size // points
    V, M = empty(points * V_step, x), empty(points * M_step, x)
    _transform_inputs(padded, count, V, V_step, w)
    rows, channels, panels = np.arange(tiles) * C, np.arange(w.C), (0, panel_count(w.F, x.itemsize))
    no_bias, no_floor, one = np.zeros_like(bias), x.dtype.type(-np.inf), 1 + across * (height > 1)
    for e in range(points):  # what is added at the point 1 (of both axes) is added to each output
        multiply(V, e * V_step, rows, tiles, channels, w.C, prepared, e * U_step, w.C * W, W, panels,
                 bias if e == one else no_bias, no_floor, M, e * M_step, F)  # fmt: skip
    outputs, floor = np.empty(height * OUTPUTS * F, x.dtype), x.dtype.type(0.0 if numbers[3] else -np.inf)
    for tile in range(tiles):
        for f in range(0, F, _lanes(x.itemsize)):
            output_transform(_form(w), M, tile * F + f, across * M_step, M_step, outputs, f, OUTPUTS * F, F)
        _store_outputs(outputs, F, floor, y, y_at, tile, w)


@parallel
def _backward(threads, thread, x, kernel, dy, y, relu, dx, dkernels, dbiases, block, w):
    """One thread's samples; its sums over them go into a dkernel and a dbias of its own. No dx if that is empty."""
    w = geometry(w)
    height, across, points, TH, TW = tiling(w)
    C, F = filled_up(w.C, x.itemsize), filled_up(w.F, x.itemsize)
    W, panels, lanes = NR(x.itemsize), panel_count(w.F, x.itemsize), _lanes(x.itemsize)
    tiles = _tiles(block, w)
    padded, dz = np.zeros(block * w.HP * w.WP * C, x.dtype), np.zeros(tiles * height * OUTPUTS * F, x.dtype)
    V_step, dM_step = _point_step(tiles * C, x.itemsize), _point_step(tiles * panels * W, x.itemsize)
    V, dM = empty(points * V_step, x), empty(points * dM_step, x)
    channels, filters = np.minimum(np.arange(-(-w.C // MR) * MR), w.C - 1), np.arange(w.F)
    dU_step, U_step = _point_step(len(channels) * panels * W, x.itemsize), _U_size(_exchanged(w), x.itemsize) // points
    dU, U = np.zeros(points * dU_step, x.dtype), empty(points * U_step if len(dx) else 0, x)
    if len(dx):  # each thread for itself: what it has prepared lies in its own cache
        _transform_kernel(exchange_channels(kernel, C, w), U, _exchanged(w))
    C_panels, no_floor = (0, panel_count(w.C, x.itemsize)), x.dtype.type(-np.inf)
    no_bias = np.zeros(C_panels[1] * W, x.dtype)
    first, last = share(w.N, threads, thread)
    for n in range(first, last, block):
        count = min(block, last - n)
        image_at, tiles = n * w.H * w.W * w.C, _tiles(count, w)
        pad(x, image_at, count, padded, C, w)
        _transform_inputs(padded, count, V, V_step, w)
        load_dz(dy, y, relu, n, count, dz, F, W, (height * TH, OUTPUTS * TW, 0, 0, 1, 1), dbiases[thread], w)
        for tile in range(tiles):
            dz_at = _tile_at(tile, height * TH, OUTPUTS * TW, w) * F
            for f in range(0, F, lanes):  # dM = A dz Aᵀ, in micropanels
                at = (f // W * tiles + tile) * W + f % W
                output_adjoint(_form(w), dz, dz_at + f, OUTPUTS * TW * F, F, dM, at, across * dM_step, dM_step)
        rows, V_rows, dM_columns = np.arange(tiles) * W, np.arange(tiles) * C, filters // W * tiles * W + filters % W
        for e in range(points):  # a point stays in the cache from one product to the other
            multiply_add(V, e * V_step, channels, len(channels), V_rows, tiles, dM, e * dM_step, tiles * W, dU,
                         e * dU_step, w.F)  # fmt: skip
            if len(dx):  # dV = dM · Uᵀ, in V's place
                multiply(dM, e * dM_step, rows, tiles, dM_columns, w.F, U, e * U_step, w.F * W, W, C_panels, no_bias,
                         no_floor, V, e * V_step, C)  # fmt: skip
        if len(dx):
            dpadded = np.zeros(count * w.HP * w.WP * C, x.dtype)
            for tile in range(tiles):
                at = _tile_at(tile, w.HP, w.WP, w) * C
                for c in range(0, C, lanes):
                    input_adjoint(_form(w), V, tile * C + c, across * V_step, V_step, dpadded, at + c, w.WP * C, C)
            unpad(dpadded, C, count, dx, image_at, w)
    for c in range(w.C):  # dk = Gᵀ dU G
        for f in range(0, F, lanes):
            kernel_adjoint(_form(w), dU, c * panels * W + f, across * dU_step, dU_step, dkernels[thread], c * F + f,
                           w.KW * w.C * F, w.C * F)  # fmt: skip


@serial
def _exchanged(w):
    """Kernels whose channels and filters are exchanged."""
    return Windows(w.N, w.H, w.W, w.F, w.KH, w.KW, w.C, 1, 1, w.OH, w.OW, w.top, w.left, w.HP, w.WP)


@serial
def _transform_kernel(kernel, U, w):
    """U = G k Gᵀ of k (KH, KW, C, filled up F): points a step apart, each in micropanels (panels, C, NR)."""
    _, across, _, _, _ = tiling(w)
    W, F = NR(kernel.itemsize), filled_up(w.F, kernel.itemsize)
    U_step = len(U) // tiling(w)[2]
    for c in range(w.C):
        for f in range(0, F, _lanes(kernel.itemsize)):
            kernel_transform(_form(w), kernel, c * F + f, w.KW * w.C * F, w.C * F, U, (f // W * w.C + c) * W + f % W,
                             across * U_step, U_step)  # fmt: skip


@serial
def _tile_at(tile, HP, WP, w):
    """Which pixel of images of HP x WP is a tile's first."""
    height, _, _, TH, TW = tiling(w)
    n, place = divmod(tile, TH * TW)
    p, q = divmod(place, TW)
    return (n * HP + height * p) * WP + OUTPUTS * q


@serial
def _transform_inputs(padded, count, V, V_step, w):
    """V = Bᵀ d B of every tile d of the padded images: points a step apart, each (tiles, filled up C)."""
    _, across, _, _, _ = tiling(w)
    C = filled_up(w.C, V.itemsize)
    for tile in range(_tiles(count, w)):
        at = _tile_at(tile, w.HP, w.WP, w) * C
        for c in range(0, C, _lanes(V.itemsize)):
            input_transform(_form(w), padded, at + c, w.WP * C, C, V, tile * C + c, across * V_step, V_step)


@serial
def _store_outputs(outputs, F, floor, y, y_at, tile, w):
    """The floor, and into y as much of a tile as lies on the image."""
    height, _, _, TH, TW = tiling(w)
    n, place = divmod(tile, TH * TW)
    p, q = divmod(place, TW)
    inside = min(OUTPUTS, w.OW - OUTPUTS * q)
    run, runs = (inside * F, 1) if w.F == F else (w.F, inside)  # the pixels of a row at once, or one by one
    for i in range(min(height, w.OH - height * p)):
        at = y_at + ((n * w.OH + height * p + i) * w.OW + OUTPUTS * q) * w.F
        for j in range(runs):
            source, target = outputs[(OUTPUTS * i + j) * F :][:run], y[at + j * run :][:run]
            for f in range(run):
                target[f] = floor if source[f] < floor else source[f]


def restore_zero_windows(x: Array, bias: Array | None, y: Array, w: Windows) -> None:
    """Give a window of zeros exactly relu(bias), as a direct sum does.

    With a bias of 0, rounding must not give tiny positive values: their gradient would pass relu.
    """
    value = np.zeros(w.F, x.dtype) if bias is None else bias
    _restore(x.reshape(-1), np.maximum(value, 0), y.reshape(-1), np.array(w))


@parallel
def _restore(threads, thread, x, value, y, w):
    w = geometry(w)
    first, last = share(w.N * w.OH, threads, thread)
    for row in range(first, last):
        n, p = divmod(row, w.OH)
        for q in range(w.OW):
            if _all_zero(x, n, p - w.top, q - w.left, w):
                copy(value, 0, y, (row * w.OW + q) * w.F, w.F)


@serial
def _all_zero(x, n, top, left, w):
    """Whether a window holds nothing but zeros."""
    first, last = max(left, 0), min(left + w.KW, w.W)
    for h in range(max(top, 0), min(top + w.KH, w.H)):
        for at in range(((n * w.H + h) * w.W + first) * w.C, ((n * w.H + h) * w.W + last) * w.C):
            if x[at] != 0:
                return False
    return True
