"""3 x 3 convolution with a third of the multiplications: Winograd's minimal filtering F(4 x 4, 3 x 3).

A tile of 4 x 4 outputs takes 144 products a pair of channels. Seen as the product of two polynomials, evaluated at six
points along each axis, it takes 36 (Winograd, 1980; Lavin & Gray, 2016):

    y = Aᵀ [ (G k Gᵀ) ⊙ (Bᵀ d B) ] A         d the tile's 6 x 6 inputs, k the 3 x 3 kernel, ⊙ element by element

Summed over the input channels, each of the 36 elements is a matrix product of its own: V[e] (tiles, C) · U[e] (C, F).
All of it is linear, so the backward is its adjoint, step by step: with M̅ = A dz Aᵀ,

    dk = Gᵀ [ Vᵀ · M̅ ] G        dx = Σ over the tiles of B [ M̅ · Uᵀ ] Bᵀ

The price is rounding: about ten times that of the direct sum, 1e-6 of the largest output in float32.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import get_num_threads, prange
from numba.np.unsafe.ndarray import to_fixed_tuple

from ..contract import Array
from .direct import Windows
from .kernels import parallel, serial, share
from .products import accumulate, copy, multiply
from .sandwich import sandwich
from .tile import ROWS, VECTORS, width

B_T = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
A_T = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
POINTS = 36  # elements of a transformed tile

input_transform, input_adjoint = sandwich(B_T), sandwich(B_T.T, add=True)
kernel_transform, kernel_adjoint = sandwich(G), sandwich(G.T)
output_transform, output_adjoint = sandwich(A_T), sandwich(A_T.T)

TILES = 128  # transformed at a time: long products, and still in the second- or third-level cache


class Tiling(NamedTuple):
    """How images are cut: N samples of H x W x C to OH x OW x F, in TH x TW tiles a sample, out of HP x WP cells."""

    N: int
    H: int
    W: int
    C: int
    OH: int
    OW: int
    F: int
    top: int
    left: int
    TH: int
    TW: int
    HP: int
    WP: int


SIZES = len(Tiling._fields)


def tiling(w: Windows) -> Tiling:
    """The tiles of a convolution whose windows these are."""
    TH, TW = -(-w.OH // 4), -(-w.OW // 4)
    return Tiling(w.N, w.H, w.W, w.C, w.OH, w.OW, w.F, w.top, w.left, TH, TW, 4 * TH + 2, 4 * TW + 2)


def suits(w: Windows, itemsize: int) -> bool:
    """Whether the convolution is one of 3 x 3 with whole vectors of channels, which pay for the transforms."""
    square = (w.KH, w.KW, w.SH, w.SW) == (3, 3, 1, 1)
    return square and w.C % width(itemsize) == 0 and w.F % width(itemsize) == 0


def forward(x: Array, kernel: Array, bias: Array, floor: float, w: Windows) -> Array:
    """y = max(conv(x, kernel) + bias, floor); x (N, H, W, C), kernel (3, 3, C, F), bias (F,) -> y (N, OH, OW, F)."""
    t = tiling(w)
    y = np.empty((t.N, t.OH, t.OW, t.F), x.dtype)
    U = _transform_kernel(kernel.reshape(-1), t.C, t.F)
    _forward(x.reshape(-1), U, bias, x.dtype.type(floor), y.reshape(-1), _tables(t, x.itemsize), np.array(t))
    return y


def backward(
    x: Array, kernel: Array, dy: Array, y: Array, relu: bool, need_dx: bool, w: Windows
) -> tuple[Array | None, Array, Array]:
    """dx or None, dkernel and dbias of `forward`, whose output y was cut off at 0 if `relu`."""
    t = tiling(w)
    tables = _tables(t, x.itemsize)
    dU = np.zeros((get_num_threads(), POINTS, len(tables.channels), t.F), x.dtype)  # one for each thread
    dbiases = np.zeros((get_num_threads(), t.F), x.dtype)
    dx = np.empty(x.shape if need_dx else 0, x.dtype)
    turned = kernel.swapaxes(2, 3).reshape(-1) if need_dx else np.empty(0, x.dtype)
    U_T = _transform_kernel(turned, t.F, t.C) if need_dx else np.empty((0, 0, 0, 0), x.dtype)
    _backward(x.reshape(-1), U_T, dy.reshape(-1), y.reshape(-1), relu, dx.reshape(-1), dU, dbiases, tables, np.array(t))
    dkernel = np.empty(kernel.shape, x.dtype)
    _kernel_gradient(dU.sum(axis=0).reshape(-1), len(tables.channels), t.C, t.F, dkernel.reshape(-1))
    return dx if need_dx else None, dkernel, dbiases.sum(axis=0)


class Tables(NamedTuple):
    """Where the factors of the matrix products lie; see products.py."""

    channels: Array  # c, as many as there are channels, and some more to fill the last tile of products
    inputs: Array  # tile · C: V of one point is (tiles, C)
    outputs: Array  # tile · width: M̅ of one point is (panels, tiles, width)
    filters: Array  # where filter f of tile 0 lies in that


@lru_cache(maxsize=256)
def _tables(t: Tiling, itemsize: int) -> Tables:
    tiles, W = np.arange(block_tiles(t)), width(itemsize)
    channels, filters = np.arange(t.C), np.arange(t.F)
    return Tables(
        np.pad(channels, (0, -t.C % ROWS), mode="edge"),
        tiles * t.C,
        tiles * W,
        filters // W * len(tiles) * W + filters % W,
    )


@serial
def lanes(itemsize):
    """How many numbers a vector holds: the channels that are transformed together."""
    return width(itemsize) // VECTORS


@serial
def block_samples(t):
    """How many samples a thread takes at a time."""
    return max(1, min(t.N, TILES // (t.TH * t.TW)))


def block_tiles(t: Tiling) -> int:
    return int(block_samples.py_func(t)) * t.TH * t.TW


@serial
def _transform_kernel(kernel, C, F):
    """k (3, 3, C, F), flat -> U = G k Gᵀ (36, panels, C, width), its filters in panels."""
    step, W = lanes(kernel.itemsize), width(kernel.itemsize)
    U = np.empty((POINTS, F // W, C, W), kernel.dtype)
    flat = U.reshape(-1)
    for c in range(C):
        for f in range(0, F, step):
            at = (f // W * C + c) * W + f % W
            kernel_transform(kernel, c * F + f, 3 * C * F, C * F, flat, at, 6 * C * F, C * F)
    return U


@serial
def _kernel_gradient(dU, rows, C, F, dkernel):
    """dk = Gᵀ dU G: dU (36, rows, F) -> dkernel (3, 3, C, F), both flat."""
    for c in range(C):
        for f in range(0, F, lanes(dU.itemsize)):
            at = c * F + f
            kernel_adjoint(dU, at, 6 * rows * F, rows * F, dkernel, at, 3 * C * F, C * F)


@parallel
def _forward(threads, x, U, bias, floor, y, tables, t):
    for part in prange(threads):
        _forward_part(threads, np.intp(part), x, U, bias, floor, y, tables, t)


@serial
def _forward_part(threads, part, x, U, bias, floor, y, tables, t):
    t = Tiling(*to_fixed_tuple(t, SIZES))
    first, last = share(t.N, threads, part)
    block = block_samples(t)
    padded = np.zeros(block * t.HP * t.WP * t.C, x.dtype)
    capacity = block * t.TH * t.TW
    V, M = np.empty(POINTS * capacity * t.C, x.dtype), np.empty(POINTS * capacity * t.F, x.dtype)
    outputs = np.empty(16 * t.F, x.dtype)
    for n in range(first, last, block):
        count = min(block, last - n)
        _transform_inputs(x, n, count, padded, V, capacity, t)
        for point in range(POINTS):
            _product(V[point * capacity * t.C :], tables.inputs, count, tables.channels, U[point], M,
                     point * capacity * t.F, t.F, t)  # fmt: skip
        for tile in range(count * t.TH * t.TW):
            for f in range(0, t.F, lanes(x.itemsize)):
                output_transform(M, tile * t.F + f, 6 * capacity * t.F, capacity * t.F, outputs, f, 4 * t.F, t.F)
            _store_outputs(outputs, bias, floor, y, n, tile, t)


@serial
def _product(a, rows, count, cols, panels, out, out_at, F, t):
    """out (tiles, F) = a · b, nothing added and nothing cut off."""
    zeros = np.zeros(F, out.dtype)
    all_panels = share(len(panels), 1, 0)
    multiply(a, rows, count * t.TH * t.TW, cols, panels, all_panels, zeros, out.dtype.type(-np.inf), out, out_at, F)


@serial
def _transform_inputs(x, first, count, padded, V, capacity, t):
    """V = Bᵀ d B of every tile d of some samples: V (36, capacity, C)."""
    for n in range(count):
        for h in range(t.H):
            target = ((n * t.HP + t.top + h) * t.WP + t.left) * t.C
            copy(x, ((first + n) * t.H + h) * t.W * t.C, padded, target, t.W * t.C)
    tile = 0
    for n in range(count):
        for p in range(t.TH):
            for q in range(t.TW):
                at = ((n * t.HP + 4 * p) * t.WP + 4 * q) * t.C
                for c in range(0, t.C, lanes(x.itemsize)):
                    input_transform(
                        padded, at + c, t.WP * t.C, t.C, V, tile * t.C + c, 6 * capacity * t.C, capacity * t.C
                    )
                tile += 1


@serial
def _store_outputs(outputs, bias, floor, y, first, tile, t):
    """Bias and floor, and into y as much of a tile as lies on the image."""
    n, place = divmod(tile, t.TH * t.TW)
    p, q = divmod(place, t.TW)
    for i in range(min(4, t.OH - 4 * p)):
        for j in range(min(4, t.OW - 4 * q)):
            at = (((first + n) * t.OH + 4 * p + i) * t.OW + 4 * q + j) * t.F
            source, target = outputs[(4 * i + j) * t.F :][: t.F], y[at : at + t.F]
            for f in range(t.F):
                value = source[f] + bias[f]
                target[f] = floor if value < floor else value


@parallel
def _backward(threads, x, U_T, dy, y, relu, dx, dU, dbiases, tables, t):
    for part in prange(threads):
        _backward_part(threads, np.intp(part), x, U_T, dy, y, relu, dx, dU[part], dbiases[part], tables, t)


@serial
def _backward_part(threads, part, x, U_T, dy, y, relu, dx, dU, dbias, tables, t):
    t = Tiling(*to_fixed_tuple(t, SIZES))
    first, last = share(t.N, threads, part)
    block, W = block_samples(t), width(x.itemsize)
    capacity = block * t.TH * t.TW
    padded = np.zeros(block * t.HP * t.WP * t.C, x.dtype)
    V = np.empty(POINTS * capacity * t.C, x.dtype)
    M = np.empty((POINTS, t.F // W, capacity, W), x.dtype)
    dz = np.zeros(16 * t.F, x.dtype)
    for n in range(first, last, block):
        count = min(block, last - n)
        _transform_inputs(x, n, count, padded, V, capacity, t)
        for tile in range(count * t.TH * t.TW):
            _load_dz(dy, y, relu, n, tile, dz, dbias, t)
            for f in range(0, t.F, lanes(x.itemsize)):
                at = (f // W * capacity + tile) * W + f % W
                output_adjoint(dz, f, 4 * t.F, t.F, M.reshape(-1), at, 6 * capacity * t.F, capacity * t.F)
        for point in range(POINTS):
            V_at = point * capacity * t.C
            accumulate(V[V_at:], tables.channels, tables.inputs, count * t.TH * t.TW, M[point], dU[point])
            if len(U_T):
                _product(M[point].reshape(-1), tables.outputs, count, tables.filters, U_T[point], V, V_at, t.C, t)
        if len(U_T):
            _collect_dx(V, dx, n, count, capacity, t)


@serial
def _load_dz(dy, y, relu, first, tile, dz, dbias, t):
    """dz of one tile, zeros where it hangs over the image's edge; its sums are added to dbias."""
    n, place = divmod(tile, t.TH * t.TW)
    p, q = divmod(place, t.TW)
    for i in range(4):
        for j in range(4):
            target = dz[(4 * i + j) * t.F :][: t.F]
            if 4 * p + i < t.OH and 4 * q + j < t.OW:
                at = (((first + n) * t.OH + 4 * p + i) * t.OW + 4 * q + j) * t.F
                source, value = dy[at : at + t.F], y[at : at + t.F]
                for f in range(t.F):
                    d = source[f] * dy.dtype.type(value[f] > 0) if relu else source[f]
                    target[f] = d
                    dbias[f] += d
            else:
                target[:] = 0


@serial
def _collect_dx(dV, dx, first, count, capacity, t):
    """dx = Σ over the tiles of B dV Bᵀ, each added where its 6 x 6 inputs were."""
    padded = np.zeros(count * t.HP * t.WP * t.C, dx.dtype)
    tile = 0
    for n in range(count):
        for p in range(t.TH):
            for q in range(t.TW):
                at = ((n * t.HP + 4 * p) * t.WP + 4 * q) * t.C
                for c in range(0, t.C, lanes(dx.itemsize)):
                    input_adjoint(
                        dV, tile * t.C + c, 6 * capacity * t.C, capacity * t.C, padded, at + c, t.WP * t.C, t.C
                    )
                tile += 1
        for h in range(t.H):
            source = ((n * t.HP + t.top + h) * t.WP + t.left) * t.C
            copy(padded, source, dx, ((first + n) * t.H + h) * t.W * t.C, t.W * t.C)
