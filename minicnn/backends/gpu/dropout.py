"""Dropout: one kernel for forward and backward. Both compute the mask, so it is not stored."""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from ..contract import Array, Saved
from ..textbook.dropout import keep_threshold, stream_keys
from .kernels import FLOATS, Source, launch_each

RANDOM_BITS = """
__device__ unsigned mix(unsigned bits)  // the textbook's, on 32-bit integers
{
    bits = (bits ^ (bits >> 16)) * 0x7FEB352Du;
    bits = (bits ^ (bits >> 15)) * 0x846CA68Bu;
    return bits ^ (bits >> 16);
}

__device__ unsigned random_bits(unsigned index, unsigned key1, unsigned key2)
{
    return mix(mix(index ^ key1) + key2);
}
"""

SOURCE = Source(
    "dropout",
    RANDOM_BITS,
    """
extern "C" __global__ void dropout(const real* x, real* y, unsigned key1, unsigned key2, unsigned threshold, real scale,
                                   int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < count) y[at] = x[at] * (random_bits(at, key1, key2) >= threshold ? scale : 0);
}
""",
    real=FLOATS,
)


def dropout(x: Array, rate: float, seed: int, call: int) -> tuple[Array, Saved]:
    """Set each element to 0 with probability `rate`; scale the others by 1 / (1 − rate), which keeps the mean.

    x of any shape -> y of the same shape; the mask is the textbook's, bit for bit.
    """
    mask = (*map(np.uint32, (*stream_keys(seed, call), keep_threshold(rate))), x.dtype.type(1 / (1 - rate)))
    return _masked(x, mask), mask


def dropout_backward(dy: Array, saved: Saved) -> Array:
    """dx = dy · mask."""
    return _masked(dy, saved)


def _masked(x: Array, mask: tuple[Any, ...]) -> Array:
    """x · mask; `mask` is given by two keys, a threshold and a scale."""
    y = cupy.empty(x.shape, x.dtype)
    launch_each(SOURCE.kernel("dropout", x.dtype), x.size, x, y, *mask)
    return y
