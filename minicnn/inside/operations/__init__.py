"""What each operation's sums are made of, one family a file, as in the textbook.

`operation_of` finds the description of a layer, `loss_operation_of` that of a loss. A description states the products
by the run's stored arrays and weights; it computes no layer a second time.
"""

from __future__ import annotations

from ...layers import (
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
    Layer,
    Maximum,
    MaxPooling1D,
    MaxPooling2D,
    Minimum,
    Multiply,
    RandomErasing,
    RandomFlip,
    RandomTranslation,
    ReLU,
    Softmax,
    Subtract,
)
from ...losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)
from ...network import is_patched
from . import activations, conv, dense, flatten, losses, merging, normalization, pooling, random
from .base import Element, Operation
from .losses import LossOperation

LAYERS: dict[type[Layer], type[Operation]] = {
    Activation: activations.Activation,
    Add: merging.Sums,
    Average: merging.Sums,
    AveragePooling1D: pooling.AveragePooling,
    AveragePooling2D: pooling.AveragePooling,
    BatchNormalization: normalization.BatchNorm,
    Concatenate: merging.Concatenate,
    Conv1D: conv.Convolution,
    Conv2D: conv.Convolution,
    Dense: dense.Dense,
    Dropout: random.Dropout,
    Flatten: flatten.Flatten,
    GlobalAveragePooling2D: pooling.GlobalAveragePooling,
    MaxPooling1D: pooling.MaxPooling,
    MaxPooling2D: pooling.MaxPooling,
    Maximum: merging.Extreme,
    Minimum: merging.Extreme,
    Multiply: merging.Product,
    RandomErasing: random.RandomMap,
    RandomFlip: random.RandomMap,
    RandomTranslation: random.RandomMap,
    ReLU: activations.GeneralReLU,
    Softmax: activations.Activation,
    Subtract: merging.Sums,
}

LOSSES: dict[type[Loss], type[LossOperation]] = {
    BinaryCrossentropy: losses.BinaryCrossentropy,
    CategoricalCrossentropy: losses.Crossentropy,
    MeanAbsoluteError: losses.MeanAbsoluteError,
    MeanSquaredError: losses.MeanSquaredError,
    SparseCategoricalCrossentropy: losses.Crossentropy,
}


def operation_of(layer: Layer) -> type[Operation] | None:
    """The description of a layer's operation; None for a class or a method of the user's own, which may compute
    anything, and for layers that are not described yet, such as convolutions in groups."""
    return None if is_patched(layer) or getattr(layer, "is_grouped", False) else LAYERS.get(type(layer))


def loss_operation_of(loss: Loss) -> type[LossOperation] | None:
    """The description of a loss; None for a class of the user's own."""
    if getattr(loss, "from_logits", False) and type(loss) in LOSSES:
        return losses.SigmoidCrossentropy if isinstance(loss, BinaryCrossentropy) else losses.SoftmaxCrossentropy
    return LOSSES.get(type(loss))


__all__ = ["LAYERS", "LOSSES", "Element", "LossOperation", "Operation", "loss_operation_of", "operation_of"]
