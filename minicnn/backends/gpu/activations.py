"""Activations as separate layers, and the device functions that products use for an activation and its derivative."""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from ..contract import Array, Saved
from .kernels import FLOATS, THREADS, WARP, Source, check_size, launch_each

CODES = {"linear": 0, "relu": 1, "sigmoid": 2, "tanh": 3}
"""The activations' numbers in the kernels, without softmax, which needs a whole row and has its own kernel."""

ACTIVATE = """
enum { LINEAR, RELU, SIGMOID, TANH };

__device__ real activate(real z, int activation)
{
    if (activation == RELU) return z <= 0 ? 0 : z;  // NaN stays NaN
    if (activation == SIGMOID) return (real)0.5 * (1 + tanh((real)0.5 * z));
    if (activation == TANH) return tanh(z);
    return z;
}

// The derivative with respect to z, as a function of the output y.
__device__ real slope(real y, int activation)
{
    if (activation == RELU) return y > 0;
    if (activation == SIGMOID) return y * (1 - y);
    if (activation == TANH) return 1 - y * y;
    return 1;
}
"""

WARPS = """
__device__ real warp_sum(real value)  // over the 32 threads of a warp; all of them get the same result
{
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffu, value, distance);
    return value;
}

__device__ real warp_max(real value)
{
    for (int distance = 16; distance > 0; distance /= 2) {
        real other = __shfl_xor_sync(0xffffffffu, value, distance);
        value = other > value ? other : value;
    }
    return value;
}
"""

SOURCE = Source(
    "activations",
    ACTIVATE,
    """
extern "C" __global__ void activation(const real* x, real* y, int activation, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < count) y[at] = activate(x[at], activation);
}

extern "C" __global__ void activation_backward(const real* dy, const real* y, real* dx, int activation, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < count) dx[at] = dy[at] * slope(y[at], activation);
}

extern "C" __global__ void general_relu(const real* x, real* y, real negative_slope, bool capped, real max_value,
                                   real threshold, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    real below = negative_slope == 0 ? 0 : negative_slope * (x[at] - threshold);  // 0 · ∞ would be no number
    real value = x[at] <= threshold ? below : x[at];
    y[at] = capped && !(x[at] < max_value) ? max_value : value;
}

extern "C" __global__ void general_relu_backward(const real* dy, const real* x, real* dx, real negative_slope,
                                                 bool capped, real max_value, real threshold, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    real slope = x[at] > threshold ? 1 : negative_slope;
    dx[at] = dy[at] * (capped && !(x[at] < max_value) ? 0 : slope);
}
""",
    real=FLOATS,
)

SOFTMAX = Source(
    "softmax",
    WARPS,
    """
// One warp per row of K numbers; each thread takes every 32nd number.
extern "C" __global__ void softmax(const real* x, real* y, int rows, int K)
{
    int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (row >= rows) return;  // the whole warp
    x += (size_t)row * K;
    y += (size_t)row * K;
    real top = x[0], sum = 0;
    for (int k = lane; k < K; k += 32) top = x[k] > top ? x[k] : top;
    top = warp_max(top);
    for (int k = lane; k < K; k += 32) sum += exp(x[k] - top);
    sum = warp_sum(sum);
    for (int k = lane; k < K; k += 32) y[k] = exp(x[k] - top) / sum;
}

extern "C" __global__ void softmax_backward(const real* dy, const real* y, real* dx, int rows, int K)
{
    int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (row >= rows) return;
    dy += (size_t)row * K;
    y += (size_t)row * K;
    dx += (size_t)row * K;
    real sum = 0;
    for (int k = lane; k < K; k += 32) sum += dy[k] * y[k];
    sum = warp_sum(sum);
    for (int k = lane; k < K; k += 32) dx[k] = y[k] * (dy[k] - sum);
}
""",
    real=FLOATS,
)


def launch_rows(kernel: Any, rows: int, K: int, *arguments: Any) -> None:
    """Launch a kernel with one warp per row of K numbers; its last parameters are the two sizes."""
    check_size(rows * WARP)
    if rows:
        kernel((-(-rows // (THREADS // WARP)),), (THREADS,), (*arguments, np.int32(rows), np.int32(K)))


def activation(x: Array, activation: str) -> tuple[Array, Saved]:
    """An activation as a separate layer; x of any shape -> y of the same shape."""
    y = activate(x, activation)
    return y, (y, activation)


def activation_backward(dy: Array, saved: Saved) -> Array:
    """dy -> dx, both of x's shape."""
    y, activation = saved
    return activate_backward(dy, y, activation)


def activate(z: Array, activation: str) -> Array:
    """y = activation(z), in one launch; z itself if the activation is linear."""
    if activation == "linear":
        return z
    y = cupy.empty(z.shape, z.dtype)
    if activation == "softmax":
        launch_rows(SOFTMAX.kernel("softmax", z.dtype), z.size // z.shape[-1], z.shape[-1], z, y)
    else:
        launch_each(SOURCE.kernel("activation", z.dtype), z.size, z, y, np.int32(CODES[activation]))
    return y


def activate_backward(dy: Array, y: Array, activation: str) -> Array:
    """dz from dy and the output y, in one launch; dy itself if the activation is linear."""
    if activation == "linear":
        return dy
    dz = cupy.empty(y.shape, y.dtype)
    if activation == "softmax":
        launch_rows(SOFTMAX.kernel("softmax_backward", y.dtype), y.size // y.shape[-1], y.shape[-1], dy, y, dz)
    else:
        launch_each(SOURCE.kernel("activation_backward", y.dtype), y.size, dy, y, dz, np.int32(CODES[activation]))
    return dz


def general_relu(x: Array, negative_slope: float, max_value: float | None, threshold: float) -> tuple[Array, Saved]:
    """Keras's general ReLU: x above the threshold, negative_slope · (x − threshold) below, at most max_value.

    x of any shape -> y of the same shape
    """
    number, capped = x.dtype.type, np.bool_(max_value is not None)
    pieces = number(negative_slope), capped, number(max_value or 0), number(threshold)
    y = cupy.empty(x.shape, x.dtype)
    launch_each(SOURCE.kernel("general_relu", x.dtype), x.size, x, y, *pieces)
    return y, (x, pieces)


def general_relu_backward(dy: Array, saved: Saved) -> Array:
    """dx = slope · dy, where the slope is 1, negative_slope or 0, by the piece that x lies on."""
    x, pieces = saved
    dx = cupy.empty(x.shape, x.dtype)
    launch_each(SOURCE.kernel("general_relu_backward", x.dtype), x.size, dy, x, dx, *pieces)
    return dx
