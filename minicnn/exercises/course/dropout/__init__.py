"""Dropout: a random mask in training, nothing in inference."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...exercise import Exercise, Part
from ...grading import Function, Work, doctor, equal, normal, results

RATE = 0.3


def check(work: Work) -> Iterator[Part]:
    """The mask's share, scale and independence; inference; then the doctor, with the same mask every time."""
    forward = work.function("dropout", "x", "rate", "rng", "training")
    backward = work.function("dropout_backward", "dy", "saved")
    yield (part := _in_training(forward))
    work.stop_unless(part)
    (x,) = normal(0, (4, 5))
    y, _ = results(forward, [x.copy(), RATE, np.random.default_rng(0), False], ("y", "saved"))
    yield (part := equal("y in inference", y, x, "With training=False nothing is dropped: y is x."))
    work.stop_unless(part)
    yield from doctor(_repeatable(forward), backward, [[x, True], [x, False]], ("dx",))


def _in_training(forward: Function) -> Part:
    """Ones, so that y is the mask."""
    name, ones, rng = "y in training", np.ones((200, 50)), np.random.default_rng(1)
    y, _ = results(forward, [ones.copy(), RATE, rng, True], ("y", "saved"))
    if y is None or np.shape(y) != ones.shape:
        return equal(name, y, ones)
    y, dropped = np.asarray(y), float((np.asarray(y) == 0).mean())
    if 0 < dropped < 1 and ((y == y[0]).all() or (y == y[:, :1]).all()):
        return Part(name, False, "all rows or columns have the same mask. Draw one random number for each entry of x.")
    if abs(dropped - RATE) > 0.03:
        swapped = " That is 1 − rate: is the comparison the wrong way round?" if abs(dropped + RATE - 1) < 0.03 else ""
        return Part(name, False, f"{dropped:.0%} of the entries are 0, but the rate is {RATE:.0%}.{swapped}")
    kept = y[y != 0]
    if not np.allclose(kept, 1 / (1 - RATE)):
        text = f"with the rate {RATE} the kept entries are {kept[0]:.4g} times x, but 1 / (1 − rate) = "
        return Part(name, False, f"{text}{1 / (1 - RATE):.4g} is expected, so that the mean of y stays the mean of x.")
    again, _ = results(forward, [ones.copy(), RATE, rng, True], ("y", "saved"))
    if np.array_equal(again, y):
        return Part(name, False, "the second batch has the same mask. Draw it with the given rng: rng.random(x.shape).")
    repeated, _ = results(forward, [ones.copy(), RATE, np.random.default_rng(1), True], ("y", "saved"))
    if not np.array_equal(repeated, y):
        text = "the same rng gives another mask. Draw it from rng, not from np.random: training can then be repeated."
        return Part(name, False, text)
    return Part(name, True)


def _repeatable(forward: Function) -> Function:
    """The same mask in every forward: differences of two forwards need the same function."""

    def dropout(x, training):
        return forward(x, RATE, np.random.default_rng(7), training)

    return dropout


HINTS = """
rng.random(x.shape) is one number from 0 to 1 for each entry, and `rng.random(x.shape) >= rate` is True with the
probability 1 − rate: these entries are kept. In a product, True counts as 1 and False as 0.

If a share 1 − rate is kept, the mean of y is 1 − rate times that of x. Divide the mask by 1 − rate to undo this;
then inference needs no factor at all: with training=False, y is x.

Once the mask is drawn it is a constant, so y = x · mask is a product with a constant: dx = dy · mask, with the same
mask, divided by 1 − rate as well. Keep it in saved; for inference keep a mask of 1, then the backward needs no
`if`.
"""

PRAISE = """
The backward uses the forward's mask: a mask that is drawn anew would be another function's gradient. minicnn's
dropout counts its masks, so that a gradient check or a resumed training can draw the same ones again.
"""

EXERCISE = Exercise(
    "dropout", "Dropout: a random mask", ("y in training", "y in inference", "dx"), check, HINTS, PRAISE
)
