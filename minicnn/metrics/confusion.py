"""Counts of right and wrong decisions for a yes or no, and precision and recall, which are made of them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import arguments
from ..errors import explain
from .base import Metric, numbers
from .functions import _of_one_rank


class DecisionCounts(Metric):
    """Counts decisions y_pred > threshold: true and false positives, true and false negatives, weighted or not.

    With several thresholds, every count and every result is an array, one number for each of them.
    """

    true_positives: np.ndarray
    false_positives: np.ndarray
    true_negatives: np.ndarray
    false_negatives: np.ndarray

    larger_is_better = True

    def __init__(self, thresholds: Any = None, *, name: str | None = None) -> None:
        super().__init__(name)
        given = 0.5 if thresholds is None else thresholds
        several = given if isinstance(given, (list, tuple)) else [given]
        where = f"{type(self).__name__} thresholds"
        self.thresholds = [arguments.number(where, threshold) for threshold in several]
        if not all(0 <= threshold <= 1 for threshold in self.thresholds):
            raise ValueError(
                explain(where, "numbers from 0 to 1", str(thresholds), "0.5 decides for the likelier one.")
            )
        self.reset_state()

    def reset_state(self) -> None:
        zero = np.zeros(len(self.thresholds))
        self.true_positives = self.false_positives = self.true_negatives = self.false_negatives = zero

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = _of_one_rank(self.name, y_true, y_pred)
        weights = np.ones(y_pred.shape) if sample_weight is None else self._weights(sample_weight, y_pred.shape)
        positive, weights = y_true.ravel().astype(bool), weights.ravel()
        decided = y_pred.ravel() > np.array(self.thresholds)[:, None]  # (thresholds, decisions)
        self.true_positives = self.true_positives + (decided & positive) @ weights
        self.false_positives = self.false_positives + (decided & ~positive) @ weights
        self.true_negatives = self.true_negatives + (~decided & ~positive) @ weights
        self.false_negatives = self.false_negatives + (~decided & positive) @ weights

    def _weights(self, sample_weight: Any, shape: tuple[int, ...]) -> np.ndarray:
        weights = numbers(self.name, "sample_weight", sample_weight).astype(np.float64)
        weights = weights.reshape(weights.shape + (1,) * (len(shape) - weights.ndim)) if weights.ndim else weights
        return np.broadcast_to(weights, shape)

    def _number(self, values: np.ndarray) -> Any:
        """One number if there is one threshold, else the array."""
        return float(values[0]) if len(self.thresholds) == 1 else values


class TruePositives(DecisionCounts):
    """How many samples of the class are found."""

    def result(self) -> Any:
        return self._number(self.true_positives)


class TrueNegatives(DecisionCounts):
    """How many samples outside of the class are left out."""

    def result(self) -> Any:
        return self._number(self.true_negatives)


class FalsePositives(DecisionCounts):
    """How many samples outside of the class are taken for it."""

    larger_is_better = False

    def result(self) -> Any:
        return self._number(self.false_positives)


class FalseNegatives(DecisionCounts):
    """How many samples of the class are missed."""

    larger_is_better = False

    def result(self) -> Any:
        return self._number(self.false_negatives)


class Precision(DecisionCounts):
    """The fraction of the decisions for the class that are right; 0 if there are none."""

    accepted_at_default: ClassVar[dict[str, Any]] = {"top_k": None, "class_id": None}

    def result(self) -> Any:
        return self._number(_share(self.true_positives, self.true_positives + self.false_positives))


class Recall(DecisionCounts):
    """The fraction of the samples of the class that are found; 0 if there are none."""

    accepted_at_default: ClassVar[dict[str, Any]] = {"top_k": None, "class_id": None}

    def result(self) -> Any:
        return self._number(_share(self.true_positives, self.true_positives + self.false_negatives))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
