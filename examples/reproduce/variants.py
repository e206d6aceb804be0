"""What the report's text leaves open, as variants of Model 2 and Model 5: each changes one thing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain

from minicnn import Input, Sequential
from minicnn.layers import (
    Activation,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPooling1D,
    MaxPooling2D,
)

Block = list[Layer]
"""A convolution and the layers that belong to it."""

MODEL_2 = (256, 128, 64)
MODEL_5 = (32, 64, 128)


@dataclass(frozen=True)
class Variant:
    """A network that differs from the example `base` in one respect."""

    base: str
    title: str
    build: Callable[[], Sequential]
    work: float
    """Time for an epoch relative to the Baseline's."""


def conv1d(blocks: Iterable[Block]) -> Sequential:
    """Model 2 with these blocks."""
    return Sequential([Input((28, 28)), *chain(*blocks), Flatten(), Dense(10, activation="softmax")])


def conv2d(blocks: Iterable[Block], dropout: bool = True) -> Sequential:
    """Model 5 with these blocks, with or without the dropout before its last layer."""
    head = [Dense(128, activation="relu"), *[Dropout(0.2)] * dropout, Dense(10, activation="softmax")]
    return Sequential([Input((28, 28, 1)), *chain(*blocks), Flatten(), *head])


def rows(filters: int, padding: str = "valid", dropout: bool = True, batch_norm: bool = True) -> Block:
    """Model 2's block, or one with other padding or without some of its layers."""
    layers: Block = [Conv1D(filters, 2, padding=padding, activation="relu"), MaxPooling1D(2)]
    return layers + [Dropout(0.2)] * dropout + [BatchNormalization()] * batch_norm


def rows_normalized_first(filters: int) -> Block:
    return [Conv1D(filters, 2), BatchNormalization(), Activation("relu"), MaxPooling1D(2), Dropout(0.2)]


def image(filters: int, padding: str = "same") -> Block:
    """Model 5's block."""
    return [Conv2D(filters, 3, padding=padding, activation="relu"), MaxPooling2D(2)]


def image_pooled_first(filters: int) -> Block:
    return [Conv2D(filters, 3, padding="same"), MaxPooling2D(2), Activation("relu")]


def image_normalized_first(filters: int) -> Block:
    return [Conv2D(filters, 3, padding="same"), BatchNormalization(), Activation("relu"), MaxPooling2D(2)]


def four_convolutions() -> Sequential:
    """Filters 32, 64, 64, 128 and three poolings: the third convolution has none."""
    third = Conv2D(64, 3, padding="same", activation="relu")
    return conv2d([image(32), image(64), [third], image(128)])


VARIANTS = {
    "model5-valid": Variant("model5", "padding valid", lambda: conv2d(image(n, "valid") for n in MODEL_5), 2.4),
    "model5-four": Variant("model5", "four convolutions: 32, 64, 64, 128 filters", four_convolutions, 4.7),
    "model5-pooled-first": Variant(
        "model5", "pooling before ReLU", lambda: conv2d(image_pooled_first(n) for n in MODEL_5), 3.1
    ),
    "model5-no-dropout": Variant(
        "model5", "no dropout", lambda: conv2d((image(n) for n in MODEL_5), dropout=False), 3.0
    ),
    "model5-more-dropout": Variant(
        "model5", "dropout after each pooling as well", lambda: conv2d([*image(n), Dropout(0.2)] for n in MODEL_5), 3.3
    ),
    "model5-batch-norm": Variant(
        "model5",
        "batch norm after each pooling",
        lambda: conv2d([*image(n), BatchNormalization()] for n in MODEL_5),
        3.8,
    ),
    "model5-batch-norm-first": Variant(
        "model5", "batch norm before each ReLU", lambda: conv2d(image_normalized_first(n) for n in MODEL_5), 4.8
    ),
    "model2-same": Variant("model2", "padding same", lambda: conv1d(rows(n, "same") for n in MODEL_2), 1.6),
    "model2-no-dropout": Variant("model2", "no dropout", lambda: conv1d(rows(n, dropout=False) for n in MODEL_2), 1.1),
    "model2-no-batch-norm": Variant(
        "model2", "no batch norm", lambda: conv1d(rows(n, batch_norm=False) for n in MODEL_2), 1.1
    ),
    "model2-plain": Variant(
        "model2",
        "neither dropout nor batch norm",
        lambda: conv1d(rows(n, dropout=False, batch_norm=False) for n in MODEL_2),
        1.1,
    ),
    "model2-batch-norm-first": Variant(
        "model2",
        "batch norm before each ReLU, dropout last",
        lambda: conv1d(rows_normalized_first(n) for n in MODEL_2),
        1.5,
    ),
}
