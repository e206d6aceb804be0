"""Dropout in one pass: the textbook's generator, a byte for each element that was kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..contract import Array, Saved
from ..textbook.dropout import keep_threshold
from .runtime.compile import parallel, serial, share
from .runtime.threads import small


def dropout(x: Array, rate: float, seed: int, call: int) -> tuple[Array, Saved]:
    """Silence each element with probability `rate`, scale the others by 1 / (1 − rate) so that the mean stays.

    x of any shape -> y of the same shape; the mask is the textbook's, bit for bit.
    """
    threshold, scale = np.uint32(keep_threshold(rate)), x.dtype.type(1 / (1 - rate))
    y, kept = np.empty(x.shape, x.dtype), np.empty(x.shape, np.bool_)
    _draw(x.reshape(-1), *stream(seed, call), threshold, scale, y.reshape(-1), kept.reshape(-1), alone=small(x))
    return y, (kept, scale)


def dropout_backward(dy: Array, saved: Saved) -> Array:
    """dx = dy · mask."""
    kept, scale = saved
    dx = np.empty(dy.shape, dy.dtype)
    _mask(dy.reshape(-1), kept.reshape(-1), scale, dx.reshape(-1), alone=small(dy))
    return dx


@serial
def _mix(bits):
    """The textbook's `mix` of one number; Numba's products of uint32 are uint64, so each is cut back."""
    bits = np.uint32((bits ^ (bits >> np.uint32(16))) * np.uint32(0x7FEB352D))
    bits = np.uint32((bits ^ (bits >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(bits ^ (bits >> np.uint32(16)))


def stream(seed: int, call: int) -> tuple[Any, Any, Any]:
    """Seed and call as kernels take them: the two halves of the seed and the call, as uint32."""
    return np.uint32(seed & 0xFFFFFFFF), np.uint32((seed >> 32) & 0xFFFFFFFF), np.uint32(call & 0xFFFFFFFF)


@serial
def stream_keys(low, high, call):
    """The textbook's `stream_keys`, from the halves of the seed."""
    first = _mix(low ^ _mix(call ^ _mix(high)))
    return first, _mix(np.uint32(first + np.uint32(0x9E3779B9)))


@serial
def random_bits(index, key1, key2):
    """The textbook's `random_bits` of one index."""
    return _mix(np.uint32(_mix(index ^ key1) + key2))


@parallel
def _draw(threads, thread, x, low, high, call, threshold, scale, y, kept):
    nothing = x.dtype.type(0)
    key1, key2 = stream_keys(low, high, call)
    first, last = share(len(x), threads, thread)
    source, target, keeps, offset = x[first:last], y[first:last], kept[first:last], np.uint32(first)
    for i in range(len(source)):
        bits = random_bits(np.uint32(offset + np.uint32(i)), key1, key2)
        keeps[i] = bits >= threshold
        target[i] = source[i] * (scale if bits >= threshold else nothing)


@parallel
def _mask(threads, thread, dy, kept, scale, dx):
    nothing = dy.dtype.type(0)
    first, last = share(len(dy), threads, thread)
    source, target, keeps = dy[first:last], dx[first:last], kept[first:last]
    for i in range(len(source)):
        target[i] = source[i] * (scale if keeps[i] else nothing)
