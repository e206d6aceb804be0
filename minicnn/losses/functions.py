"""Losses as functions of y_true and y_pred: the loss of each sample, (N, …, K) -> (N, …), as in Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .base import Loss
from .crossentropy import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from .regression import Huber, MeanAbsoluteError, MeanSquaredError


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """mean (y_pred − y_true)² over the outputs."""
    return MeanSquaredError().each(y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """mean |y_pred − y_true| over the outputs."""
    return MeanAbsoluteError().each(y_true, y_pred)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """mean of e²/2 where |e| ≤ delta and of delta · |e| − delta²/2 beyond, over the outputs; e = y_pred − y_true."""
    return Huber(delta).each(y_true, y_pred)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """−Σ y_true · log p, y_true one-hot."""
    return CategoricalCrossentropy(from_logits, label_smoothing, axis=axis).each(y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """−log p[label], y_true the labels."""
    loss = SparseCategoricalCrossentropy(from_logits, ignore_class=ignore_class, axis=axis)
    return loss.each(y_true, y_pred)


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """−mean (y_true · log p + (1 − y_true) · log (1 − p)) over the outputs."""
    return BinaryCrossentropy(from_logits, label_smoothing, axis=axis).each(y_true, y_pred)


FUNCTIONS: dict[Callable[..., Any], type[Loss]] = {
    binary_crossentropy: BinaryCrossentropy,
    categorical_crossentropy: CategoricalCrossentropy,
    huber: Huber,
    mean_absolute_error: MeanAbsoluteError,
    mean_squared_error: MeanSquaredError,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
}
"""The class of each function: `compile` takes both."""
