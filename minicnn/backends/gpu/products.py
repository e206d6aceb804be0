"""Matrix products whose factors are never built: one tiled scheme, which asks each factor for its elements.

A block of 256 threads computes 64 x 64 outputs, a thread 4 x 4 of them. The factors come in steps of 16 along the
reduction: each thread fetches four elements of either factor, puts them into shared memory, and from there every
element is used 64 times. While one step is multiplied, the next is on its way from memory.

Where there are too few tiles to keep the device busy, the reduction is split among several blocks. Each writes its sums
down, and the last one to arrive adds them up, always in the same order: the same bits come out every time.
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

typedef real Tile[STEP][TILE + 4];  // 4 more: a column's elements fall into different banks

struct __align__(16) Four { real v[4]; };  // read and written in one go

// A place among things numbered along three axes, number = (a * B + b) * C + c: a window, a pixel, a cell of a window.
struct Place { int a, b, c; };

__device__ Place place(int number, int B, int C) { return {number / C / B, number / C % B, number % C}; }

__device__ void step(Place& at, int B, int C)  // STEP numbers further, without a division
{
    for (at.c += STEP; at.c >= C; at.c -= C)
        if (++at.b == B) { at.b = 0; ++at.a; }
}

// Which four elements of a tile a thread fetches, so that the 32 threads of a warp read neighbours in memory and write
// into 32 different banks. `Along`: the factor lies in memory along the reduction; `Across`: along its other axis.
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

// A factor on its way into shared memory. It says where its element number m of the outer axis and number k of the
// reduction are (`outer`, `inner`), how to go STEP further along the reduction (`next`), and what is there (`at`).
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

// Where the product goes: out (rows, columns) = activation(sums + bias).
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

// One tile of left · right. Block (x, 0, z) does tile x and part z of the reduction, whose length is K. All tiles are
// counted along x: along y a grid has at most 65,535 blocks.
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

    `arguments` are its first ones; where the parts of a split reduction go, and their counters, are its last two.
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
    """Among how many blocks to share each tile's steps: two blocks for every multiprocessor, if there are fewer tiles.

    A block then takes steps / splits of them, and the last one adds up `splits` parts, each about as dear as half a
    step: together they take least time at the root of 2 · steps.
    """
    return max(1, min(2 * multiprocessors() // tiles, isqrt(2 * steps)))


def int32(*numbers: int) -> tuple[Any, ...]:
    """Sizes as kernels take them."""
    return tuple(map(np.int32, numbers))
