"""The convolution, written as loops over windows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ....backends.textbook.conv import conv2d
from ...exercise import Exercise, Part
from ...grading import Work, doctor, equal, first_wrong, normal, results

STRIDES = (1, 2)
ABOUT = "With stride {}, for x (2, 6, 5, 3) and a kernel (3, 2, 3, 4)."


def check(work: Work) -> Iterator[Part]:
    """The forward beside the textbook's, then the doctor, with windows that overlap."""
    forward = work.function("convolution", "x", "kernel", "bias", "stride")
    backward = work.function("convolution_backward", "dy", "saved")
    arrays = normal(0, (2, 6, 5, 3), (3, 2, 3, 4), (4,))
    yield (part := first_wrong(_compared(forward, arrays, stride) for stride in STRIDES))
    work.stop_unless(part)
    small = normal(1, (2, 5, 4, 2), (3, 2, 2, 3), (3,))
    yield from doctor(forward, backward, [[*small, stride] for stride in STRIDES], ("dx", "dkernel", "dbias"))


def _compared(forward, arrays: list[np.ndarray], stride: int) -> Part:
    x, kernel, bias = arrays
    y, _ = results(forward, [x.copy(), kernel, bias, stride], ("y", "saved"))
    expected, _ = conv2d(x, kernel, bias, (stride, stride), "valid", "linear")
    return equal("y", y, expected, ABOUT.format(stride))


HINTS = """
The window of the output (p, q) is x[:, p * stride : p * stride + KH, q * stride : q * stride + KW, :], of shape (N,
KH, KW, C). For one filter, y[:, p, q, f] is the sum of window * kernel[:, :, :, f] over its last three axes, plus
bias[f].

The backward has the same loops. Each y[n, p, q, f] adds kernel[..., f] · dy[n, p, q, f] to the window of dx, and
window · dy[n, p, q, f] to dkernel[..., f]. Both start as zeros and are added to with +=: windows overlap, and the
kernel is used at every position.

For all samples at once, d = dy[:, p, q, f] has shape (N,), and d[:, None, None, None] * kernel[..., f] has the
window's shape (N, KH, KW, C). For dkernel[..., f], multiply the window by the same d and sum over the samples, axis
0. dbias is dy, summed over samples, rows and columns.
"""

PRAISE = """
Seven loops would do the same; NumPy did four of them. minicnn's version, without any loop, is in
minicnn/backends/textbook/conv.py. The next exercises lead there.
"""

EXERCISE = Exercise("convolution", "The convolution, by loops", ("y", "dx", "dkernel", "dbias"), check, HINTS, PRAISE)
