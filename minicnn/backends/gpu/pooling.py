"""Pooling: one thread per output. In the backward, each input gathers from its windows, so no atomics are needed."""

from __future__ import annotations

import cupy
import numpy as np

from ..contract import Array, Pair, Saved
from .kernels import FLOATS, Source, launch_each
from .windows import WINDOWS, Windows, windows

MAX = Source(
    "max_pooling",
    WINDOWS,
    """
// NaN counts as larger than any number; of equal numbers the first is the maximum.
extern "C" __global__ void max_pool2d(const real* x, real* y, cell* winners, Windows w, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    int c = at % w.C, window = at / w.C, n = window / w.OW / w.OH, p = window / w.OW % w.OH, q = window % w.OW;
    int winner = -1;
    real best = 0;
    for (int i = 0; i < w.KH; ++i)
        for (int j = 0; j < w.KW; ++j) {
            int pixel = pixel_under(w, n, p, q, i, j);
            if (pixel < 0) continue;
            real value = x[(size_t)pixel * w.C + c];
            if (winner < 0 || (!(value <= best) && best == best)) {
                best = value;
                winner = i * w.KW + j;
            }
        }
    y[at] = best;
    winners[at] = winner;
}

extern "C" __global__ void max_pool2d_backward(const real* dy, const cell* winners, real* dx, Windows w, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    int c = at % w.C, pixel = at / w.C, n = pixel / w.W / w.H, h = pixel / w.W % w.H + w.top, v = pixel % w.W + w.left;
    Range rows = windows_over(h, w.KH, w.SH, w.OH), columns = windows_over(v, w.KW, w.SW, w.OW);
    real sum = 0;
    for (int p = rows.first; p <= rows.last; ++p)
        for (int q = columns.first; q <= columns.last; ++q) {
            size_t there = (size_t)((n * w.OH + p) * w.OW + q) * w.C + c;
            if (winners[there] == (h - p * w.SH) * w.KW + v - q * w.SW) sum += dy[there];
        }
    dx[at] = sum;
}
""",
    real=FLOATS,
    cell=("uint8", "int32"),  # the maximum's index in the window: a byte up to 256 elements
)

AVERAGE = Source(
    "average_pooling",
    WINDOWS,
    """
__device__ int cells_inside(int first, int window, int length)  // how many elements of a window lie on the image
{
    return min(first + window, length) - max(first, 0);
}

extern "C" __global__ void average_pool2d(const real* x, real* y, Windows w, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    int c = at % w.C, window = at / w.C, n = window / w.OW / w.OH, p = window / w.OW % w.OH, q = window % w.OW;
    real sum = 0;
    for (int i = 0; i < w.KH; ++i)
        for (int j = 0; j < w.KW; ++j) {
            int pixel = pixel_under(w, n, p, q, i, j);
            if (pixel >= 0) sum += x[(size_t)pixel * w.C + c];
        }
    y[at] = sum / (cells_inside(p * w.SH - w.top, w.KH, w.H) * cells_inside(q * w.SW - w.left, w.KW, w.W));
}

extern "C" __global__ void average_pool2d_backward(const real* dy, real* dx, Windows w, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    int c = at % w.C, pixel = at / w.C, n = pixel / w.W / w.H, h = pixel / w.W % w.H + w.top, v = pixel % w.W + w.left;
    Range rows = windows_over(h, w.KH, w.SH, w.OH), columns = windows_over(v, w.KW, w.SW, w.OW);
    real sum = 0;
    for (int p = rows.first; p <= rows.last; ++p)
        for (int q = columns.first; q <= columns.last; ++q) {
            int cells = cells_inside(p * w.SH - w.top, w.KH, w.H) * cells_inside(q * w.SW - w.left, w.KW, w.W);
            sum += dy[(size_t)((n * w.OH + p) * w.OW + q) * w.C + c] / cells;
        }
    dx[at] = sum;
}
""",
    real=FLOATS,
)


def max_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, Saved]:
    """y[n, p, q, c] = max_ij x[n, p·SH + i, q·SW + j, c]; padding counts as −∞, NaN as +∞.

    x (N, H, W, C) -> y (N, OH, OW, C)
    """
    at = windows(x.shape, pool_size, strides, padding)
    y = _empty(at, x)
    winners = cupy.empty(y.shape, np.uint8 if pool_size[0] * pool_size[1] <= 256 else np.int32)
    launch_each(MAX.kernel("max_pool2d", x.dtype, winners.dtype), y.size, x, y, winners, at.struct)
    return y, (winners, x.shape, at)


def max_pool2d_backward(dy: Array, saved: Saved) -> Array:
    """Only the winner of a window moved y, so it alone gets dy; a cell that won several windows gets the sum.

    dy (N, OH, OW, C) -> dx (N, H, W, C)
    """
    winners, shape, at = saved
    dx = cupy.empty(shape, dy.dtype)
    kernel = MAX.kernel("max_pool2d_backward", dy.dtype, winners.dtype)
    launch_each(kernel, dx.size, dy, winners, dx, at.struct)
    return dx


def average_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, Saved]:
    """y[n, p, q, c] = mean_ij x[n, p·SH + i, q·SW + j, c] over the cells that lie on the image: padding is not counted.

    x (N, H, W, C) -> y (N, OH, OW, C)
    """
    at = windows(x.shape, pool_size, strides, padding)
    y = _empty(at, x)
    launch_each(AVERAGE.kernel("average_pool2d", x.dtype), y.size, x, y, at.struct)
    return y, (x.shape, at)


def average_pool2d_backward(dy: Array, saved: Saved) -> Array:
    """A window's cells weighed alike in y, so they share dy alike.

    dy (N, OH, OW, C) -> dx (N, H, W, C)
    """
    shape, at = saved
    dx = cupy.empty(shape, dy.dtype)
    launch_each(AVERAGE.kernel("average_pool2d_backward", dy.dtype), dx.size, dy, dx, at.struct)
    return dx


def _empty(at: Windows, x: Array) -> Array:
    """Memory for y (N, OH, OW, C)."""
    return cupy.empty((at.N, at.OH, at.OW, x.shape[3]), x.dtype)
