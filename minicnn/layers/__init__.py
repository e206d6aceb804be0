"""Layers: state, not maths. Each has parameters, a shape rule, and one call to a pair of a backend's operations."""

from .activations import Activation, ReLU, Softmax
from .base import Layer, Parameter
from .conv import Conv1D, Conv2D
from .dense import Dense
from .dropout import Dropout
from .flatten import Flatten
from .input import Input
from .normalization import BatchNormalization
from .pooling import AveragePooling1D, AveragePooling2D, GlobalAveragePooling2D, MaxPooling1D, MaxPooling2D

CLASSES: dict[str, type[Layer]] = {
    cls.__name__: cls
    for cls in (
        Activation,
        AveragePooling1D,
        AveragePooling2D,
        BatchNormalization,
        Conv1D,
        Conv2D,
        Dense,
        Dropout,
        Flatten,
        GlobalAveragePooling2D,
        MaxPooling1D,
        MaxPooling2D,
        ReLU,
        Softmax,
    )
}
"""The layers that a saved model may name."""

__all__ = [
    "CLASSES",
    "Activation",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Conv1D",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "Input",
    "Layer",
    "MaxPooling1D",
    "MaxPooling2D",
    "Parameter",
    "ReLU",
    "Softmax",
]
