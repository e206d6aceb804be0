"""AUC: how well predictions rank the samples of a class above the others, whatever the threshold of a decision."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import arguments
from ..errors import explain
from .base import Metric, decision_weights, decisions, share
from .functions import _of_one_rank

OUTSIDE = 1e-7
"""How far the first and the last threshold lie outside of 0 … 1, so that they decide for all samples and for none."""


class AUC(Metric):
    """The area under a curve that has one point for each threshold t of the decision y_pred > t.

    curve="ROC": the recall TP / (TP + FN) over the false-positive rate FP / (FP + TN). The area is the probability
    that a sample of the class gets a larger y_pred than another one.
    curve="PR": the precision TP / (TP + FP) over the recall.

    Between two thresholds, summation_method="minoring" takes the smaller of the two heights, "majoring" the larger one,
    "interpolation" their mean. For PR it interpolates TP and FP instead of the precision (Davis & Goadrich, 2006):
    with TP = a + s · p on a line in p = TP + FP, ∫ TP/p dTP = s · (ΔTP + a · Δ log p).

    y_true and y_pred (N, …), y_pred from 0 to 1, or logits with from_logits=True. With multi_label=True the last axis
    is one class for each entry, and the result is the mean of their areas. `thresholds` replaces the num_thresholds
    thresholds that divide 0 … 1 evenly; 0 and 1 are added to them.
    """

    larger_is_better = True

    accepted_at_default: ClassVar[dict[str, Any]] = {"num_labels": None, "label_weights": None}

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        *,
        thresholds: Any = None,
        multi_label: bool = False,
        from_logits: bool = False,
    ) -> None:
        super().__init__(name)
        self.curve = arguments.choice("AUC curve", curve, ("ROC", "PR"), "the name of a curve")
        methods = ("interpolation", "minoring", "majoring")
        self.summation_method = arguments.choice("AUC summation_method", summation_method, methods, "a method's name")
        self.multi_label = arguments.flag("AUC multi_label", multi_label)
        self.from_logits = arguments.flag("AUC from_logits", from_logits)
        if thresholds is None:
            inner = np.linspace(0, 1, arguments.whole("AUC num_thresholds", num_thresholds, least=2))[1:-1]
        else:
            given = arguments.sequence("AUC thresholds", thresholds, object, "numbers from 0 to 1")
            inner = np.sort([arguments.number("AUC thresholds", one, least=0, below=1 + OUTSIDE) for one in given])
        self._thresholds = np.concatenate([[-OUTSIDE], inner, [1 + OUTSIDE]])
        self.reset_state()

    @property
    def num_thresholds(self) -> int:
        return len(self._thresholds)

    @property
    def thresholds(self) -> list[float]:
        return self._thresholds.clip(0, 1).tolist()

    def reset_state(self) -> None:
        self.true_positives: Any = np.zeros((self.num_thresholds, 1))  # (thresholds, labels)
        self.false_positives: Any = np.zeros((self.num_thresholds, 1))
        self.positives: Any = np.zeros(1)  # (labels,): the weights of the samples of the class
        self.negatives: Any = np.zeros(1)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = _of_one_rank(self.name, y_true, y_pred)
        if self.from_logits:
            y_pred = 1 / (1 + np.exp(-y_pred.astype(np.float64)))
        if y_pred.size and not (y_pred.min() >= 0 and y_pred.max() <= 1):
            found = f"y_pred from {y_pred.min()} to {y_pred.max()}"
            raise ValueError(explain(self.name, "probabilities", found, "For logits: AUC(from_logits=True)."))
        weights = decision_weights(self.name, sample_weight, y_pred.shape)
        labels = y_pred.shape[-1] if self.multi_label else 1
        positive, predicted, weights = (array.reshape(-1, labels) for array in (y_true > 0, y_pred, weights))
        decided = decisions(predicted, self._thresholds)  # (thresholds, decisions, labels)
        self.true_positives = self.true_positives + np.einsum("tnl,nl->tl", decided, weights * positive)
        self.false_positives = self.false_positives + np.einsum("tnl,nl->tl", decided, weights * ~positive)
        self.positives = self.positives + (weights * positive).sum(axis=0)
        self.negatives = self.negatives + (weights * ~positive).sum(axis=0)

    def result(self) -> float:
        tp, fp = self.true_positives, self.false_positives
        recall = share(tp, self.positives)
        if self.curve == "ROC":
            widths, heights = share(fp, self.negatives), recall
        elif self.summation_method == "interpolation":
            return float(self._interpolated_precision(tp, tp + fp).mean())
        else:
            widths, heights = recall, share(tp, tp + fp)
        high, low = np.maximum(heights[:-1], heights[1:]), np.minimum(heights[:-1], heights[1:])
        chosen = {"interpolation": (high + low) / 2, "minoring": low, "majoring": high}[self.summation_method]
        return float((-np.diff(widths, axis=0) * chosen).sum(axis=0).mean())

    def _interpolated_precision(self, tp: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The areas (labels,) under precision over recall, from the formula of the class."""
        slope = share(-np.diff(tp, axis=0), -np.diff(p, axis=0))
        start = tp[1:] - slope * p[1:]  # TP at p = 0
        both = (p[:-1] > 0) & (p[1:] > 0)
        logarithms = np.log(np.divide(p[:-1], p[1:], out=np.ones_like(slope), where=both))
        return share((slope * (-np.diff(tp, axis=0) + start * logarithms)).sum(axis=0), self.positives)
