"""The roof of the roofline: the machine's peak FLOP rate and memory bandwidth, measured in the same run."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np

SIDE = 2048  # of the square matrices: 16 MB each, 17 GFLOP per product
LENGTH = 16_000_000  # of the triad's arrays: 64 MB each, larger than the caches
REPEATS = 7


def ceilings() -> dict[str, float]:
    """flops: FLOP/s of a large single-precision matrix product. bandwidth: byte/s of a triad, a = b + s·c."""
    from numba import njit, prange

    @njit(parallel=True)
    def triad(a, b, c):
        for i in prange(len(a)):
            a[i] = b[i] + np.float32(3) * c[i]

    left, right = (np.random.default_rng(seed).random((SIDE, SIDE), np.float32) for seed in (0, 1))
    product = np.empty_like(left)
    a, b, c = (np.ones(LENGTH, np.float32) for _ in range(3))
    return {
        "flops": 2 * SIDE**3 / _fastest(lambda: np.matmul(left, right, out=product)),
        "bandwidth": 3 * a.nbytes / _fastest(lambda: triad(a, b, c)),
    }


def _fastest(action: Callable[[], object]) -> float:
    """Seconds of the fastest run: a ceiling is the machine's maximum, not its average."""
    times = []
    for _ in range(1 + REPEATS):
        start = perf_counter()
        action()
        times.append(perf_counter() - start)
    return min(times[1:])  # the first one compiles
