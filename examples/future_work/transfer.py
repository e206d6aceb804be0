"""Transfer learning: a network that knows seven classes learns the other three from few images.

Its convolutions are frozen and only a new head is trained; beside it the whole network is trained from scratch.
"""

from __future__ import annotations

import math

import numpy as np

from minicnn import Sequential, set_random_seed
from minicnn.layers import Dense, Dropout, Flatten

from .recipes import network

Split = tuple[np.ndarray, np.ndarray]

KNOWN = 7
"""Classes 0 … 6 are learnt first, classes 7 … 9 (sneaker, bag, ankle boot) are new."""

LEAST_STEPS = 300
"""Minimum number of training steps, however few images there are."""


def pretrained(seed: int, train: Split, epochs: int, batch_size: int = 64) -> Sequential:
    """Model 5, trained on the images of the first seven classes."""
    set_random_seed(seed)
    model = with_head(network(), KNOWN)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(*of_classes(train, 0, KNOWN), batch_size=batch_size, epochs=epochs, verbose=0)
    return model


def accuracies(
    model: Sequential, seed: int, train: Split, test: Split, epochs: int, images: int, batch_size: int = 64
) -> dict[str, float]:
    """The test accuracy on the new classes after training with so many images of each: transferred and from scratch."""
    few = first_of_each(of_classes(train, KNOWN, 10), images)
    new = of_classes(test, KNOWN, 10)
    steps = math.ceil(len(few[0]) / batch_size)
    epochs = max(epochs, math.ceil(LEAST_STEPS / steps))
    found = {}
    for name, body in (("transfer", model), ("scratch", None)):
        set_random_seed(seed)
        learner = with_head(body or network(), 10 - KNOWN, frozen=body is not None)
        learner.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        learner.fit(*few, batch_size=batch_size, epochs=epochs, verbose=0)
        _, found[name] = learner.evaluate(*new, batch_size=250, verbose=0)
    return found


def with_head(model: Sequential, classes: int, frozen: bool = False) -> Sequential:
    """The layers of the model up to Flatten, frozen if asked for, and a new head for so many classes."""
    at = next(index for index, layer in enumerate(model.layers) if isinstance(layer, Flatten))
    body = Sequential(model.layers[: at + 1])
    body.trainable = not frozen
    head = [
        Dense(128, activation="relu", name="hidden"),
        Dropout(0.2),
        Dense(classes, activation="softmax", name="head"),
    ]
    return Sequential([body, *head])


def of_classes(split: Split, first: int, last: int) -> Split:
    """The images of the classes first … last − 1, and their labels, counted from 0."""
    x, labels = split[0], split[1].argmax(axis=1)
    chosen = (labels >= first) & (labels < last)
    return x[chosen], labels[chosen] - first


def first_of_each(split: Split, count: int) -> Split:
    """The first `count` images of each class, in the order of the data set."""
    x, labels = split
    chosen = np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]))
    return x[chosen], labels[chosen]
