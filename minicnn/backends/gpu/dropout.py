"""Dropout in one kernel for both directions: the mask is computed where it is needed, so there is none to keep."""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from ..contract import Array, Saved
from ..textbook.dropout import keep_threshold, stream_keys
from .kernels import FLOATS, Source, launch_each

SOURCE = Source(
    "dropout",
    """
__device__ unsigned mix(unsigned bits)  // the textbook's, on 32-bit integers
{
    bits = (bits ^ (bits >> 16)) * 0x7FEB352Du;
    bits = (bits ^ (bits >> 15)) * 0x846CA68Bu;
    return bits ^ (bits >> 16);
}

extern "C" __global__ void dropout(const real* x, real* y, unsigned key1, unsigned key2, unsigned threshold, real scale,
                                   int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < count) y[at] = x[at] * (mix(mix(at ^ key1) + key2) >= threshold ? scale : 0);
}
""",
    real=FLOATS,
)


def dropout(x: Array, rate: float, seed: int, call: int) -> tuple[Array, Saved]:
    """Silence each element with probability `rate`, scale the others by 1 / (1 − rate) so that the mean stays.

    x of any shape -> y of the same shape; the mask is the textbook's, bit for bit.
    """
    mask = (*map(np.uint32, (*stream_keys(seed, call), keep_threshold(rate))), x.dtype.type(1 / (1 - rate)))
    return _masked(x, mask), mask


def dropout_backward(dy: Array, saved: Saved) -> Array:
    """dx = dy · mask."""
    return _masked(dy, saved)


def _masked(x: Array, mask: tuple[Any, ...]) -> Array:
    """x · mask; the mask is its two keys, its threshold and its scale."""
    y = cupy.empty(x.shape, x.dtype)
    launch_each(SOURCE.kernel("dropout", x.dtype), x.size, x, y, *mask)
    return y
