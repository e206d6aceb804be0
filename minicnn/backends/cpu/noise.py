"""Normal noise in one pass: the textbook's generator, and Box and Muller's formula as arithmetic on vectors.

Logarithm and cosine are computed in float64, as in the textbook: in float32, the logarithm of 1 − u would lose the
digits of a small u. Calls into the C library would compute one number at a time.
"""

from __future__ import annotations

from functools import partial
from math import factorial, log, pi

import numpy as np

from ..contract import Array, Saved
from .dropout import random_bits, stream, stream_keys
from .runtime.compile import parallel, serial, share
from .runtime.threads import small


def gaussian_noise(x: Array, stddev: float, seed: int, call: int) -> tuple[Array, Saved]:
    """y = x + noise of mean 0 and standard deviation `stddev`; x of any shape -> y of the same shape."""
    y = np.empty(x.shape, x.dtype)
    _add_noise(x.reshape(-1), *stream(seed, call), stddev, y.reshape(-1), alone=small(x))
    return y, ()


@parallel
def _add_noise(threads, thread, x, low, high, call, stddev, y):
    key1, key2 = stream_keys(low, high, call)
    first, last = share(len(x), threads, thread)
    source, target, offset = x[first:last], y[first:last], np.uint32(first)
    for i in range(len(source)):
        index = np.uint32(np.uint32(2) * np.uint32(offset + np.uint32(i)))
        radius, angle = random_bits(index, key1, key2), random_bits(np.uint32(index + np.uint32(1)), key1, key2)
        target[i] = source[i] + x.dtype.type(stddev * _normal(radius, angle))


_arithmetic = partial(serial, forceinline=True, fastmath={"contract"})  # a product and a sum may be one instruction
_FACTORIALS = tuple(float(factorial(k)) for k in range(22))
_BITS_OF_ROOT_HALF = int(np.sqrt(0.5).view(np.int64))


@_arithmetic
def _normal(radius, angle):
    """√(−2 · ln(1 − u)) · cos(2π · v) of u = radius / 2³² and v = angle / 2³²."""
    return np.sqrt(-2 * _log(1 - radius / 2.0**32)) * _cos(angle / 2.0**32)


@_arithmetic
def _log(x):
    """ln x of 0 < x ≤ 1: x = m · 2ⁿ with √½ ≤ m < √2, and ln m = 2 · artanh s, s = (m − 1) / (m + 1), a series.

    The exponent n is in a number's upper 12 bits.
    """
    bits = np.float64(x).view(np.int64)
    n = (bits - _BITS_OF_ROOT_HALF) >> 52
    m = np.int64(bits - (n << 52)).view(np.float64)
    s = (m - 1) / (m + 1)
    square, total = s * s, 0.0
    for k in range(21, 0, -2):
        total = total * square + 1 / k
    return 2 * s * total + np.int32(n) * log(2)


@_arithmetic
def _cos(turns):
    """cos(2π · turns) of 0 ≤ turns < 1: it is sin(π · w) with w = |2 · turns − 1| − ½, by Taylor's series."""
    angle = pi * (abs(2 * turns - 1) - 0.5)
    square, total = angle * angle, 0.0
    for k in range(21, 0, -2):
        total = 1 / _FACTORIALS[k] - total * square
    return angle * total
