"""Batch normalisation in training: three paths from x to y."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...exercise import Exercise, Part
from ...grading import Function, Work, doctor, equal, first_wrong, normal, results
from . import solution

EPSILONS = (1e-3, 0.5)


def check(work: Work) -> Iterator[Part]:
    """The forward, also with a large epsilon and few samples; then the doctor."""
    forward = work.function("batch_norm", "x", "gamma", "beta", "epsilon")
    backward = work.function("batch_norm_backward", "dy", "saved")
    x, gamma, beta = normal(0, (5, 3), (3,), (3,))
    yield (part := first_wrong(_compared(forward, 2 * x + 1, gamma, beta, epsilon) for epsilon in EPSILONS))
    work.stop_unless(part)
    yield from doctor(forward, backward, [[x, gamma, beta, e] for e in EPSILONS], ("dx", "dgamma", "dbeta"))


def _compared(function: Function, x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float) -> Part:
    y, _ = results(function, [x.copy(), gamma, beta, epsilon], ("y", "saved"))
    expected, _ = solution.batch_norm(x, gamma, beta, epsilon)
    about = (
        f"With epsilon {epsilon}. The variance is a mean over the N samples (not N − 1), epsilon is inside the root."
    )
    return equal("y", y, expected, about)


HINTS = """
The forward is four lines: mean = x.mean(axis=0), variance = x.var(axis=0), std = np.sqrt(variance + epsilon),
normalized = (x − mean) / std. Keep normalized, gamma and std for the backward. dbeta is a sum as in the dense
layer; dgamma is the sum of dy · normalized over the samples.

Let g = dy · gamma, the gradient of normalized. Direct path: g / std. Through the mean, which has −1/std in every
sample and 1/N from every x: −mean(g) / std, the mean over the samples. What remains is the path through std.

normalized = (x − mean) / std: std of a channel has the gradient −Σ g · normalized / std, and ∂std/∂x is
normalized / N. Together the path through std is −normalized · mean(g · normalized) / std. All three:
dx = (g − mean(g) − normalized · mean(g · normalized)) / std, with means along axis 0.
"""

PRAISE = """
Three paths, one line. Without the second and third path a network still trains, only worse: nothing but a gradient
check shows it. In inference the statistics are constants, and only the first path is left.
"""

EXERCISE = Exercise(
    "batch_norm", "Batch normalisation: three paths", ("y", "dx", "dgamma", "dbeta"), check, HINTS, PRAISE
)
