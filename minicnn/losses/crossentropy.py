"""Cross-entropies: losses for classes."""

from __future__ import annotations

from copy import copy
from typing import Any, ClassVar

import numpy as np

from .. import arguments
from ..backends import active, to_device
from ..backends.contract import Array
from ..errors import explain
from .base import Loss


class Crossentropy(Loss):
    """−Σ target · log p; y_pred is the probabilities p or, with from_logits=True, logits (softmax is fused in)."""

    activation = "softmax"
    """The activation that makes probabilities of logits."""

    def __init__(self, from_logits: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.from_logits = arguments.flag(f"{type(self).__name__} from_logits", from_logits)

    def on_logits(self) -> Loss:
        """The same loss on logits. `fit` uses it when a model ends in the activation, for speed and accuracy."""
        twin = copy(self)
        twin.from_logits = True
        return twin

    def call(self, y_true: Array, y_pred: Array) -> Array:
        target = self.target_numbers(y_true, y_pred)
        crossentropy = self.ops.softmax_crossentropy if self.from_logits else self.ops.crossentropy
        value, self.saved = crossentropy(y_pred, target)
        return value

    def call_backward(self) -> Array:
        if self.from_logits:
            return self.ops.softmax_crossentropy_backward(self.saved)
        return self.ops.crossentropy_backward(self.saved)

    def call_each(self, y_true: Array, y_pred: Array) -> Array:
        target = self.target_numbers(y_true, y_pred)
        crossentropies = self.ops.softmax_crossentropies if self.from_logits else self.ops.crossentropies
        losses, self.saved = crossentropies(y_pred, target)
        return losses

    def call_each_backward(self, dy: Array) -> Array:
        if self.from_logits:
            return self.ops.softmax_crossentropies_backward(dy, self.saved)
        return self.ops.crossentropies_backward(dy, self.saved)


class CategoricalCrossentropy(Crossentropy):
    """loss = −1/N Σ y_true · log p, y_true (N, K) one-hot or another distribution over the classes.

    With label_smoothing ε, y_true is replaced by (1 − ε) · y_true + ε / K (Szegedy et al., 2016), also in evaluation.
    """

    name = "categorical_crossentropy"

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0, **options: Any) -> None:
        super().__init__(from_logits, **options)
        self.label_smoothing = arguments.fraction(f"{type(self).__name__} label_smoothing", label_smoothing)

    def check_targets(self, y_true: np.ndarray, output_shape: tuple[int, ...]) -> np.ndarray:
        if y_true.shape != output_shape and y_true.ndim == len(output_shape) - 1:
            raise ValueError(
                explain(
                    type(self).__name__,
                    f"one-hot targets of shape {output_shape}",
                    f"targets of shape {y_true.shape}",
                    "For integer labels: loss='sparse_categorical_crossentropy', or minicnn.utils.to_categorical(y).",
                )
            )
        y_true = super().check_targets(y_true, output_shape)
        if (y_true < 0).any():
            raise ValueError(
                explain(type(self).__name__, "targets of at least 0", str(y_true.min()), "Targets are probabilities.")
            )
        return y_true

    def target_numbers(self, y_true: Array, y_pred: Array) -> Array:
        target = super().target_numbers(y_true, y_pred)
        return self.ops.smooth_labels(target, self.label_smoothing) if self.label_smoothing else target


class SparseCategoricalCrossentropy(Crossentropy):
    """loss = −1/N Σ log p[label], y_true (N,) or (N, 1) labels in 0 … K − 1: integers, or whole numbers."""

    name = "sparse_categorical_crossentropy"

    accepted_at_default: ClassVar[dict[str, Any]] = {"ignore_class": None}

    def check_targets(self, y_true: np.ndarray, output_shape: tuple[int, ...]) -> np.ndarray:
        where, K = type(self).__name__, output_shape[-1]
        if y_true.shape == (*output_shape[:-1], 1):
            y_true = y_true[..., 0]
        if y_true.shape != output_shape[:-1]:
            raise ValueError(
                explain(
                    where,
                    f"integer labels of shape {output_shape[:-1]}",
                    f"targets of shape {y_true.shape}",
                    "For one-hot targets use loss='categorical_crossentropy'.",
                )
            )
        return checked_labels(where, y_true, K)

    def _to_numbers(self, y_true: Array, y_pred: Array) -> Array:
        if y_true.shape == (*y_pred.shape[:-1], 1):
            y_true = y_true[..., 0]
        if isinstance(y_true, np.ndarray):  # on the host; labels on a GPU are not transferred back for a check
            y_true = checked_labels(type(self).__name__, y_true, y_pred.shape[-1])
        return active().one_hot(to_device(y_true), y_pred.shape[-1], y_pred.dtype)


class BinaryCrossentropy(Crossentropy):
    """loss = −mean (y_true · log p + (1 − y_true) · log (1 − p)), over samples and outputs; y_true from 0 to 1.

    Each output is a yes or no of its own: one output for two classes, or K outputs for labels that do not exclude each
    other. y_pred is the probabilities p of yes or, with from_logits=True, logits (the sigmoid is fused in).
    With label_smoothing ε, y_true is replaced by (1 − ε) · y_true + ε / 2.
    """

    name = "binary_crossentropy"

    activation = "sigmoid"

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0, **options: Any) -> None:
        super().__init__(from_logits, **options)
        self.label_smoothing = arguments.fraction("BinaryCrossentropy label_smoothing", label_smoothing)

    call, call_backward = Loss.call, Loss.call_backward

    def call_each(self, y_true: Array, y_pred: Array) -> Array:
        target = self.target_numbers(y_true, y_pred)
        crossentropies = self.ops.sigmoid_crossentropies if self.from_logits else self.ops.binary_crossentropies
        losses, self.saved = crossentropies(y_pred, target)
        return losses

    def call_each_backward(self, dy: Array) -> Array:
        if self.from_logits:
            return self.ops.sigmoid_crossentropies_backward(dy, self.saved)
        return self.ops.binary_crossentropies_backward(dy, self.saved)

    def target_numbers(self, y_true: Array, y_pred: Array) -> Array:
        target = super().target_numbers(y_true, y_pred)
        return target * (1 - self.label_smoothing) + self.label_smoothing / 2 if self.label_smoothing else target

    def check_targets(self, y_true: np.ndarray, output_shape: tuple[int, ...]) -> np.ndarray:
        if y_true.size == output_shape[0] != np.prod(output_shape):
            expected, found = f"{output_shape[-1]} targets for each sample", f"one, shape {y_true.shape}"
            remedy = (
                'For yes or no, end the model with Dense(1, activation="sigmoid"); for several classes, with softmax '
            )
            remedy += "and loss='sparse_categorical_crossentropy'."
            raise ValueError(explain("BinaryCrossentropy", expected, found, remedy))
        y_true = super().check_targets(y_true, output_shape)
        if y_true.size and (y_true.min() < 0 or y_true.max() > 1):
            found = f"targets from {y_true.min()} to {y_true.max()}"
            remedy = "For several classes: loss='sparse_categorical_crossentropy' and one output for each class."
            if np.prod(output_shape[1:]) > 1:  # an autoencoder, say
                remedy = "Scale the targets: pixels / 255, say."
            raise ValueError(explain("BinaryCrossentropy", "targets from 0 to 1", found, remedy))
        return y_true


def checked_labels(where: str, labels: np.ndarray, classes: int) -> np.ndarray:
    """The labels as integers. Raises TypeError unless they are whole numbers, ValueError unless in 0 … classes − 1."""
    if labels.dtype.kind == "f" and np.array_equal(labels, np.floor(labels)):
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iu":
        found = f"dtype {labels.dtype}" + (" with fractions" if labels.dtype.kind == "f" else "")
        raise TypeError(explain(where, "integer labels", found, "A label is the number of a class: 0, 1, …"))
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(
            explain(
                where,
                f"labels in 0 … {classes - 1} for {classes} outputs",
                f"labels from {labels.min()} to {labels.max()}",
                "Number the classes from 0, or give the last layer as many units as there are classes.",
            )
        )
    return labels
