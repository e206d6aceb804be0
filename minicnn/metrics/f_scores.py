"""F-scores: one number for precision and recall of each class."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arguments
from ..errors import explain
from .base import Metric, decision_weights, numbers, share

AVERAGES = ("micro", "macro", "weighted")


class FBetaScore(Metric):
    """F = (1 + β²) · precision · recall / (β² · precision + recall): recall counts β times as much as precision.

    y_true one-hot, or several classes per sample, and y_pred, both (N, K). A sample is decided for the classes with
    y_pred > threshold; without a threshold, for the class of its largest y_pred. average=None gives the K scores,
    "macro" their mean, "weighted" their mean weighted by the samples of each class, "micro" the score of all decisions
    together.
    """

    larger_is_better = True

    def __init__(
        self, average: str | None = None, beta: float = 1.0, threshold: float | None = None, name: str | None = None
    ) -> None:
        super().__init__("fbeta_score" if name is None else name)
        where = type(self).__name__
        if average is not None:
            arguments.choice(f"{where} average", average, AVERAGES, "the name of an average")
        self.average = average
        self.beta = arguments.number(f"{where} beta", beta, least=0)
        if not self.beta:
            raise ValueError(explain(f"{where} beta", "a number above 0", str(beta), "1.0 is the F1 score."))
        self.threshold = None if threshold is None else arguments.fraction(f"{where} threshold", threshold)
        self.takes_logits = threshold is None
        self.reset_state()

    def reset_state(self) -> None:
        self.right: Any = np.zeros(1)  # (K,): decisions for a class that are right
        self.decided: Any = np.zeros(1)  # (K,): decisions for a class
        self.true: Any = np.zeros(1)  # (K,): samples of a class

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = numbers(self.name, "y_true", y_true), numbers(self.name, "y_pred", y_pred)
        if y_pred.ndim != 2 or y_true.shape != y_pred.shape:
            expected, found = "y_true and y_pred of one shape (N, K)", f"shapes {y_true.shape} and {y_pred.shape}"
            raise ValueError(explain(self.name, expected, found, "minicnn.utils.to_categorical makes labels one-hot."))
        weights = decision_weights(self.name, sample_weight, y_pred.shape)
        if self.threshold is None:
            decided = (y_pred >= y_pred.max(axis=-1, keepdims=True)) & (y_pred != 0)
        else:
            decided = y_pred > self.threshold
        self.right = self.right + (weights * decided * y_true).sum(axis=0)
        self.decided = self.decided + (weights * decided).sum(axis=0)
        self.true = self.true + (weights * y_true).sum(axis=0)

    def result(self) -> Any:
        right, decided, true = self.right, self.decided, self.true
        if self.average == "micro":
            right, decided, true = right.sum(), decided.sum(), true.sum()
        scores = share((1 + self.beta**2) * right, self.beta**2 * true + decided)
        if self.average is None:
            return scores
        weights = self.true if self.average == "weighted" else np.ones_like(self.true)
        return float(share((weights * scores).sum(), weights.sum()))


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall: FBetaScore with β = 1."""

    def __init__(self, average: str | None = None, threshold: float | None = None, name: str | None = None) -> None:
        super().__init__(average, 1.0, threshold, "f1_score" if name is None else name)
