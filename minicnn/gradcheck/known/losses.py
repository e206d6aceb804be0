"""Losses: one number from predictions and targets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .base import Array, Arrays, Operation, Proposals, Recognised, Term, View, sigmoid

Formula = Callable[[Array, Array, float], tuple[Array, dict[str, Array]]]
"""From predictions and targets (R, K) to each entry's loss, and the terms of its derivative."""

TINY = 1e-300


def squared(p: Array, t: Array, _: float) -> tuple[Array, dict[str, Array]]:
    return (p - t) ** 2, {"2 · prediction": 2 * p, "−2 · target": -2 * t}


def absolute(p: Array, t: Array, _: float) -> tuple[Array, dict[str, Array]]:
    e = p - t
    return np.abs(e), {"where prediction > target": (e > 0) * 1.0, "where prediction < target": -1.0 * (e < 0)}


def huber(p: Array, t: Array, delta: float) -> tuple[Array, dict[str, Array]]:
    e = p - t
    near = np.abs(e) <= delta
    linear = delta * (np.abs(e) - delta / 2)
    return np.where(near, e * e / 2, linear), {
        "the quadratic part": e * near,
        "the linear part": delta * np.sign(e) * ~near,
    }


def logits_crossentropy(z: Array, t: Array, _: float) -> tuple[Array, dict[str, Array]]:
    shifted = z - z.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -t * log_p, {"the probabilities p": np.exp(log_p) * t.sum(axis=-1, keepdims=True), "−target": -t}


def crossentropy(p: Array, t: Array, _: float) -> tuple[Array, dict[str, Array]]:
    return -t * np.log(np.maximum(p, TINY)), {"−target / p": -t / np.maximum(p, TINY)}


def log_likelihood(log_p: Array, t: Array, _: float) -> tuple[Array, dict[str, Array]]:
    return -t * log_p, {"−target": -t}


def normalized_crossentropy(p: Array, t: Array, _: float) -> tuple[Array, dict[str, Array]]:
    total = p.sum(axis=-1, keepdims=True)
    q = p / total
    return -t * np.log(np.clip(q, 1e-7, 1 - 1e-7)), {
        "−target / p": -t / p,
        "the path through Σ p": t.sum(axis=-1, keepdims=True) / total + 0 * p,
    }


def binary(p: Array, t: Array, _: float) -> tuple[Array, dict[str, Array]]:
    p = np.clip(p, TINY, 1)
    loss = -t * np.log(p) - (1 - t) * np.log(np.maximum(1 - p, TINY))
    return loss, {"−y / p": -t / p, "(1 − y) / (1 − p)": (1 - t) / np.maximum(1 - p, TINY)}


def binary_logits(z: Array, t: Array, _: float) -> tuple[Array, dict[str, Array]]:
    return np.logaddexp(0, z) - t * z, {"σ(z)": sigmoid(z), "−y": -t}


def hinge(s: Array, t: Array, delta: float) -> tuple[Array, dict[str, Array]]:
    """Weston and Watkins's: Σ over the wrong classes max(0, s − s[right] + delta)."""
    right = (s * t).sum(axis=-1, keepdims=True)
    margins = np.maximum(0, s - right + delta) * (1 - t)
    over = (margins > 0) * 1.0
    return margins, {
        "1 for each class over its margin": over,
        "−(their number) at the right class": -t * over.sum(axis=-1, keepdims=True),
    }


def squared_hinge(s: Array, t: Array, delta: float) -> tuple[Array, dict[str, Array]]:
    right = (s * t).sum(axis=-1, keepdims=True)
    margins = np.maximum(0, s - right + delta) * (1 - t)
    return margins**2, {
        "2 · margin for each class over its margin": 2 * margins,
        "−2 · their sum at the right class": -2 * t * margins.sum(axis=-1, keepdims=True),
    }


def binary_hinge(s: Array, t: Array, delta: float) -> tuple[Array, dict[str, Array]]:
    margins = np.maximum(0, delta - s * t)
    return margins, {"−y inside the margin": -t * (margins > 0)}


def kullback(p: Array, t: Array, _: float) -> tuple[Array, dict[str, Array]]:
    safe = np.maximum(t, TINY)
    return t * (np.log(safe) - np.log(np.maximum(p, TINY))), {"−target / p": -t / np.maximum(p, TINY)}


FORMULAS: dict[str, tuple[Formula, tuple[float, ...]]] = {
    "the mean squared error": (squared, (0,)),
    "the negative log-likelihood of log-probabilities": (log_likelihood, (0,)),
    "the cross-entropy on logits": (logits_crossentropy, (0,)),
    "the cross-entropy on probabilities": (crossentropy, (0,)),
    "the cross-entropy on normalised probabilities": (normalized_crossentropy, (0,)),
    "the binary cross-entropy": (binary, (0,)),
    "the binary cross-entropy on logits": (binary_logits, (0,)),
    "the hinge loss": (hinge, (1, 0.5, 0.2)),
    "the squared hinge loss": (squared_hinge, (1,)),
    "the binary hinge loss": (binary_hinge, (1,)),
    "the Huber loss": (huber, (1, 0.5, 2, 1.5, 1.35)),
    "the absolute error": (absolute, (0,)),
    "the Kullback-Leibler divergence": (kullback, (0,)),
}


class Loss(Operation):
    """The sum of the formula's entries times `weight`, for predictions x (R, K)."""

    family = "loss"

    def __init__(self, arrays: Arrays, formula: Formula, target: Array, parameter: float, weight: float) -> None:
        self.x, self.target, self.parameter, self.weight, self.formula = arrays["x"], target, parameter, weight, formula
        self.samples = len(self.x)
        entries, self.slopes = formula(self.x, target, parameter)
        self.y = np.asarray(weight * entries.sum())

    def pull(self, dz: Array) -> dict[str, Array]:
        return {"x": self.weight * dz * sum(self.slopes.values())}

    def terms(self, role: str, dy: Array) -> dict[str, Term]:
        return {name: Term(self.weight * dy * slope) for name, slope in self.slopes.items()}


def recognise(arrays: Arrays, y: Array, labels: Any = None) -> Proposals:
    """Predictions and, from the function's other arguments, labels or targets."""
    if y.size != 1 or len(arrays) != 1 or labels is None:
        return
    ((name, x),) = arrays.items()
    targets = np.asarray(labels)
    with np.errstate(all="ignore"):
        for reshape in ("rows", "flat"):
            view = View(None, reshape)
            predictions = view.to(x)
            for target in _targets(predictions, targets, x.shape):
                rows = len(predictions)
                weights = (1 / rows, 1 / x.size, 1.0, 0.5 / rows, 0.5, 0.5 / x.size, 1 / x.shape[-1])
                for title, (formula, parameters) in FORMULAS.items():
                    for parameter in parameters:
                        total = float(formula(predictions, target, parameter)[0].sum())
                        for weight in weights:
                            if total and np.isclose(weight * total, y, rtol=1e-10, atol=0).all():
                                make = partial(Loss, formula=formula, target=target, parameter=parameter, weight=weight)
                                yield Recognised(title, make, {name: ("x", view)}, View(None, "same"))


def _targets(x: Array, targets: Array, shape: tuple[int, ...]) -> list[Array]:
    """The targets in the predictions' shape: as they are, or one-hot."""
    found = []
    if targets.size == x.size and targets.dtype.kind in "fiub":
        found.append(targets.reshape(x.shape).astype(float))
    if x.ndim == 2 and targets.size == len(x) and targets.dtype.kind in "iu" and x.shape[1] > 1:
        labels = targets.ravel()
        if labels.min() >= 0 and labels.max() < x.shape[1]:
            found.append(np.eye(x.shape[1])[labels])
    return found
