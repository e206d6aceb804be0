"""Penalties on large weights, L1 and L2, and their gradients."""

from __future__ import annotations

import cupy
import numpy as np

from ..contract import Array
from .kernels import FLOATS, THREADS, Source, check_size, launch_each
from .losses import BLOCK_SUMS, MOST_BLOCKS, launch_sum

SOURCE = Source(
    "penalties",
    BLOCK_SUMS,
    """
extern "C" __global__ void add_penalty(const real* loss, const real* value, real* sum, real l1, real l2, int count,
                                       real* parts, int* arrived)
{
    real penalty = 0;
    for (int at = blockIdx.x * THREADS + threadIdx.x; at < count; at += gridDim.x * THREADS)
        penalty += l1 * fabs(value[at]) + l2 * value[at] * value[at];
    if (grid_sum(penalty, parts, arrived)) *sum = *loss + penalty;
}

extern "C" __global__ void add_penalty_gradient(const real* grad, const real* value, real* sum, real l1, real l2,
                                                int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    real sign = (value[at] > 0) - (value[at] < 0);
    sum[at] = grad[at] + l1 * sign + 2 * l2 * value[at];
}
""",
    real=FLOATS,
)


def add_penalty(loss: Array, value: Array, l1: float, l2: float) -> Array:
    """loss + l1 · Σ |value| + l2 · Σ value²; loss (), value (…) -> ()."""
    check_size(value.size)
    total, number = cupy.empty((), value.dtype), value.dtype.type
    launch_sum(
        SOURCE.kernel("add_penalty", value.dtype), max(1, min(-(-value.size // THREADS), MOST_BLOCKS)), value.dtype,
        loss, value, total, number(l1), number(l2), np.int32(value.size),
    )  # fmt: skip
    return total


def add_penalty_gradient(grad: Array, value: Array, l1: float, l2: float) -> Array:
    """grad + l1 · sign(value) + 2 · l2 · value; grad and value of one shape."""
    total, number = cupy.empty(value.shape, value.dtype), value.dtype.type
    kernel = SOURCE.kernel("add_penalty_gradient", value.dtype)
    launch_each(kernel, value.size, grad, value, total, number(l1), number(l2))
    return total
