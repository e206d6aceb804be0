"""A scikit-learn estimator: minicnn's networks in grid searches, ensembles, pipelines and cross-validation.

def build_model(input_shape, classes, filters=32):
    return Sequential([Input(input_shape), Conv2D(filters, 3, activation="relu"), Flatten(), Dense(classes)])

classifier = CNNClassifier(build_model, epochs=3, random_state=1)
GridSearchCV(classifier, {"learning_rate": [1e-3, 3e-3], "model_options": [{"filters": 16}, {"filters": 32}]})
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from . import optimizers
from .callbacks import Callback
from .errors import explain
from .losses import SparseCategoricalCrossentropy
from .models import Sequential
from .random import seeded


class CNNClassifier(ClassifierMixin, BaseEstimator):
    """A classifier around the network of `build_model`, with scikit-learn's fit, predict, predict_proba and score.

    Args:
        build_model: build_model(input_shape, classes, **model_options) -> Sequential, not compiled, with one output per
            class, with or without a softmax. A function defined in a module can be pickled.
        model_options: additional arguments of `build_model`; a search may vary them.
        image_shape: the shape (H, W, C) or (L, C) of one sample if X is flat, (N, H·W·C), as scikit-learn's scalers and
            support vector machines require; None: X is passed on unchanged.
        optimizer: a name, or an optimiser, of which each fit uses a new copy.
        learning_rate: replaces the optimiser's learning rate; None keeps it.
        epochs: as in `Sequential.fit`, like the next four.
        batch_size: samples per training step.
        validation_split: the share of the samples that is held out.
        callbacks: each fit works with copies of them.
        verbose: 0 is silent.
        random_state: with an integer, every fit gives the same result (weights, dropout, order of batches); None: every
            fit is different.

    After a fit: `model_` (the network), `classes_`, `history_` (metrics per epoch), `n_features_in_`.
    A fitted estimator can be pickled and copied; the pickle contains the network in minicnn's file format.
    """

    def __init__(
        self,
        build_model: Callable[..., Sequential],
        *,
        model_options: Mapping[str, Any] | None = None,
        image_shape: Sequence[int] | None = None,
        optimizer: Any = "adam",
        learning_rate: float | None = None,
        epochs: int = 10,
        batch_size: int = 64,
        validation_split: float = 0.0,
        callbacks: Sequence[Callback] | None = None,
        verbose: int | str = 0,
        random_state: int | None = None,
    ) -> None:
        self.build_model = build_model
        self.model_options = model_options
        self.image_shape = image_shape
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_split = validation_split
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> CNNClassifier:
        """Train a new network on X (N, …) and the labels y (N,), which may be numbers or strings.

        Raises ValueError if X or y cannot be used for training, or if the network does not have one output per class.
        """
        X, y = validate_data(self, X, y, dtype=np.float32, allow_nd=True)
        check_classification_targets(y)
        encoder = LabelEncoder().fit(y)
        self.classes_ = encoder.classes_
        if len(self.classes_) < 2:
            raise ValueError(explain("CNNClassifier y", "2 classes or more", f"{len(self.classes_)} class", "Check y."))
        x = self._samples(X)
        with seeded(self.random_state):
            model = self.build_model(x.shape[1:], len(self.classes_), **(self.model_options or {}))
            model.build((None, *x.shape[1:]))
        if model.output_shape != (None, len(self.classes_)):
            raise ValueError(
                explain(
                    "CNNClassifier build_model",
                    f"a network with {len(self.classes_)} outputs, one for each class",
                    f"the output shape {model.output_shape}",
                    "End it in Dense(classes).",
                )
            )
        optimizer = optimizers.get(self.optimizer).fresh()  # a copy: fit must not change parameters
        if self.learning_rate is not None:
            optimizer.learning_rate = self.learning_rate
        from_logits = model.layers[-1].activation != "softmax"
        model.compile(optimizer, SparseCategoricalCrossentropy(from_logits), metrics=["accuracy"])
        history = model.fit(
            x,
            encoder.transform(y),
            batch_size=self.batch_size,
            epochs=self.epochs,
            verbose=self.verbose,
            callbacks=copy.deepcopy(self.callbacks),
            validation_split=self.validation_split,
        )
        self.model_, self.history_ = model, history.history
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of every class, (N, classes), in the order of `classes_`; rows sum to 1."""
        check_is_fitted(self, "model_")
        X = validate_data(self, X, dtype=np.float32, allow_nd=True, reset=False)
        outputs = self.model_.predict(self._samples(X), batch_size=256)
        return outputs if self.model_.layers[-1].activation == "softmax" else _softmax(outputs)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of every sample, (N,)."""
        probabilities = self.predict_proba(X)  # first: it raises NotFittedError
        return self.classes_[probabilities.argmax(axis=1)]

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = _file_of(self.model_)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "model_" in state:
            self.model_ = _model_in(state["model_"])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _samples(self, X: np.ndarray) -> np.ndarray:
        """X in the shape that the network takes."""
        if self.image_shape is None:
            return X
        try:
            return X.reshape(len(X), *self.image_shape)
        except ValueError:
            raise ValueError(
                explain(
                    "CNNClassifier image_shape",
                    f"rows of {int(np.prod(self.image_shape))} numbers for images of shape {tuple(self.image_shape)}",
                    f"X of shape {X.shape}",
                    "Give the shape of one image, or leave image_shape out.",
                )
            ) from None


def _file_of(model: Sequential) -> bytes:
    """The content of the file that the model saves to."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        return path.read_bytes()


def _model_in(content: bytes) -> Sequential:
    """The model that was saved to a file of this content."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        path.write_bytes(content)
        return Sequential.load(path)


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
