"""Dropout in one pass: the textbook's generator, run again in the backward instead of keeping a mask."""

from __future__ import annotations

import numpy as np
from numba import prange

from .. import textbook
from ..contract import Array, Saved
from ..textbook.dropout import keep_threshold, stream_keys
from .kernels import compilable, parallel, plain, serial, share


def dropout(x: Array, rate: float, seed: int, call: int) -> tuple[Array, Saved]:
    """Silence each element with probability `rate`, scale the others by 1 / (1 − rate) so that the mean stays.

    x of any shape -> y of the same shape; the mask is the textbook's, bit for bit.
    """
    if not compilable(x):
        y, saved = textbook.dropout(x, rate, seed, call)
        return y, (textbook.dropout_backward, saved)
    saved = (*stream_keys(seed, call), keep_threshold(rate), 1 / (1 - rate))
    return _masked(x, saved), (_masked, saved)


def dropout_backward(dy: Array, saved: Saved) -> Array:
    """dx = dy · mask."""
    backward, saved = saved
    return backward(dy, saved)


def _masked(x: Array, saved: Saved) -> Array:
    """x times the mask, which `saved` describes."""
    key1, key2, threshold, scale = saved
    y = np.empty(x.shape, x.dtype)
    flat = plain(x).reshape(-1)
    _mask(flat, np.uint32(key1), np.uint32(key2), np.uint32(threshold), x.dtype.type(scale), y.reshape(-1))
    return y


@serial
def _mix(bits):
    """The textbook's `mix` of one number; Numba's products of uint32 are uint64, so each is cut back."""
    bits = np.uint32((bits ^ (bits >> np.uint32(16))) * np.uint32(0x7FEB352D))
    bits = np.uint32((bits ^ (bits >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(bits ^ (bits >> np.uint32(16)))


@parallel
def _mask(threads, x, key1, key2, threshold, scale, y):
    nothing = x.dtype.type(0)
    for t in prange(threads):
        first, last = share(len(x), threads, np.intp(t))
        for i in range(first, last):
            bits = _mix(np.uint32(_mix(np.uint32(i) ^ key1) + key2))
            y[i] = x[i] * (scale if bits >= threshold else nothing)
