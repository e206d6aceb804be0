"""Layers: state, not maths. Each has parameters, a shape rule, and one call to a pair of a backend's operations."""

from typing import Any

from ..errors import did_you_mean, explain
from ..parameters import Parameter
from .activations import Activation, ReLU, Softmax
from .augmentation import RandomErasing, RandomFlip, RandomTranslation
from .base import Layer
from .conv import Conv1D, Conv2D
from .dense import Dense
from .dropout import Dropout
from .flatten import Flatten
from .input import Input
from .merging import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract, add, concatenate
from .normalization import BatchNormalization
from .pooling import AveragePooling1D, AveragePooling2D, GlobalAveragePooling2D, MaxPooling1D, MaxPooling2D

MaxPool1D, MaxPool2D = MaxPooling1D, MaxPooling2D  # Keras's short names
AvgPool1D, AvgPool2D, GlobalAvgPool2D = AveragePooling1D, AveragePooling2D, GlobalAveragePooling2D

CLASSES: dict[str, type[Layer]] = {
    cls.__name__: cls
    for cls in (
        Activation,
        Add,
        Average,
        AveragePooling1D,
        AveragePooling2D,
        BatchNormalization,
        Concatenate,
        Conv1D,
        Conv2D,
        Dense,
        Dropout,
        Flatten,
        GlobalAveragePooling2D,
        MaxPooling1D,
        MaxPooling2D,
        Maximum,
        Minimum,
        Multiply,
        RandomErasing,
        RandomFlip,
        RandomTranslation,
        ReLU,
        Softmax,
        Subtract,
    )
}
"""The layers that a saved model may name."""

__all__ = [
    "CLASSES",
    "Activation",
    "Add",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNormalization",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "Input",
    "Layer",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPooling1D",
    "MaxPooling2D",
    "Maximum",
    "Minimum",
    "Multiply",
    "Parameter",
    "RandomErasing",
    "RandomFlip",
    "RandomTranslation",
    "ReLU",
    "Softmax",
    "Subtract",
    "add",
    "concatenate",
]


def __getattr__(name: str) -> Any:
    """Called for a layer that does not exist: the error names those that do."""
    raise AttributeError(explain("minicnn.layers", "the name of a layer", name, did_you_mean(name, CLASSES)))
