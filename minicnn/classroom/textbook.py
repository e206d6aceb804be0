"""The reader changes the textbook: all of minicnn uses the change, and the gradient doctor judges it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import PurePosixPath
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from .. import layers, losses, optimizers, use_backend
from ..backends import textbook
from ..backends.operations import assemble
from ..gradcheck import Report, check_layer, check_loss, check_optimizer

IMAGES, ROWS = (2, 6, 5, 3), (3, 5)
"""Shapes that reveal mistakes: several samples, height ≠ width, windows that overlap and do not fit evenly."""

REPLACED = (FunctionType, type)
"""What a change replaces by the new object of the same name: functions and classes."""


def replace(file: str, statements: list[CodeType], variables: dict[str, Any]) -> None:
    """Execute the statements in a module of minicnn, and replace its functions and classes in all other modules.

    `file` is a path such as minicnn/backends/textbook/conv.py. `variables` are the reader's: what was imported there is
    replaced, too.
    """
    module = import_module(".".join(PurePosixPath(file).with_suffix("").parts))
    former = {value: name for name, value in vars(module).items() if isinstance(value, REPLACED)}
    for part in statements:
        exec(part, vars(module))
    users = [vars(user) for name, user in sys.modules.items() if name.partition(".")[0] == "minicnn"]
    for names in [*users, variables]:
        for name, value in list(names.items()):
            if isinstance(value, REPLACED) and value in former:
                names[name] = vars(module).get(former[value], value)
    assemble(textbook.__name__)


def check(file: str) -> Iterator[Report]:
    """The gradient doctor's reports about the operations of a textbook's file."""
    with use_backend("numpy"):
        for examine in CHECKS[PurePosixPath(file).stem]:
            yield examine()


def _layer(cls: Any, *arguments: Any, shape: Any = IMAGES, **options: Any) -> Callable[[], Report]:
    return lambda: check_layer(cls(*arguments, **options), shape)


def _loss(cls: Any, probabilities: bool = False, **options: Any) -> Callable[[], Report]:
    scores = np.random.default_rng(0).standard_normal((5, 4))
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return lambda: check_loss(cls(**options), np.eye(4)[[2, 0, 3, 3, 1]], shares if probabilities else scores)


def _step(cls: Any, rule: str, **options: Any) -> Callable[[], Report]:
    return lambda: check_optimizer(cls(**options), rule)


CONVOLUTIONS = [
    _layer(layers.Conv2D, 4, (3, 2), strides=(2, 1), padding="same", activation="tanh"),
    _layer(layers.Conv2D, 4, 3, activation="relu"),
]

LOSSES = [
    _loss(losses.CategoricalCrossentropy, from_logits=True),
    _loss(losses.CategoricalCrossentropy, probabilities=True),
    _loss(losses.MeanSquaredError),
]

CHECKS: dict[str, list[Callable[[], Report]]] = {
    "activations": [
        *(_layer(layers.Activation, name, shape=ROWS) for name in ("relu", "sigmoid", "tanh", "softmax")),
        _layer(layers.ReLU, negative_slope=0.1),
    ],
    "conv": CONVOLUTIONS,
    "curves": [_layer(layers.Activation, name) for name in ("gelu", "silu", "elu", "softplus")],
    "dense": [_layer(layers.Dense, 4, activation="tanh", shape=ROWS), _layer(layers.Dense, 4, shape=ROWS)],
    "dropout": [_layer(layers.Dropout, 0.4, seed=1)],
    "group_normalization": [_layer(layers.GroupNormalization, 3), _layer(layers.LayerNormalization)],
    "grouped_conv": [
        _layer(layers.Conv2D, 4, (3, 2), strides=2, padding="same", groups=2, shape=(2, 6, 5, 4)),
        _layer(layers.DepthwiseConv2D, 3),
    ],
    "losses": LOSSES,
    "merging": [
        _layer(layers.Add, shape=[IMAGES, IMAGES]),
        _layer(layers.Multiply, shape=[IMAGES, IMAGES]),
        _layer(layers.Concatenate, shape=[IMAGES, IMAGES]),
    ],
    "noise": [_layer(layers.SpatialDropout2D, 0.4, seed=1), _layer(layers.GaussianNoise, 0.5, seed=1)],
    "normalization": [_layer(layers.BatchNormalization), _layer(layers.BatchNormalization, shape=(6, 3))],
    "optimizers": [
        _step(optimizers.SGD, "sgd"),
        _step(optimizers.SGD, "momentum", momentum=0.9),
        _step(optimizers.Adam, "adam"),
        _step(optimizers.AdamW, "adamw"),
    ],
    "pooling": [
        _layer(layers.MaxPooling2D, 3, strides=(1, 2)),
        _layer(layers.AveragePooling2D, (3, 2), strides=(2, 1)),
    ],
    "resizing": [_layer(layers.ZeroPadding2D, ((0, 1), (2, 3))), _layer(layers.UpSampling2D, (2, 3))],
    "sample_losses": [
        _loss(losses.MeanAbsoluteError),
        _loss(losses.CategoricalCrossentropy, from_logits=True, label_smoothing=0.1),
        _loss(losses.BinaryCrossentropy, from_logits=True),
        _loss(losses.BinaryCrossentropy, probabilities=True),
    ],
    "windows": [*CONVOLUTIONS, _layer(layers.MaxPooling2D, 3, strides=(1, 2))],
}
"""What is examined after a change of a file, by the file's name."""
