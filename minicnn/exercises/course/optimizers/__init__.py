"""SGD, momentum and Adam: three rules for a step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ....gradcheck import check_optimizer
from ....gradcheck.known.optimizers import HYPERPARAMETERS
from ...exercise import Exercise, Part
from ...grading import NOT_WRITTEN, Work, parts_of, results

RULES = ("sgd", "momentum", "adam")


def check(work: Work) -> Iterator[Part]:
    """Five steps of each rule, beside the doctor's."""
    for rule in RULES:
        step = work.function(rule, "w", "dw", "config")
        w, dw = np.array([1.0, -2.0]), np.array([0.5, 0.1])
        returned, config = results(step, [w.copy(), dw.copy(), {**HYPERPARAMETERS[rule], "t": 0}], ("w", "config"))
        if returned is None or config is None:
            yield Part(rule, False, NOT_WRITTEN)
        elif not np.isfinite(np.asarray(returned, float)).all():
            text = "the first step gives NaN or infinity. Count the step first: with t = 0, 1 − beta⁰ is 0."
            yield Part(rule, False, text)
        else:
            yield from parts_of(check_optimizer(step, rule), [rule])


HINTS = """
sgd is one line: the weights move against the gradient, w − learning_rate · dw. Make a new array; w −= … would
change the caller's.

momentum keeps a velocity from step to step, in config: v = config.get("v", 0) is 0 in the first step. Update it
first, v = momentum · v − learning_rate · dw, then add it to w, and store it: config["v"] = v.

adam: t counts the steps from 1, so begin with config["t"] += 1. m and v are moving means of dw and of dw²; they
start at 0 and are too small at first, so both are divided by 1 − betaᵗ. These corrected values are only for this
step: store the uncorrected m and v. Epsilon is added to the root, √v̂ + epsilon, not inside of it.
"""

PRAISE = """
These few lines are what the network learns with; everything before only computed dw. A step is never part of a
backward: so each can be checked alone.
"""

EXERCISE = Exercise("optimizers", "SGD, momentum, Adam: the step", RULES, check, HINTS, PRAISE)
