"""Losses: how wrong a prediction is, and the gradient with which backpropagation starts.

loss = CategoricalCrossentropy()
value = loss.forward(y_true, y_pred)    # one number: the mean over the samples
dy = loss.backward()                    # its gradient with respect to y_pred, for model.backward
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from . import arguments
from .backends import active, check_memory, to_device
from .backends.contract import Array, Backend, Saved
from .configurable import Configurable, from_description
from .errors import explain


class Loss(Configurable):
    """Base class of all losses."""

    name: ClassVar[str]

    ops: Backend
    """The backend of the last forward; the backward runs on the same one."""

    saved: Saved = None

    def forward(self, y_true: Any, y_pred: Any) -> Array:
        """The mean loss over the samples, a scalar.

        y_pred (N, …) float32 or float64; the loss's class says what y_true is. Raises ValueError or TypeError.
        """
        where = type(self).__name__
        y_pred, y_true = arguments.array(where, "y_pred", y_pred), arguments.array(where, "y_true", y_true)
        if y_pred.dtype.kind != "f":
            raise TypeError(
                explain(where, "y_pred of float32 or float64", str(y_pred.dtype), 'Convert it: .astype("float32").')
            )
        if y_pred.ndim == 0 or y_pred.size == 0:
            raise ValueError(
                explain(where, "at least one prediction", f"y_pred of shape {y_pred.shape}", "Give a batch of them.")
            )
        return self.call(y_true, y_pred)

    def backward(self) -> Array:
        """The gradient of the last forward's loss with respect to its y_pred. Raises RuntimeError before a forward."""
        if self.saved is None:
            raise RuntimeError(f"{type(self).__name__}: backward needs a forward before it. Call forward first.")
        return self.call_backward()

    def __getstate__(self) -> dict[str, Any]:
        """The state of a copy: without the last forward, whose backward belongs to the original."""
        state = dict(vars(self)) | {"saved": None}
        state.pop("ops", None)
        return state

    def call(self, y_true: Array, y_pred: Array) -> Array:
        """Compute the loss with one operation and keep its `saved` in self.saved."""
        expected = "a method call(self, y_true, y_pred)"
        raise NotImplementedError(explain(type(self).__name__, expected, "none", "Return the loss from it."))

    def call_backward(self) -> Array:
        """Call that operation's backward."""
        expected = "a method call_backward(self)"
        raise NotImplementedError(explain(type(self).__name__, expected, "none", "Return the gradient from it."))

    def check_targets(self, y_true: np.ndarray, output_shape: tuple[int, ...]) -> np.ndarray:
        """The targets on the host in the form that forward takes. Raises ValueError or TypeError if they do not fit."""
        if output_shape[-1] == 1 and y_true.shape == output_shape[:-1]:
            y_true = y_true[..., np.newaxis]
        if y_true.shape != output_shape:
            raise ValueError(
                explain(
                    type(self).__name__,
                    f"targets of the model's output shape {output_shape}",
                    f"targets of shape {y_true.shape}",
                    "One target is needed for every output.",
                )
            )
        return y_true

    def __call__(self, y_true: Array, y_pred: Array) -> Array:
        return self.forward(y_true, y_pred)

    def target_numbers(self, y_true: Array, y_pred: Array) -> Array:
        """The targets in y_pred's shape and dtype. Raises ValueError if the shapes differ: nothing is broadcast."""
        check_memory(type(self).__name__, "y_pred", y_pred)
        target = self._to_numbers(y_true, y_pred)
        if target.shape != y_pred.shape:
            raise ValueError(
                explain(
                    type(self).__name__,
                    f"targets for predictions of shape {tuple(y_pred.shape)}",
                    f"targets of shape {tuple(np.shape(y_true))}",
                    "Give one target for every prediction.",
                )
            )
        return target

    def _to_numbers(self, y_true: Array, y_pred: Array) -> Array:
        return to_device(y_true, y_pred.dtype)


class MeanSquaredError(Loss):
    """loss = mean (y_pred − y_true)², over samples and outputs."""

    name = "mean_squared_error"

    def call(self, y_true: Array, y_pred: Array) -> Array:
        self.ops = active()
        value, self.saved = self.ops.mean_squared_error(y_pred, self.target_numbers(y_true, y_pred))
        return value

    def call_backward(self) -> Array:
        return self.ops.mean_squared_error_backward(self.saved)


class Crossentropy(Loss):
    """−Σ target · log p; y_pred is the probabilities p or, with from_logits=True, logits (softmax is fused in)."""

    def __init__(self, from_logits: bool = False) -> None:
        self.from_logits = arguments.flag(f"{type(self).__name__} from_logits", from_logits)

    def on_logits(self) -> Loss:
        """The same loss on logits. `fit` uses it when a model ends in softmax, for speed and accuracy."""
        return type(self)(from_logits=True)

    def call(self, y_true: Array, y_pred: Array) -> Array:
        self.ops = active()
        target = self.target_numbers(y_true, y_pred)
        crossentropy = self.ops.softmax_crossentropy if self.from_logits else self.ops.crossentropy
        value, self.saved = crossentropy(y_pred, target)
        return value

    def call_backward(self) -> Array:
        if self.from_logits:
            return self.ops.softmax_crossentropy_backward(self.saved)
        return self.ops.crossentropy_backward(self.saved)


class CategoricalCrossentropy(Crossentropy):
    """loss = −1/N Σ y_true · log p, y_true (N, K) one-hot or another distribution over the classes.

    With label_smoothing ε, y_true is replaced by (1 − ε) · y_true + ε / K (Szegedy et al., 2016), also in evaluation.
    """

    name = "categorical_crossentropy"

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0) -> None:
        super().__init__(from_logits)
        self.label_smoothing = arguments.fraction(f"{type(self).__name__} label_smoothing", label_smoothing)

    def on_logits(self) -> Loss:
        return type(self)(from_logits=True, label_smoothing=self.label_smoothing)

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
    """loss = −1/N Σ log p[label], y_true (N,) integer labels in 0 … K − 1."""

    name = "sparse_categorical_crossentropy"

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
        check_labels(where, y_true, K)
        return y_true

    def _to_numbers(self, y_true: Array, y_pred: Array) -> Array:
        if isinstance(y_true, np.ndarray):  # on the host; labels on a GPU are not transferred back for a check
            check_labels(type(self).__name__, y_true, y_pred.shape[-1])
        return active().one_hot(to_device(y_true), y_pred.shape[-1], y_pred.dtype)


CLASSES: dict[str, type[Loss]] = {
    cls.__name__: cls for cls in (CategoricalCrossentropy, MeanSquaredError, SparseCategoricalCrossentropy)
}

NAMES: dict[str, type[Loss]] = {**{cls.name: cls for cls in CLASSES.values()}, "mse": MeanSquaredError}


def get(identifier: Any) -> Loss:
    """The loss for a Loss, a name (class or string) or a description. Raises ValueError for an unknown one."""
    if isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, dict):
        return from_description(identifier, CLASSES, "loss")
    known = {**CLASSES, **NAMES}
    return known[arguments.choice("loss", identifier, known, "the name of a loss")]()


def check_labels(where: str, labels: np.ndarray, classes: int) -> None:
    """Raise TypeError unless the labels are integers, ValueError if one is not in 0 … classes − 1."""
    if labels.dtype.kind not in "iu":
        remedy = 'If they are whole numbers: y.astype("int64").'
        raise TypeError(explain(where, "integer labels", f"dtype {labels.dtype}", remedy))
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(
            explain(
                where,
                f"labels in 0 … {classes - 1} for {classes} outputs",
                f"labels from {labels.min()} to {labels.max()}",
                "Number the classes from 0, or give the last layer as many units as there are classes.",
            )
        )
