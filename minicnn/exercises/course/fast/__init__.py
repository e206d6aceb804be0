"""Make the loop fast: the same loops, compiled by Numba, with the same results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ....backends.textbook.conv import conv2d, conv2d_backward
from ...exercise import Exercise, Part
from ...grading import Function, Work, equal, first_wrong, normal

SHAPES = (((2, 6, 5, 3), (3, 2, 3, 4)), ((5, 4, 7, 1), (1, 3, 1, 2)))
"""Of x and of the kernel."""

REPETITIONS = 3
"""Threads that write to the same place lose sums now and then, not always."""


def check(work: Work) -> Iterator[Part]:
    """Compiled, and equal to the textbook's; then the time, which gives no points."""
    functions = {
        "convolution": work.function("convolution", "x", "kernel"),
        "kernel_gradient": work.function("kernel_gradient", "x", "dy"),
    }
    for name, function in functions.items():
        if not hasattr(function, "py_func"):
            yield Part(name, False, "not compiled yet: write @njit above its def.")
            continue
        yield (part := first_wrong(_compared(name, function, *shapes) for shapes in SHAPES * REPETITIONS))
        if part.ok:
            work.remarks.append(_speed_up(name, function))


def _case(
    name: str, x_shape: tuple[int, ...], kernel_shape: tuple[int, ...]
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """The arguments of one of the functions, float32, and the textbook's result."""
    x, kernel = (array.astype("float32") for array in normal(0, x_shape, kernel_shape))
    y, saved = conv2d(x, kernel, None, (1, 1), "valid", "linear")
    if name == "convolution":
        return (x, kernel), y
    return (x, y), conv2d_backward(y, saved, need_dx=False)[1]  # y stands for dy


def _compared(name: str, function: Function, x_shape: tuple[int, ...], kernel_shape: tuple[int, ...]) -> Part:
    arrays, expected = _case(name, x_shape, kernel_shape)
    about = (
        f"For x {x_shape} and a kernel {kernel_shape}. Are the sums still the same, and do no two threads add to one "
        f"entry?"
    )
    return equal(name, function(*arrays), expected, about, tolerance=1e-4)


def _speed_up(name: str, function: Any) -> str:
    """A sentence about the time, once in Python and several times compiled."""
    arrays, _ = _case(name, (4, 14, 14, 4), (3, 3, 4, 8))
    slow = _seconds(lambda: function.py_func(*arrays), 1)
    fast = _seconds(lambda: function(*arrays), 5)
    return f"{name}: {1000 * slow:.0f} ms in Python, {1000 * fast:.2f} ms compiled, {slow / fast:.0f} times as fast."


def _seconds(call: Callable[[], Any], repetitions: int) -> float:
    """The shortest time of some calls."""
    times = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)


HINTS = """
from numba import njit stands at the top already. Write @njit in the line above `def convolution`, and do the same
for kernel_gradient. The first call compiles, which takes some seconds; the later ones run machine code.

To share the work among processors: @njit(parallel=True), and prange in place of range for one loop, the outermost.
In convolution, prange over n is right: each sample has its own part of y, so no two threads write to the same
place.

In kernel_gradient the loop over n must stay a plain range: every sample adds to the same dkernel, and two threads
that read, add and write at the same time lose a sum. Put the loop over f outside and make that one prange: each
filter has its own part of dkernel.
"""

PRAISE = """
Same loops, same results. minicnn's fast backend is written like this, with loops in an order that keeps data in the
cache: minicnn/backends/cpu, and the page "Performance" of the documentation.
"""

EXERCISE = Exercise("fast", "Make the loop fast: Numba", ("convolution", "kernel_gradient"), check, HINTS, PRAISE)
