"""Tiled GEMM with implicit factors: a factor is not stored, it is a structure that computes its elements.

A block of 256 threads computes a tile of 64 x 64 outputs, a thread 4 x 4 of them. The reduction runs in steps of 16:
each thread loads four elements of either factor into shared memory, where every element is used 64 times. The loads of
the next step overlap with the multiplications of this one.

If there are too few tiles to fill the device, the reduction is split among several blocks (split-K). Each stores its
sums, and the last block to arrive adds them up, always in the same order, so the result is the same to the bit.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

import cupy
import numpy as np

from ..contract import Array
from .kernels import LAST_TO_ARRIVE, THREADS, check_size, counters, multiprocessors

TILE, STEP = 64, 16

PRODUCT = (
    LAST_TO_ARRIVE
    + """
const int TILE = 64, STEP = 16, THREADS = 256;

typedef real Tile[STEP][TILE + 4];  // padded by 4, so that a column's elements are in different banks

struct __align__(16) Four { real v[4]; };  // loaded and stored with one instruction

// A three-axis index, number = (a * B + b) * C + c: of a window, a pixel, or an element (cell) of a window.
struct Place { int a, b, c; };

__device__ Place place(int number, int B, int C) { return {number / C / B, number / C % B, number % C}; }

__device__ void step(Place& at, int B, int C)  // adds STEP to the number, without a division
{
    for (at.c += STEP; at.c >= C; at.c -= C)
        if (++at.b == B) { at.b = 0; ++at.a; }
}

// The four elements of a tile that a thread loads: the 32 threads of a warp read neighbouring addresses and write to 32
// different banks. `Along`: the factor is contiguous along the reduction; `Across`: along its other axis.
struct Along {
    static const int OUTER = 2, INNER = 2;
    static __device__ int outer(int i) { return threadIdx.x / 8 + 32 * i; }
    static __device__ int inner(int j) { return threadIdx.x % 8 + 8 * j; }
};

struct Across {
    static const int OUTER = 1, INNER = 4;
    static __device__ int outer(int i) { return threadIdx.x % TILE; }
    static __device__ int inner(int j) { return threadIdx.x / TILE + 4 * j; }
};

// Loads a factor into shared memory. A factor converts index m of the outer axis and index k of the reduction to places
// (`outer`, `inner`), advances a place by STEP along the reduction (`next`), and returns an element (`at`).
template <class Factor, class Order> struct Loader {
    Factor factor;
    decltype(factor.outer(0)) m[Order::OUTER];
    decltype(factor.inner(0)) k[Order::INNER];
    real fetched[4];

    __device__ Loader(const Factor& factor, int first_m, int first_k) : factor(factor)
    {
        for (int i = 0; i < Order::OUTER; ++i) m[i] = factor.outer(first_m + Order::outer(i));
        for (int j = 0; j < Order::INNER; ++j) k[j] = factor.inner(first_k + Order::inner(j));
    }

    __device__ void fetch()
    {
#pragma unroll
        for (int j = 0; j < Order::INNER; ++j) {
#pragma unroll
            for (int i = 0; i < Order::OUTER; ++i) fetched[j * Order::OUTER + i] = factor.at(m[i], k[j]);
            factor.next(k[j]);
        }
    }

    __device__ void put(Tile& tile) const
    {
#pragma unroll
        for (int j = 0; j < Order::INNER; ++j)
#pragma unroll
            for (int i = 0; i < Order::OUTER; ++i)
                tile[Order::inner(j)][Order::outer(i)] = fetched[j * Order::OUTER + i];
    }
};

// The epilogue: out (rows, columns) = activation(sums + bias).
struct Result {
    real* out;
    int rows, columns;
    const real* bias;  // or 0
    int activation;

    __device__ void put(int row, int column, Four sums) const  // four columns of a row
    {
        if (row >= rows || column >= columns) return;
        real* to = out + (size_t)row * columns + column;
#pragma unroll
        for (int j = 0; j < 4; ++j)
            if (column + j < columns) sums.v[j] = activate(bias ? sums.v[j] + bias[column + j] : sums.v[j], activation);
        if (columns % 4 == 0) {
            *(Four*)to = sums;
        } else {
            for (int j = 0; j < 4 && column + j < columns; ++j) to[j] = sums.v[j];
        }
    }
};

// One tile of left · right. Block (x, 0, z) computes tile x and part z of the reduction, whose length is K. All tiles
// are numbered along x, because a grid has at most 65,535 blocks along y.
template <class LeftOrder, class RightOrder, class Left, class Right>
__device__ void multiply(const Left& left, const Right& right, const Result& result, int K, Four* parts, int* arrived)
{
    __shared__ __align__(16) Tile a, b;
    int tile = blockIdx.x, tiles = gridDim.x, splits = gridDim.z, row_tiles = (result.rows + TILE - 1) / TILE;
    int first_row = tile % row_tiles * TILE, first_column = tile / row_tiles * TILE;
    int row = threadIdx.x / 16 * 4, column = threadIdx.x % 16 * 4;
    int steps = (K + STEP - 1) / STEP;
    int now = (long long)steps * blockIdx.z / splits, end = (long long)steps * (blockIdx.z + 1) / splits;

    Loader<Left, LeftOrder> lefts(left, first_row, now * STEP);
    Loader<Right, RightOrder> rights(right, first_column, now * STEP);
    Four sums[4] = {};
    if (now < end) { lefts.fetch(); rights.fetch(); }
    for (; now < end; ++now) {
        lefts.put(a);
        rights.put(b);
        __syncthreads();
        if (now + 1 < end) { lefts.fetch(); rights.fetch(); }
#pragma unroll
        for (int k = 0; k < STEP; ++k) {
            Four x = *(const Four*)&a[k][row], y = *(const Four*)&b[k][column];
#pragma unroll
            for (int i = 0; i < 4; ++i)
#pragma unroll
                for (int j = 0; j < 4; ++j) sums[i].v[j] += x.v[i] * y.v[j];
        }
        __syncthreads();
    }

    if (splits > 1) {
        Four* mine = parts + (size_t)(blockIdx.z * tiles + tile) * (4 * THREADS) + threadIdx.x;
#pragma unroll
        for (int i = 0; i < 4; ++i) mine[i * THREADS] = sums[i];
        if (!last_to_arrive(arrived + tile, splits)) return;
        Four total[4] = {};
#pragma unroll 4
        for (int z = 0; z < splits; ++z) {
            const Four* part = parts + (size_t)(z * tiles + tile) * (4 * THREADS) + threadIdx.x;
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                Four more = part[i * THREADS];
#pragma unroll
                for (int j = 0; j < 4; ++j) total[i].v[j] += more.v[j];
            }
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) sums[i] = total[i];
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) result.put(first_row + row + i, first_column + column, sums[i]);
}
"""
)


def launch_product(kernel: Any, rows: int, columns: int, K: int, dtype: Any, *arguments: Any) -> None:
    """Launch a kernel that calls `multiply` for a product (rows, K) · (K, columns).

    `arguments` are its first parameters; the last two are memory for the parts of a split reduction and their counters.
    """
    check_size(max(rows, columns, K))
    tiles = -(-rows // TILE) * -(-columns // TILE)
    splits = split(tiles, -(-K // STEP))
    parts: Array | None = None
    arrived: Array | None = None
    if splits > 1:
        parts = cupy.empty(splits * tiles * TILE * TILE, dtype)
        arrived = counters(tiles)
    kernel((tiles, 1, splits), (THREADS,), (*arguments, parts, arrived))


def split(tiles: int, steps: int) -> int:
    """The number of blocks that share each tile's steps: enough for two blocks per multiprocessor.

    A block then takes steps / splits steps, and the last block adds up `splits` parts. Adding one part costs about half
    a step; total time is minimal at √(2·steps) splits.
    """
    return max(1, min(2 * multiprocessors() // tiles, isqrt(2 * steps)))


def int32(*numbers: int) -> tuple[Any, ...]:
    """Sizes as kernel parameters."""
    return tuple(map(np.int32, numbers))
