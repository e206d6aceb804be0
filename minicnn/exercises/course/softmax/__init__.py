"""Softmax and cross-entropy, as one function with a short gradient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...exercise import Exercise, Part
from ...grading import Work, doctor, equal, first_wrong, normal, results

LABELS = np.array([2, 0, 3, 3, 1])
LARGE = np.array([[1000.0, 0.0, -1000.0, 999.0], [-800.0, -801.0, -900.0, -2000.0]])


def check(work: Work) -> Iterator[Part]:
    """The probabilities, also of large logits; the loss; then the doctor."""
    softmax = work.function("softmax", "z")
    forward = work.function("softmax_crossentropy", "z", "labels")
    backward = work.function("softmax_crossentropy_backward", "saved")
    z = 2 * normal(0, (5, 4))[0]
    cases = {"": z, "Each row is a distribution of its own, also if another row is larger.": z + 50 * LABELS[:, None]}
    cases["With logits of 1000, exp overflows: subtract the row's largest logit first."] = LARGE
    yield (part := first_wrong(_probabilities(softmax, z, about) for about, z in cases.items()))
    work.stop_unless(part)
    expected = -np.log(_softmax(z)[np.arange(5), LABELS]).mean()
    loss, _ = results(forward, (z.copy(), LABELS.copy()), ("loss", "saved"))
    about = "It is the mean over the samples of −log p, p the probability of the sample's label."
    yield (part := equal("loss", loss, expected, about))
    work.stop_unless(part)
    yield from doctor(forward, backward, [[z, LABELS]], ("dz",), takes_dy=False)


def _softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _probabilities(softmax, z: np.ndarray, about: str) -> Part:
    (p,) = results(softmax, [z.copy()], ("p",))
    return equal("p", p, _softmax(z), about)


HINTS = """
z.max(axis=1, keepdims=True) is the largest logit of each row, of shape (N, 1), so that it can be subtracted from z.
The probabilities stay the same: exp(z − m) / Σ exp(z − m) is a fraction, divided above and below by exp(m). The sum
needs keepdims=True, too.

p[np.arange(N), labels] is one probability for each sample, that of its label. The loss is the mean of their
negative logarithms. Keep p and labels in saved.

log p[n, k] = z[n, k] − log Σ_j exp z[n, j]. Its derivative with respect to z[n, j] is (1 if j is k, else 0) − p[n,
j]. With the minus of the loss: p − t, t with a single 1 in each row. And do not forget the mean's 1/N.
"""

PRAISE = """
The sum over the classes is gone, and nothing is divided by a small p: that is why the two are computed together.
The documentation has a page about it.
"""

EXERCISE = Exercise(
    "softmax", "Softmax and cross-entropy: the loss, and p − t", ("p", "loss", "dz"), check, HINTS, PRAISE
)
