"""Convolution with fewer multiplications: Winograd's minimal filtering.

A tile of 4 x 4 outputs of a 3 x 3 convolution takes 144 products a pair of channels. Seen as the product of two
polynomials, evaluated at six points along each axis, it takes 36 (Winograd, 1980; Lavin & Gray, 2016):

    y = Aᵀ [ (G k Gᵀ) ⊙ (Bᵀ d B) ] A         d the tile's 6 x 6 inputs, k the 3 x 3 kernel, ⊙ element by element

Along one axis, 4 outputs of a kernel of length 3 take 6 products instead of 12, of length 2 take 5 instead of 8:
y = Aᵀ [ (G k) ⊙ (Bᵀ d) ].

Summed over the input channels, each of the 36, 6 or 5 points is a matrix product of its own: V[e] (tiles, C) · U[e]
(C, F). All of it is linear, so the backward is its adjoint, step by step: with M̅ = A dz Aᵀ,

    dk = Gᵀ [ Vᵀ · M̅ ] G        dx = Σ over the tiles of B [ M̅ · Uᵀ ] Bᵀ

The price is rounding: about ten times that of the direct sum, 1e-6 of the largest output in float32.
"""

from __future__ import annotations

import numpy as np

from ..contract import Array
from .direct import Windows
from .products import accumulate, add, clear, copy, mask, multiply
from .runtime.compile import parallel, serial, share
from .runtime.memory import LINE_BYTES, empty
from .runtime.numba_internals import to_fixed_tuple
from .runtime.threads import thread_count
from .stages import Stage, array_at
from .tile import ROWS, VECTORS, width
from .tiling import SIZES, Tiling, block_samples, tables, tiling
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

ENOUGH = 128
"""So many tiles pay for the kernel's transform."""


@serial
def lanes(itemsize):
    """How many numbers a vector holds: the channels that are transformed together."""
    return width(itemsize) // VECTORS


def suits(w: Windows, itemsize: int) -> bool:
    """Whether there is a form for the convolution that saves a quarter of the products, and enough channels and tiles
    to pay for the transforms."""
    if (w.KH, w.KW) not in FORMS or (w.SH, w.SW) != (1, 1) or min(w.C, w.F) < width(itemsize):
        return False
    t = tiling(w, itemsize)
    tiles = t.TH * t.TW
    return t.N * tiles >= ENOUGH and 4 * t.points * tiles <= 3 * w.KH * w.KW * w.OH * w.OW


def backward(
    x: Array, kernel: Array, dy: Array, y: Array, relu: bool, need_dx: bool, w: Windows
) -> tuple[Array | None, Array, Array]:
    """dx or None, dkernel and dbias of `forward`, whose output y was cut off at 0 if `relu`."""
    t = tiling(w, x.itemsize)
    dkernels = np.empty(
        (thread_count(), w.KH, w.KW, t.CP, t.FP), x.dtype
    )  # one for each thread, added up in their order
    dbiases = np.zeros((thread_count(), t.FP), np.float64)
    dx = np.empty(x.shape if need_dx else 0, x.dtype)
    _backward(
        x.reshape(-1), kernel.reshape(-1), dy.reshape(-1), y.reshape(-1), relu, dx.reshape(-1),
        dkernels.reshape(len(dkernels), -1), dbiases, *tables(t, x.itemsize), np.array(t),
    )  # fmt: skip
    dkernel = np.ascontiguousarray(dkernels.sum(axis=0)[:, :, : t.C, : t.F])
    return dx if need_dx else None, dkernel, dbiases.sum(axis=0)[: t.F].astype(x.dtype)


def stage(w: Windows, relu: bool, itemsize: int) -> Stage:
    """y = conv(x, kernel) + bias, cut off at 0 if `relu`; its weights are the kernel and the bias."""
    t = tiling(w, itemsize)
    places = tables(t, itemsize)
    return Stage(
        _convolve,
        (t.OH, t.OW, t.F),
        (relu, *t),
        arrays=2,
        tables=(places.channels, places.inputs),
        prepare=_prepare,
        prepared=t.points * int(_step.py_func(t.CP * t.FP, itemsize)),
        block=int(block_samples.py_func(t)),
        work=w.OH * w.OW * w.KH * w.KW * w.C * w.F,
    )


GAP_BYTES = LINE_BYTES


@serial
def _step(size, itemsize):
    """From one point to the next: a cache line more than the point takes.

    A tile's points are written together, and at distances of a power of two all of them would want the same few places
    of the first-level cache.
    """
    return size + GAP_BYTES // itemsize


@serial
def _prepare(parts, part, x, x_at, y, y_at, count, numbers):
    """Prepares the stage: U = G k Gᵀ. Its parts have some of the channels each."""
    t = Tiling(*to_fixed_tuple(numbers[5:], SIZES))
    kernel = array_at(numbers[0], t.KH * t.KW * t.C * t.F, x)
    _transform_kernel(_filled_up(kernel, t), share(t.CP, parts, part), t.CP, t.FP, y[y_at:], t)


@serial
def _filled_up(kernel, t):
    """The kernel (KH, KW, C, F) with zeros up to CP channels and FP filters."""
    if t.CP == t.C and t.FP == t.F:
        return kernel
    full = np.zeros(t.KH * t.KW * t.CP * t.FP, kernel.dtype)
    for tap in range(t.KH * t.KW):
        for c in range(t.C):
            copy(kernel, (tap * t.C + c) * t.F, full, (tap * t.CP + c) * t.FP, t.F)
    return full


@serial
def _swapped(kernel, t):
    """The kernel (KH, KW, CP, FP) with its channels and filters exchanged."""
    swapped = np.empty_like(kernel)
    step = lanes(kernel.itemsize)  # squares, so that lines of both arrays stay in the cache
    for start in range(0, t.KH * t.KW * t.CP, step):
        tap, c = divmod(start, t.CP)
        for f in range(t.FP):
            source, target = kernel[start * t.FP + f :], swapped[(tap * t.FP + f) * t.CP + c :][:step]
            for i in range(step):
                target[i] = source[i * t.FP]
    return swapped


@serial
def _transform_kernel(kernel, some_rows, rows, columns, U, t):
    """U = G k Gᵀ of k (KH, KW, rows, columns): points a step apart, each (panels, rows, width)."""
    W, size = width(kernel.itemsize), rows * columns
    U_step = _step(size, kernel.itemsize)
    for row in range(some_rows[0], some_rows[1]):
        for column in range(0, columns, lanes(kernel.itemsize)):
            at = (column // W * rows + row) * W + column % W
            kernel_transform(t.form, kernel, row * columns + column, t.KW * size, size, U, at, t.across * U_step,
                             U_step)  # fmt: skip


@serial
def _kernel_gradient(dU, dU_step, dkernel, t):
    """dk = Gᵀ dU G: dU, its points (rows, FP) a step apart -> dkernel (KH, KW, CP, FP)."""
    size = t.CP * t.FP
    for at in range(0, size, lanes(dU.itemsize)):
        kernel_adjoint(t.form, dU, at, t.across * dU_step, dU_step, dkernel, at, t.KW * size, size)


@serial
def _convolve(parts, part, x, x_at, y, y_at, count, numbers):
    """A stage. Its parts have some of the samples each."""
    t, W = Tiling(*to_fixed_tuple(numbers[5:], SIZES)), width(x.itemsize)
    no_floor = x.dtype.type(-np.inf)
    floor = x.dtype.type(0.0) if numbers[4] else no_floor
    U_step = _step(t.CP * t.FP, x.itemsize)
    U = array_at(numbers[0], t.points * U_step, x)
    channels = array_at(numbers[2], -(-t.CP // ROWS) * ROWS, numbers)
    inputs = array_at(numbers[3], block_samples(t) * t.TH * t.TW, numbers)
    first, last = share(count, parts, part)
    x_at, y_at, count = x_at + first * t.H * t.W * t.C, y_at + first * t.OH * t.OW * t.F, last - first
    tiles = count * t.TH * t.TW
    V_step, M_step = _step(tiles * t.CP, x.itemsize), _step(tiles * t.FP, x.itemsize)
    V, M = empty(t.points * V_step, x), empty(t.points * M_step, x)
    padded = np.empty(count * t.HP * t.WP * t.CP, x.dtype)
    _clear_frame(padded, count, t)
    _transform_inputs(x, x_at, count, padded, V, V_step, t)
    multiply((t.points, V_step, U_step, M_step), V, inputs, tiles, channels, t.CP, U, t.CP * W, W, (0, t.FP // W),
             np.zeros(t.FP, x.dtype), no_floor, M, 0, t.FP)  # fmt: skip
    outputs, biases = np.empty(16 * t.FP, x.dtype), np.zeros(OUTPUTS * t.FP, x.dtype)
    if numbers[1]:
        for j in range(OUTPUTS):
            copy(array_at(numbers[1], t.F, x), 0, biases, j * t.FP, t.F)
    for tile in range(tiles):
        for f in range(0, t.FP, lanes(x.itemsize)):
            output_transform(t.form, M, tile * t.FP + f, t.across * M_step, M_step, outputs, f, 4 * t.FP, t.FP)
        _store_outputs(outputs, biases, floor, y, y_at, tile, t)


@serial
def _clear_frame(padded, count, t):
    """Zeros around the images, and in the channels that fill them up."""
    if t.CP > t.C:
        clear(padded, 0, len(padded))
        return
    row = t.WP * t.CP
    for n in range(count):
        for h in range(t.HP):
            at, outside = (n * t.HP + h) * row, h < t.top or h >= t.top + t.H
            clear(padded, at, row if outside else t.left * t.CP)
            right = (t.left + t.W) * t.CP
            clear(padded, at + right, 0 if outside else row - right)


@serial
def _move(source, source_at, source_C, target, target_at, target_C, pixels):
    """Copy pixels between images, one of which may have channels to fill it up."""
    run, runs = (pixels * source_C, 1) if source_C == target_C else (min(source_C, target_C), pixels)
    for i in range(runs):
        copy(source, source_at + i * source_C, target, target_at + i * target_C, run)


@serial
def _transform_inputs(x, x_at, count, padded, V, V_step, t):
    """V = Bᵀ d B of every tile d of the samples at x[x_at]: V (points, V_step), each point (tiles, CP)."""
    for n in range(count):
        for h in range(t.H):
            target = ((n * t.HP + t.top + h) * t.WP + t.left) * t.CP
            _move(x, x_at + (n * t.H + h) * t.W * t.C, t.C, padded, target, t.CP, t.W)
    tile = 0
    for n in range(count):
        for p in range(t.TH):
            for q in range(t.TW):
                at = ((n * t.HP + t.height * p) * t.WP + 4 * q) * t.CP
                for c in range(0, t.CP, lanes(x.itemsize)):
                    input_transform(
                        t.form,
                        padded,
                        at + c,
                        t.WP * t.CP,
                        t.CP,
                        V,
                        tile * t.CP + c,
                        t.across * V_step,
                        V_step,
                    )
                tile += 1


@serial
def _store_outputs(outputs, biases, floor, y, y_at, tile, t):
    """Bias and floor, and into y as much of a tile as lies on the image."""
    n, place = divmod(tile, t.TH * t.TW)
    p, q = divmod(place, t.TW)
    inside = min(OUTPUTS, t.OW - OUTPUTS * q)
    run, runs = (inside * t.F, 1) if t.F == t.FP else (t.F, inside)  # the pixels of a row at once, or one by one
    for i in range(min(t.height, t.OH - t.height * p)):
        at = y_at + ((n * t.OH + t.height * p + i) * t.OW + OUTPUTS * q) * t.F
        for j in range(runs):
            source, added = outputs[(OUTPUTS * i + j) * t.FP :][:run], biases[j * t.FP :][:run]
            target = y[at + j * run :][:run]
            for f in range(run):
                value = source[f] + added[f]
                target[f] = floor if value < floor else value


@parallel
def _backward(threads, part, x, kernel, dy, y, relu, dx, dkernels, dbiases, channels, inputs, outputs, filters, t):
    """One thread's samples; its sums over them go into a dkernel and a dbias of its own. No dx if that is empty."""
    t = Tiling(*to_fixed_tuple(t, SIZES))
    first, last = share(t.N, threads, part)
    if first == last:
        clear(dkernels[part], 0, dkernels.shape[1])
        return
    block, W = block_samples(t), width(x.itemsize)
    capacity = block * t.TH * t.TW
    padded = np.zeros(block * t.HP * t.WP * t.CP, x.dtype)
    V_step, M_step = _step(capacity * t.CP, x.itemsize), _step(capacity * t.FP, x.itemsize)
    U_step, dU_step = _step(t.FP * t.CP, x.itemsize), _step(len(channels) * t.FP, x.itemsize)
    V, M = empty(t.points * V_step, x), empty(t.points * M_step, x)
    U_T, dU = empty(t.points * U_step if len(dx) else 0, x), empty(t.points * dU_step, x)
    if len(dx):  # every thread for itself: what it has made lies in its own cache
        _transform_kernel(_swapped(_filled_up(kernel, t), t), (0, t.FP), t.FP, t.CP, U_T, t)
    clear(dU, 0, len(dU))
    dz, dbias = np.zeros(16 * t.FP, x.dtype), dbiases[part]
    nothing, no_floor = np.zeros(t.CP, x.dtype), x.dtype.type(-np.inf)
    for n in range(first, last, block):
        count = min(block, last - n)
        _transform_inputs(x, n * t.H * t.W * t.C, count, padded, V, V_step, t)
        for tile in range(count * t.TH * t.TW):
            _load_dz(dy, y, relu, n, tile, dz, t)
            for f in range(0, t.FP, lanes(x.itemsize)):
                at = (f // W * capacity + tile) * W + f % W
                output_adjoint(t.form, dz, f, 4 * t.FP, t.FP, M, at, t.across * M_step, M_step)
        tiles = count * t.TH * t.TW
        _add_to_dbias(M, (1 + t.across * (t.height > 1)) * M_step, capacity, tiles, dbias)
        for point in range(0, t.points, t.across):  # a row of them stays in the cache from one product to the other
            V_at, M_at, dU_at = point * V_step, point * M_step, point * dU_step
            accumulate((t.across, V_step, M_step, dU_step), V[V_at:], channels, inputs, tiles, M[M_at:], capacity * W,
                       dU[dU_at:], (len(channels), t.FP), t.F)  # fmt: skip
            if len(dx):
                kernels = U_T[point * U_step :]
                multiply((t.across, M_step, U_step, V_step), M[M_at:], outputs, tiles, filters, t.FP, kernels, t.FP * W,
                         W, (0, t.CP // W), nothing, no_floor, V, V_at, t.CP)  # fmt: skip
        if len(dx):
            _collect_dx(V, dx, n, count, V_step, t)
    _kernel_gradient(dU, dU_step, dkernels[part], t)


@serial
def _load_dz(dy, y, relu, first, tile, dz, t):
    """dz of one tile, zeros where it hangs over the image's edge."""
    n, place = divmod(tile, t.TH * t.TW)
    p, q = divmod(place, t.TW)
    inside = min(OUTPUTS, t.OW - OUTPUTS * q)
    run, runs = (inside * t.F, 1) if t.F == t.FP else (t.F, inside)  # the pixels of a row at once, or one by one
    for i in range(t.height):
        row = dz[OUTPUTS * i * t.FP :][: OUTPUTS * t.FP]
        if t.height * p + i >= t.OH:
            clear(row, 0, OUTPUTS * t.FP)
            continue
        at = (((first + n) * t.OH + t.height * p + i) * t.OW + OUTPUTS * q) * t.F
        for j in range(runs):
            source, value, target = dy[at + j * run :][:run], y[at + j * run :][:run], row[j * t.FP :][:run]
            if relu:
                mask(source, value, target)
            else:
                copy(source, 0, target, 0, run)
        clear(row, inside * t.FP, (OUTPUTS - inside) * t.FP)


@serial
def _add_to_dbias(M, M_at, capacity, tiles, dbias):
    """dbias += Σ dz, from M̅ = A dz Aᵀ at the point 1 (of both axes): A's row there is all ones, so M̅ is a sum."""
    W = width(M.itemsize)
    for first in range(0, len(dbias), W):
        for tile in range(tiles):
            add(M[M_at + first * capacity + tile * W :][:W], dbias[first : first + W])


@serial
def _collect_dx(dV, dx, first, count, V_step, t):
    """dx = Σ over the tiles of B dV Bᵀ, each added where its inputs were."""
    padded = np.zeros(count * t.HP * t.WP * t.CP, dx.dtype)
    tile = 0
    for n in range(count):
        for p in range(t.TH):
            for q in range(t.TW):
                at = ((n * t.HP + t.height * p) * t.WP + 4 * q) * t.CP
                for c in range(0, t.CP, lanes(dx.itemsize)):
                    input_adjoint(
                        t.form,
                        dV,
                        tile * t.CP + c,
                        t.across * V_step,
                        V_step,
                        padded,
                        at + c,
                        t.WP * t.CP,
                        t.CP,
                    )
                tile += 1
        for h in range(t.H):
            source = ((n * t.HP + t.top + h) * t.WP + t.left) * t.CP
            _move(padded, source, t.CP, dx, ((first + n) * t.H + h) * t.W * t.C, t.C, t.W)
