"""Metrics that are means of a loss: errors of numbers, and cross-entropies."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import losses
from .base import MeanMetricWrapper
from .functions import squared_difference


class MeanSquaredError(MeanMetricWrapper):
    """mean (y_pred − y_true)²."""

    larger_is_better = False

    def __init__(self, name: str = "mean_squared_error") -> None:
        super().__init__(losses.mean_squared_error, name)


class RootMeanSquaredError(MeanMetricWrapper):
    """√ mean (y_pred − y_true)², an error in the unit of the targets."""

    larger_is_better = False

    def __init__(self, name: str = "root_mean_squared_error") -> None:
        super().__init__(squared_difference, name)

    def result(self) -> float:
        return super().result() ** 0.5


class MeanAbsoluteError(MeanMetricWrapper):
    """mean |y_pred − y_true|."""

    larger_is_better = False

    def __init__(self, name: str = "mean_absolute_error") -> None:
        super().__init__(losses.mean_absolute_error, name)


class BinaryCrossentropy(MeanMetricWrapper):
    """The loss of the same name as a metric."""

    larger_is_better = False

    def __init__(
        self, name: str = "binary_crossentropy", *, from_logits: bool = False, label_smoothing: float = 0.0
    ) -> None:
        options: dict[str, Any] = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(losses.binary_crossentropy, name, **options)


class CategoricalCrossentropy(MeanMetricWrapper):
    """The loss of the same name as a metric."""

    larger_is_better = False

    accepted_at_default: ClassVar[dict[str, Any]] = {"axis": -1}

    def __init__(
        self, name: str = "categorical_crossentropy", *, from_logits: bool = False, label_smoothing: float = 0.0
    ) -> None:
        options: dict[str, Any] = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(losses.categorical_crossentropy, name, **options)


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The loss of the same name as a metric."""

    larger_is_better = False

    accepted_at_default: ClassVar[dict[str, Any]] = {"axis": -1, "ignore_class": None}

    def __init__(self, name: str = "sparse_categorical_crossentropy", *, from_logits: bool = False) -> None:
        super().__init__(losses.sparse_categorical_crossentropy, name, from_logits=from_logits)
