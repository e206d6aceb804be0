"""Counts of right and wrong decisions for a yes or no, and precision and recall, which are made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arguments
from ..errors import explain
from .base import Metric, decision_weights, decisions, share
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
        self.count(*_of_one_rank(self.name, y_true, y_pred), sample_weight)

    def count(self, y_true: np.ndarray, y_pred: np.ndarray, sample_weight: Any) -> None:
        """Add the decisions of arrays of one shape."""
        weights = decision_weights(self.name, sample_weight, y_pred.shape)
        positive, weights = y_true.ravel().astype(bool), weights.ravel()
        decided = decisions(y_pred.ravel(), self.thresholds)  # (thresholds, decisions)
        self.true_positives = self.true_positives + (decided & positive) @ weights
        self.false_positives = self.false_positives + (decided & ~positive) @ weights
        self.true_negatives = self.true_negatives + (~decided & ~positive) @ weights
        self.false_negatives = self.false_negatives + (~decided & positive) @ weights

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


class OfOneClass(DecisionCounts):
    """Counts decisions for all classes, or only for the class `class_id` of the last axis.

    With `top_k`, a sample is decided only for its k classes of the largest y_pred, for all of them if there are no
    thresholds.
    """

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(thresholds, name=name)
        where = type(self).__name__
        self.top_k = None if top_k is None else arguments.whole(f"{where} top_k", top_k)
        self.class_id = None if class_id is None else arguments.whole(f"{where} class_id", class_id, least=0)
        if thresholds is None and top_k is not None:
            self.thresholds = [-np.inf]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = _of_one_rank(self.name, y_true, y_pred)
        if self.class_id is not None and (y_pred.ndim < 2 or self.class_id >= y_pred.shape[-1]):
            expected, found = f"more than {self.class_id} classes on the last axis", f"y_pred of shape {y_pred.shape}"
            raise ValueError(explain(f"{self.name} class_id", expected, found, "Leave the argument out."))
        if self.top_k is not None:
            order = (-y_pred).argsort(axis=-1, kind="stable").argsort(axis=-1)  # 0 for the largest
            y_pred = np.where(order < self.top_k, y_pred, -np.inf)
        if self.class_id is not None:
            y_true, y_pred = y_true[..., self.class_id], y_pred[..., self.class_id]
        self.count(y_true, y_pred, sample_weight)


class Precision(OfOneClass):
    """The fraction of the decisions for the class that are right; 0 if there are none."""

    def result(self) -> Any:
        return self._number(share(self.true_positives, self.true_positives + self.false_positives))


class Recall(OfOneClass):
    """The fraction of the samples of the class that are found; 0 if there are none."""

    def result(self) -> Any:
        return self._number(share(self.true_positives, self.true_positives + self.false_negatives))
