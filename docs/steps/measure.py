"""Times of the steps side by side: python docs/steps/measure.py

The convolution is the second of Model 5, without its padding: 3 × 3, 32 channels to 64, 16 × 16 pixels to 14 × 14. Each
step takes 64 images forty times, and the best time counts; the loops in Python take one image once.
"""

from __future__ import annotations

import platform
import runpy
import time
from pathlib import Path

import numba
import numpy as np

import minicnn

FLOP = 2 * 14 * 14 * (3 * 3 * 32) * 64
"""Multiplications and additions of an image in the formula; Winograd needs fewer."""


def steps():
    """The functions of the files step1_….py to step5_….py, in their order, by the file's name."""
    files = sorted(Path(__file__).parent.glob("step*.py"))
    return {file.name: runpy.run_path(str(file))["convolution"] for file in files}


def seconds(function, *arrays):
    start = time.perf_counter()
    function(*arrays)
    return time.perf_counter() - start


def show(times):
    """Print a table of the best of each step's times, in seconds per image."""
    print(f"{'step':24} {'µs per image':>14} {'GFLOP/s':>9} {'times as fast as before':>25}")
    before = None
    for name, rounds in times.items():
        best = min(rounds)
        gain = "" if before is None else f"{before / best:,.1f}"
        print(f"{name:24} {1e6 * best:14,.0f} {FLOP / best / 1e9:9.3g} {gain:>25}".rstrip())
        before = best


def main():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 16, 16, 32)).astype("float32")
    kernel = rng.standard_normal((3, 3, 32, 64)).astype("float32")
    layer = minicnn.layers.Conv2D(64, 3, use_bias=False)
    layer.forward(x)
    candidates = {**steps(), "the numba backend": lambda x, kernel: layer.forward(x)}
    times = {}
    for name, function in candidates.items():
        images, rounds = (1, 1) if name == "step1_loops.py" else (64, 40)
        if rounds > 1:
            function(x, kernel)  # compiles it
        time.sleep(0.3)  # the threads of NumPy's products go on spinning for 0.1 s
        times[name] = [seconds(function, x[:images], kernel) / images for _ in range(rounds)]

    print(f"{platform.machine()}, {numba.get_num_threads()} threads, NumPy {np.__version__}\n")
    show(times)


if __name__ == "__main__":
    main()
