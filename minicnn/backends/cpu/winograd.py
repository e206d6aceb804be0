"""Convolution with fewer multiplications: Winograd's minimal filtering.

A tile of 4 x 4 outputs of a 3 x 3 convolution takes 144 products a pair of channels. Seen as the product of two
polynomials, evaluated at six points along each axis, it takes 36 (Winograd, 1980; Lavin & Gray, 2016):

    y = Aᵀ [ (G k Gᵀ) ⊙ (Bᵀ d B) ] A         d the tile's 6 x 6 inputs, k the 3 x 3 kernel, ⊙ element by element

Along one axis, 4 outputs of a kernel of length 3 take 6 products instead of 12: y = Aᵀ [ (G k) ⊙ (Bᵀ d) ].

Summed over the input channels, each of the 36 or 6 points is a matrix product of its own: V[e] (tiles, C) · U[e]
(C, F). All of it is linear, so the backward is its adjoint, step by step: with M̅ = A dz Aᵀ,

    dk = Gᵀ [ Vᵀ · M̅ ] G        dx = Σ over the tiles of B [ M̅ · Uᵀ ] Bᵀ

The price is rounding: about ten times that of the direct sum, 1e-6 of the largest output in float32.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple

from ..contract import Array
from .direct import Windows
from .kernels import parallel, serial, share, team_size
from .products import accumulate, add, clear, copy, mask, multiply
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
    """Whether there is a form for the convolution, and enough channels and tiles to pay for the transforms."""
    if (w.KH, w.KW) not in FORMS or (w.SH, w.SW) != (1, 1) or min(w.C, w.F) < width(itemsize):
        return False
    t = tiling(w, itemsize)
    return t.N * t.TH * t.TW >= ENOUGH


def backward(
    x: Array, kernel: Array, dy: Array, y: Array, relu: bool, need_dx: bool, w: Windows
) -> tuple[Array | None, Array, Array]:
    """dx or None, dkernel and dbias of `forward`, whose output y was cut off at 0 if `relu`."""
    t = tiling(w, x.itemsize)
    places = tables(t, x.itemsize)
    dUs = np.zeros((team_size(), t.points, len(places.channels), t.FP), x.dtype)  # one for each thread
    dbiases = np.zeros((team_size(), t.FP), np.float64)
    dx = np.empty(x.shape if need_dx else 0, x.dtype)
    U_T = np.empty((0, 0, 0, 0), x.dtype)
    if need_dx:
        U_T = _transformed(np.ascontiguousarray(_filled_up(kernel, t).swapaxes(2, 3)), t)
    _backward(
        x.reshape(-1), U_T, dy.reshape(-1), y.reshape(-1), relu, dx.reshape(-1), dUs, dbiases, *places, np.array(t)
    )
    dkernel = np.empty((*kernel.shape[:2], t.CP, t.FP), x.dtype)
    _kernel_gradient(dUs, t.form, t.across, w.KW, dkernel.reshape(-1), t.CP)
    dkernel = np.ascontiguousarray(dkernel[:, :, : t.C, : t.F])
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
        prepare=partial(_prepared, t=t, shape=(w.KH, w.KW, w.C, w.F)),
        block=int(block_samples.py_func(t)),
        work=w.OH * w.OW * w.KH * w.KW * w.C * w.F,
    )


def _prepared(kernel: Array, t: Tiling, shape: tuple[int, ...]) -> Array:
    return _transformed(_filled_up(kernel.reshape(shape), t), t)


def _filled_up(kernel: Array, t: Tiling) -> Array:
    """The kernel with zeros up to CP channels and FP filters."""
    if (t.CP, t.FP) == (t.C, t.F):
        return kernel
    full = np.zeros((*kernel.shape[:2], t.CP, t.FP), kernel.dtype)
    full[:, :, : t.C, : t.F] = kernel
    return full


LINE_BYTES = 64  # of a cache


@serial
def _step(size, itemsize):
    """From one point to the next: a cache line more than the point takes.

    A tile's points are written together, and at distances of a power of two all of them would want the same few places
    of the first-level cache.
    """
    return size + LINE_BYTES // itemsize


def _transformed(kernel: Array, t: Tiling) -> Array:
    """U = G k Gᵀ of k (KH, KW, rows, columns) -> (points, panels, rows, width), its columns in panels."""
    _, KW, rows, columns = kernel.shape
    W = width(kernel.itemsize)
    U = np.empty((t.points, columns // W, rows, W), kernel.dtype)
    _transform_kernel(kernel.reshape(-1), rows, columns, t.form, t.across, KW, U.reshape(-1))
    return U


@parallel
def _transform_kernel(threads, part, kernel, C, F, form, across, KW, U):
    step, W = lanes(kernel.itemsize), width(kernel.itemsize)
    first, last = share(C, threads, part)
    for c in range(first, last):
        for f in range(0, F, step):
            at = (f // W * C + c) * W + f % W
            kernel_transform(form, kernel, c * F + f, KW * C * F, C * F, U, at, across * C * F, C * F)


@parallel
def _kernel_gradient(threads, part, dUs, form, across, KW, dkernel, C):
    """dk = Gᵀ (Σ dU) G: dUs (threads, points, rows, F) -> dkernel (KH, KW, C, F), flat."""
    team, points, rows, F = dUs.shape
    first, last = share(C, threads, part)
    if first == last:
        return
    total = dUs[0].reshape(-1)
    for point in range(points):
        for other in range(1, team):
            add(dUs[other, point, first:last].reshape(-1), dUs[0, point, first:last].reshape(-1))
    for c in range(first, last):
        for f in range(0, F, lanes(dUs.itemsize)):
            at = c * F + f
            kernel_adjoint(form, total, at, across * rows * F, rows * F, dkernel, at, KW * C * F, C * F)


@serial
def _convolve(parts, part, x, x_at, y, y_at, count, numbers):
    """A stage. Its parts have some of the samples each."""
    t = Tiling(*to_fixed_tuple(numbers[5:], SIZES))
    W, floor = width(x.itemsize), x.dtype.type(0.0 if numbers[4] else -np.inf)
    U = array_at(numbers[0], t.points * t.CP * t.FP, x).reshape(t.points, t.FP // W, t.CP, W)
    channels = array_at(numbers[2], -(-t.CP // ROWS) * ROWS, numbers)
    inputs = array_at(numbers[3], block_samples(t) * t.TH * t.TW, numbers)
    first, last = share(count, parts, part)
    x_at, y_at, count = x_at + first * t.H * t.W * t.C, y_at + first * t.OH * t.OW * t.F, last - first
    tiles = count * t.TH * t.TW
    V_step, M_step = _step(tiles * t.CP, x.itemsize), _step(tiles * t.FP, x.itemsize)
    V, M = np.empty(t.points * V_step, x.dtype), np.empty(t.points * M_step, x.dtype)
    padded = np.empty(count * t.HP * t.WP * t.CP, x.dtype)
    _clear_frame(padded, count, t)
    _transform_inputs(x, x_at, count, padded, V, V_step, t)
    for point in range(t.points):
        _product(V[point * V_step :], inputs, count, channels, U[point], M, point * M_step, t.FP, t)
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
def _product(a, rows, count, cols, panels, out, out_at, F, t):
    """out (tiles, F) = a · b, nothing added and nothing cut off."""
    count_panels, K, W = panels.shape
    zeros = np.zeros(F, out.dtype)
    no_floor = out.dtype.type(-np.inf)
    multiply(a, rows, count * t.TH * t.TW, cols, K, panels.reshape(-1), K * W, W, share(count_panels, 1, 0), zeros,
             no_floor, out, out_at, F)  # fmt: skip


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
def _backward(threads, part, x, U_T, dy, y, relu, dx, dUs, dbiases, channels, inputs, outputs, filters, t):
    dU, dbias = dUs[part], dbiases[part]
    t = Tiling(*to_fixed_tuple(t, SIZES))
    first, last = share(t.N, threads, part)
    block, W = block_samples(t), width(x.itemsize)
    capacity = block * t.TH * t.TW
    padded = np.zeros(block * t.HP * t.WP * t.CP, x.dtype)
    V_step, M_step = _step(capacity * t.CP, x.itemsize), _step(capacity * t.FP, x.itemsize)
    V, M = np.empty(t.points * V_step, x.dtype), np.empty(t.points * M_step, x.dtype)
    dz = np.zeros(16 * t.FP, x.dtype)
    for n in range(first, last, block):
        count = min(block, last - n)
        _transform_inputs(x, n * t.H * t.W * t.C, count, padded, V, V_step, t)
        for tile in range(count * t.TH * t.TW):
            _load_dz(dy, y, relu, n, tile, dz, t)
            for f in range(0, t.FP, lanes(x.itemsize)):
                at = (f // W * capacity + tile) * W + f % W
                output_adjoint(t.form, dz, f, 4 * t.FP, t.FP, M, at, t.across * M_step, M_step)
        for point in range(t.points):
            V_at, panels = point * V_step, M[point * M_step :][: capacity * t.FP].reshape(t.FP // W, capacity, W)
            if point == 1 + t.across * (t.height > 1):
                _add_to_dbias(panels, count * t.TH * t.TW, dbias)
            accumulate(V[V_at:], channels, inputs, count * t.TH * t.TW, panels, dU[point], t.F)
            if len(U_T):
                _product(panels.reshape(-1), outputs, count, filters, U_T[point], V, V_at, t.CP, t)
        if len(U_T):
            _collect_dx(V, dx, n, count, V_step, t)


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
def _add_to_dbias(panels, tiles, dbias):
    """dbias += Σ dz, from M̅ = A dz Aᵀ at the point 1 (of both axes): A's row there is all ones, so M̅ is a sum."""
    W = panels.shape[2]
    for panel in range(len(panels)):
        sums = dbias[panel * W : (panel + 1) * W]
        for tile in range(tiles):
            add(panels[panel, tile], sums)


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
