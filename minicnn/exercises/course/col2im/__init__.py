"""col2im: the backward of im2col, and with it the convolution's dx."""

from __future__ import annotations

from collections.abc import Iterator

from ...exercise import Exercise, Part
from ...grading import Work, doctor, given, normal, results
from . import solution

STRIDES = (1, 2)


def check(work: Work) -> Iterator[Part]:
    """The doctor, for col2im as the backward of im2col, and for the convolution with it."""
    im2col = work.function("im2col", "x", "KH", "KW", "stride")
    col2im = work.function("col2im", "dcolumns", "shape", "stride")
    forward = work.function("convolution", "x", "kernel", "bias", "stride")
    backward = work.function("convolution_backward", "dy", "saved")
    x, kernel, bias = normal(0, (2, 5, 4, 2), (3, 2, 2, 3), (3,))
    for stride in STRIDES:
        given("im2col", im2col(x, 3, 2, stride), solution.im2col(x, 3, 2, stride))
        given("convolution", forward(x, kernel, bias, stride)[0], solution.convolution(x, kernel, bias, stride)[0])

    def windows(x, stride):
        return im2col(x, 3, 2, stride), (x.shape, stride)

    def back(dcolumns, saved):
        return results(col2im, (dcolumns, *saved), ("dx",))[0]

    (part,) = doctor(windows, back, [[x, stride] for stride in STRIDES], ("col2im",))
    yield part
    work.stop_unless(part)
    yield from doctor(forward, backward, [[x, kernel, bias, stride] for stride in STRIDES], ("dx", "dkernel", "dbias"))


HINTS = """
Copying is a linear map, and the backward of "copy to several places" is "add up what comes from these places". So
col2im has the loops of im2col, with the two sides of the assignment exchanged, and += for =.

It starts with dx = np.zeros(shape). Inside the loops, dx[:, i : i + S * OH : S, j : j + S * OW : S, :] gets
dcolumns[:, :, :, i, j, :]. All pixels of one slice are different, so += adds to each of them once.

In convolution_backward: y = rows · K as matrices, so drows = dy · Kᵀ, (N · OH · OW, F) times (F, KH · KW · C).
Reshape it to the columns' shape (N, OH, OW, KH, KW, C), then col2im makes dx of it.
"""

PRAISE = """
im2col and col2im are transposes of each other, like all pairs that copy and add up: pages "Notation and chain rule"
and "Convolution" of the documentation. You have the whole convolution of minicnn's textbook now, except its
padding.
"""

EXERCISE = Exercise(
    "col2im", "col2im: the convolution's dx", ("col2im", "dx", "dkernel", "dbias"), check, HINTS, PRAISE
)
