"""Metrics of each sample as functions of y_true and y_pred, as in Keras: 1 where a prediction is right, 0 elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..config import floatx
from ..errors import explain
from .base import numbers


def accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """Where y_pred is equal to y_true, entry by entry."""
    y_true, y_pred = _of_one_rank("accuracy", y_true, y_pred)
    return (y_true == y_pred).astype(floatx())


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> np.ndarray:
    """Where the decision y_pred > threshold is y_true (0 or 1), entry by entry."""
    y_true, y_pred = _of_one_rank("binary_accuracy", y_true, y_pred)
    return (y_true == (y_pred > threshold)).astype(floatx())


def squared_difference(y_true: Any, y_pred: Any) -> np.ndarray:
    """(y_pred − y_true)², entry by entry."""
    y_true, y_pred = _of_one_rank("squared_difference", y_true, y_pred)
    return np.square(y_pred - y_true, dtype=np.float64)


def categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """Where the largest output is the class of the one-hot y_true: (N, …, K) and (N, …, K) -> (N, …)."""
    y_true = numbers("categorical_accuracy", "y_true", y_true)
    return sparse_categorical_accuracy(y_true.argmax(axis=-1), y_pred)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """Where the largest output is the class y_true: labels (N, …) or (N, …, 1) and (N, …, K) -> (N, …)."""
    labels, y_pred = _labels("sparse_categorical_accuracy", y_true, y_pred)
    return (labels == y_pred.argmax(axis=-1)).astype(floatx())


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> np.ndarray:
    """Where the class of the one-hot y_true is among the k largest outputs: (N, K) and (N, K) -> (N,)."""
    y_true = numbers("top_k_categorical_accuracy", "y_true", y_true)
    return sparse_top_k_categorical_accuracy(y_true.argmax(axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> np.ndarray:
    """Where the class y_true is among the k largest outputs: labels (N,) and (N, K) -> (N,).

    Fewer than k outputs are larger than that of the class; among equal outputs, all count as the largest.
    """
    labels, y_pred = _labels("sparse_top_k_categorical_accuracy", y_true, y_pred)
    scores = np.take_along_axis(y_pred, labels.astype(np.int64)[..., None], axis=-1)  # (N, 1): of the true class
    return ((y_pred > scores).sum(axis=-1) < k).astype(floatx())


def _of_one_rank(where: str, y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays of one shape; an axis of length 1 may be missing at the end of one of them."""
    y_true, y_pred = numbers(where, "y_true", y_true), numbers(where, "y_pred", y_pred)
    if (*y_true.shape, 1) == y_pred.shape:
        y_true = y_true[..., None]
    elif (*y_pred.shape, 1) == y_true.shape:
        y_true = y_true[..., 0]
    if y_true.shape != y_pred.shape:
        expected, found = f"targets for predictions of shape {y_pred.shape}", f"y_true of shape {y_true.shape}"
        raise ValueError(explain(where, expected, found, "Give one target for every prediction."))
    return y_true, y_pred


def _labels(where: str, y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N, …) and outputs (N, …, K)."""
    y_true, y_pred = numbers(where, "y_true", y_true), numbers(where, "y_pred", y_pred)
    if y_true.shape == (*y_pred.shape[:-1], 1):
        y_true = y_true[..., 0]
    if y_pred.ndim == 0 or y_true.shape != y_pred.shape[:-1]:
        expected, found = f"labels for predictions of shape {y_pred.shape}", f"y_true of shape {y_true.shape}"
        raise ValueError(explain(where, expected, found, "Give one label for every row of outputs."))
    return y_true, y_pred
