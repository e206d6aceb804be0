"""The dense layer: its forward is given, the three gradients are to be written."""

from __future__ import annotations

from collections.abc import Iterator

from ....backends.textbook.dense import dense
from ...exercise import Exercise, Part
from ...grading import Work, doctor, given, normal, results


def check(work: Work) -> Iterator[Part]:
    """The forward is the stub's, and the doctor finds nothing in the backward."""
    forward = work.function("dense", "x", "kernel", "bias")
    backward = work.function("dense_backward", "dy", "saved")
    x, kernel, bias = arrays = normal(0, (5, 3), (3, 4), (4,))
    y, _ = results(forward, arrays, ("y", "saved"))
    given("dense", y, dense(x, kernel, bias, "linear")[0])
    yield from doctor(forward, backward, [arrays], ("dx", "dkernel", "dbias"))


HINTS = """
Begin with dbias, the shortest one. bias[f] is added to y[n, f] of every sample n, with the factor 1. So dbias[f] is
the sum of dy[n, f] over all n: a sum along the axis 0, not a mean.

dkernel[c, f] = Σ_n x[n, c] · dy[n, f]. A sum over an index that two arrays share is a matrix product, if the index
is the last one of the first array and the first one of the second: transpose x.

dx[n, c] = Σ_f dy[n, f] · kernel[c, f]. The shared index f is the last one of dy, so the kernel is transposed: (N,
F) times (F, C) is (N, C).
"""

PRAISE = """
These three lines are in every network. minicnn's own are in minicnn/backends/textbook/dense.py: compare them with
yours.
"""

EXERCISE = Exercise("dense", "The dense layer: three gradients", ("dx", "dkernel", "dbias"), check, HINTS, PRAISE)
