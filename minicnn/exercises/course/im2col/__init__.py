"""im2col: windows as rows, so that the convolution is one matrix product."""

from __future__ import annotations

from collections.abc import Iterator
from functools import wraps

import numpy as np

from ....backends.textbook.conv import conv2d, conv2d_backward
from ....backends.textbook.windows import im2col
from ...exercise import Exercise, Part
from ...grading import Function, Work, doctor, equal, first_wrong, normal, results

STRIDES = (1, 2)


def check(work: Work) -> Iterator[Part]:
    """The columns and y beside the textbook's, then the doctor for the two gradients without dx."""
    columns = work.function("im2col", "x", "KH", "KW", "stride")
    forward = work.function("convolution", "x", "kernel", "bias", "stride")
    backward = work.function("convolution_backward", "dy", "saved")
    x, kernel, bias = normal(0, (2, 6, 5, 3), (3, 2, 3, 4), (4,))
    yield (part := first_wrong(_columns(columns, x, stride) for stride in STRIDES))
    work.stop_unless(part)
    yield (part := first_wrong(_product(forward, x, kernel, bias, stride) for stride in STRIDES))
    work.stop_unless(part)
    cases = [[*normal(1, (2, 5, 4, 2), (3, 2, 2, 3), (3,)), stride] for stride in STRIDES]
    parts = doctor(*with_dx(forward, backward), cases, ("dx", "dkernel", "dbias"))
    yield from (part for part in parts if part.name != "dx")


def _columns(function: Function, x: np.ndarray, stride: int) -> Part:
    (found,) = results(function, [x.copy(), 3, 2, stride], ("columns",))
    expected = im2col(x, (3, 2), (stride, stride), "valid")
    return equal("columns", found, expected, f"With KH = 3, KW = 2, stride {stride}, for x (2, 6, 5, 3).")


def _product(function: Function, x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, stride: int) -> Part:
    y, _ = results(function, [x.copy(), kernel, bias, stride], ("y", "saved"))
    expected, _ = conv2d(x, kernel, bias, (stride, stride), "valid", "linear")
    return equal("y", y, expected, f"With stride {stride}, for x (2, 6, 5, 3) and a kernel (3, 2, 3, 4).")


def with_dx(forward: Function, backward: Function) -> tuple[Function, Function]:
    """The learner's functions, with the textbook's dx as the first gradient: the doctor wants one for each array."""

    @wraps(forward)
    def forward_of_both(x, kernel, bias, stride):
        y, saved = results(forward, [x, kernel, bias, stride], ("y", "saved"))
        return y, (saved, conv2d(x, kernel, bias, (stride, stride), "valid", "linear")[1])

    @wraps(backward)
    def backward_of_both(dy, saved):
        own, textbook = saved
        return conv2d_backward(dy, textbook)[0], *results(backward, [dy, own], ("dkernel", "dbias"))

    return forward_of_both, backward_of_both


HINTS = """
There are only KH · KW different (i, j), and for each of them all outputs can be copied at once: a loop over i and
j, and one assignment to columns[:, :, :, i, j, :].

The pixels that lie at (i, j) of their windows are the rows i, i + S, i + 2S, … of the image, OH of them:
x[:, i : i + S * OH : S, j : j + S * OW : S, :].

rows = columns.reshape(N * OH * OW, KH * KW * C), the kernel as a matrix is kernel.reshape(KH * KW * C, F): y is
their product plus bias, reshaped to (N, OH, OW, F). It is a dense layer, so its backward is the one of exercise 1,
between reshapes: dkernel is rowsᵀ times dy, which is (N · OH · OW, F), reshaped to the kernel's shape.
"""

PRAISE = """
The loops over positions, channels and filters are inside one matrix product now, the fastest thing that a computer
does. Most frameworks compute convolutions this way. The price is memory: each pixel is copied KH · KW times.
"""

EXERCISE = Exercise(
    "im2col", "im2col: the convolution as a matrix product", ("columns", "y", "dkernel", "dbias"), check, HINTS, PRAISE
)
