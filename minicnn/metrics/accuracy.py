"""Accuracies: how often a decision is right. Without weights they are counted on the device."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import arguments
from ..backends import active, to_device, to_host
from ..errors import explain
from . import functions
from .base import MeanMetricWrapper, Metric


class Accuracy(MeanMetricWrapper):
    """How often y_pred is equal to y_true, entry by entry. For classes, use CategoricalAccuracy or its sparse form."""

    larger_is_better = True

    def __init__(self, name: str = "accuracy") -> None:
        super().__init__(functions.accuracy, name)


class BinaryAccuracy(MeanMetricWrapper):
    """How often the decision y_pred > threshold is y_true, 0 or 1."""

    larger_is_better = True

    def __init__(self, name: str = "binary_accuracy", *, threshold: float = 0.5) -> None:
        self.threshold = arguments.number("BinaryAccuracy threshold", threshold)
        super().__init__(functions.binary_accuracy, name, threshold=threshold)


class ClassAccuracy(Metric):
    """The fraction of samples whose largest output is the true class; y_true is labels or one-hot."""

    takes_logits = True

    larger_is_better = True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.reset_state()

    def reset_state(self) -> None:
        self.correct: Any = 0.0  # an array of the device after the first batch
        self.count = 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = (arguments.array(self.name, what, y) for what, y in (("y_true", y_true), ("y_pred", y_pred)))
        if y_pred.ndim < 2 or y_pred.shape[-1] < 2 or y_pred.size == 0:
            found, remedy = f"y_pred of shape {y_pred.shape}", 'For a yes or no, use "binary_accuracy".'
            raise ValueError(explain(self.name, "one output for each class", found, remedy))
        self.check_targets(y_true.shape, y_pred.shape)
        if y_true.shape == (*y_pred.shape[:-1], 1):
            y_true = y_true[..., 0]
        if sample_weight is not None:
            return self._update_weighted(to_host(y_true), to_host(y_pred), sample_weight)
        correct = active().count_correct(to_device(y_pred), to_device(y_true))
        self.correct = active().accumulate(self.correct, correct, 1)
        self.count += y_pred.size // y_pred.shape[-1]

    def check_targets(self, shape: tuple[int, ...], predicted: tuple[int, ...]) -> None:
        """Raise ValueError unless targets of this shape are labels or one-hot rows for predictions of that shape."""
        if shape not in (predicted, predicted[:-1], (*predicted[:-1], 1)):
            expected = f"labels or one-hot rows for predictions of shape {predicted}"
            remedy = "Give one target for every prediction."
            raise ValueError(explain(self.name, expected, f"y_true of shape {shape}", remedy))

    def _update_weighted(self, y_true: np.ndarray, y_pred: np.ndarray, sample_weight: Any) -> None:
        """Keep Σ w · right and Σ w, as MeanMetricWrapper does."""
        right = functions.categorical_accuracy if y_true.ndim == y_pred.ndim else functions.sparse_categorical_accuracy
        mean = MeanMetricWrapper(right)
        mean.update_state(y_true, y_pred, sample_weight)
        self.correct = self.correct + mean.total
        self.count += mean.count  # the sum of the weights

    def result(self) -> float:
        return float(to_host(self.correct)) / self.count if self.count else 0.0


class CategoricalAccuracy(ClassAccuracy):
    """The fraction of samples whose largest output is the true class; y_true is one-hot (N, …, K)."""

    def __init__(self, name: str = "categorical_accuracy") -> None:
        super().__init__(name)


class SparseCategoricalAccuracy(ClassAccuracy):
    """The fraction of samples whose largest output is the true class; y_true is labels (N, …) or (N, …, 1)."""

    def __init__(self, name: str = "sparse_categorical_accuracy") -> None:
        super().__init__(name)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """The fraction of samples whose true class is among the k largest outputs; y_true is one-hot."""

    takes_logits = True

    larger_is_better = True

    def __init__(self, k: int = 5, name: str = "top_k_categorical_accuracy") -> None:
        self.k = arguments.whole("TopKCategoricalAccuracy k", k)
        super().__init__(functions.top_k_categorical_accuracy, name, k=k)


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """The fraction of samples whose true class is among the k largest outputs; y_true is labels."""

    takes_logits = True

    larger_is_better = True

    accepted_at_default: ClassVar[dict[str, Any]] = {"from_sorted_ids": False}

    def __init__(self, k: int = 5, name: str = "sparse_top_k_categorical_accuracy") -> None:
        self.k = arguments.whole("SparseTopKCategoricalAccuracy k", k)
        super().__init__(functions.sparse_top_k_categorical_accuracy, name, k=k)


class AccuracyByShape(Metric):
    """What "accuracy" means for targets and outputs of these shapes, decided with the first batch, as in Keras.

    One output: BinaryAccuracy. Several outputs: labels or one-hot, the largest output decides.
    """

    takes_logits = True

    larger_is_better = True

    def __init__(self, name: str = "accuracy") -> None:
        super().__init__(name)
        self.reset_state()

    def reset_state(self) -> None:
        self.chosen: Metric | None = None

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if self.chosen is None:
            one_output = len(np.shape(y_pred)) > 0 and y_pred.shape[-1] == 1
            self.chosen = BinaryAccuracy(self.name) if one_output else ClassAccuracy(self.name)
        self.chosen.update_state(y_true, y_pred, sample_weight)

    def result(self) -> float:
        return 0.0 if self.chosen is None else self.chosen.result()
