"""Max pooling with windows that overlap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ....backends.textbook.pooling import max_pool2d
from ...exercise import Exercise, Part
from ...grading import Function, Work, doctor, equal, first_wrong, normal, results

WINDOWS = ((2, 2), (3, 2), (3, 1))
"""Sizes and strides: windows that don't overlap, and two that do."""


def check(work: Work) -> Iterator[Part]:
    """The forward beside the textbook's, then the doctor, which tries ties, too."""
    forward = work.function("max_pooling", "x", "size", "stride")
    backward = work.function("max_pooling_backward", "dy", "saved")
    (x,) = normal(0, (2, 6, 7, 3))
    yield (part := first_wrong(_compared(forward, x, *window) for window in WINDOWS))
    work.stop_unless(part)
    (x,) = normal(1, (2, 5, 7, 2))
    yield from doctor(forward, backward, [[x, *window] for window in WINDOWS], ("dx",))


def _compared(function: Function, x: np.ndarray, size: int, stride: int) -> Part:
    y, _ = results(function, [x.copy() - 3, size, stride], ("y", "saved"))  # mostly negative: 0 is no neutral start
    expected, _ = max_pool2d(x - 3, (size, size), (stride, stride), "valid")
    return equal("y", y, expected, f"With size {size}, stride {stride}, for x (2, 6, 7, 3) with negative entries.")


HINTS = """
The loops over p and q are those of the convolution. window.reshape(N, size * size, C) has the pixels of each window
on the axis 1: its max along that axis is y[:, p, q, :], and its argmax, (N, C), tells which pixel won.

In the backward each window gives its dy to one pixel, the winner, and nothing to the others. A window that is tied
(two equal maxima) still has one winner only: argmax takes the first.

part = np.zeros((N, size * size, C)), then np.put_along_axis(part, winner[:, None, :], dy[:, p, q, None, :], axis=1)
puts each dy where its winner is. Add part, reshaped to (N, size, size, C), to the window in dx: += because windows
overlap.
"""

PRAISE = """
Where a pixel wins several windows their gradients add up, and where it wins none it gets nothing. Nothing of dy is
lost: dx.sum() is dy.sum(). Average pooling shares dy among all pixels instead.
"""

EXERCISE = Exercise("max_pooling", "Max pooling: the winner takes it all", ("y", "dx"), check, HINTS, PRAISE)
