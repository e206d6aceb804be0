"""One training of one recipe, from the seed to the metrics on the test images."""

from __future__ import annotations

import math
from time import perf_counter

import numpy as np

from minicnn import set_random_seed
from minicnn.losses import CategoricalCrossentropy

from .recipes import Recipe

Split = tuple[np.ndarray, np.ndarray]
"""Images (N, 28, 28, 1) from 0 to 1, and labels (N, 10), one-hot."""


def train(recipe: Recipe, seed: int, train: Split, test: Split, epochs: int) -> dict[str, float]:
    """Loss and accuracy on the test images, accuracy on the training images, and the seconds of the training."""
    set_random_seed(seed)
    model = recipe.build()
    steps = epochs * math.ceil(len(train[0]) / recipe.batch_size)
    loss = CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)
    model.compile(recipe.optimizer(steps), loss, metrics=["accuracy"])
    began = perf_counter()
    model.fit(*train, batch_size=recipe.batch_size, epochs=epochs, verbose=0, callbacks=recipe.callbacks(epochs))
    seconds = perf_counter() - began
    (x, y), plain = test, CategoricalCrossentropy()  # the loss without smoothing and penalties, the same for all
    p = model.predict(x, batch_size=250)
    return {
        "loss": float(plain.forward(y, p)),
        "accuracy": share_right(p, y),
        "train_accuracy": share_right(model.predict(train[0], batch_size=250), train[1]),
        "seconds": round(seconds, 1),
    }


def share_right(p: np.ndarray, y: np.ndarray) -> float:
    """The share of the rows whose largest probability is the true class's."""
    return float((p.argmax(axis=1) == y.argmax(axis=1)).mean())
