"""ReLU: its forward and its backward, with the mask between them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...exercise import Exercise, Part
from ...grading import Work, doctor, equal, first_wrong, normal, results

BY_HAND = np.array([[-2.0, 3.0, 0.0], [0.5, -0.1, 4.0]])


def check(work: Work) -> Iterator[Part]:
    """Values computed by hand, then the doctor."""
    forward = work.function("relu", "x")
    backward = work.function("relu_backward", "dy", "saved")
    inputs = [BY_HAND, *normal(0, (2, 4, 5, 3))]
    yield (part := first_wrong(_compared(forward, x) for x in inputs))
    work.stop_unless(part)
    yield from doctor(forward, backward, [[x] for x in normal(1, (4, 6), (2, 4, 5, 3))], ("dx",))


def _compared(forward, x: np.ndarray) -> Part:
    y, _ = results(forward, [x.copy()], ("y", "saved"))
    return equal("y", y, np.maximum(x, 0), "y is x where x is positive, and 0 elsewhere.")


HINTS = """
np.maximum(x, 0) compares each entry with 0. (np.max is something else: the largest entry of the whole array.)

y[i] depends on x[i] alone. The derivative is 1 where x[i] > 0 and 0 where x[i] < 0, so dx is dy with zeros at some
places. The backward has to know x, or where it was positive: return that in saved.

x > 0 is an array of True and False, the mask. In a product, True counts as 1 and False as 0.
"""

PRAISE = """
The condition is on x, never on dy: a gradient may have any sign. The page "Activations" of the documentation has
the others.
"""

EXERCISE = Exercise("relu", "ReLU: a mask", ("y", "dx"), check, HINTS, PRAISE)
