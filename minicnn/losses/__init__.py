"""Losses: how wrong a prediction is, and the gradient with which backpropagation starts.

loss = CategoricalCrossentropy()
value = loss.forward(y_true, y_pred)    # one number: the mean over the samples
dy = loss.backward()                    # its gradient with respect to y_pred, for model.backward
"""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..compatibility import reporter
from ..configurable import deserializer, serialize
from ..errors import explain, shown
from .base import Loss
from .crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Crossentropy,
    SparseCategoricalCrossentropy,
)
from .functions import (
    FUNCTIONS,
    binary_crossentropy,
    categorical_crossentropy,
    huber,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
)
from .regression import Huber, MeanAbsoluteError, MeanSquaredError

mae = MAE = mean_absolute_error  # tf.keras has these names, too
mse = MSE = mean_squared_error

CLASSES: dict[str, type[Loss]] = {
    cls.__name__: cls
    for cls in (
        BinaryCrossentropy,
        CategoricalCrossentropy,
        Huber,
        MeanAbsoluteError,
        MeanSquaredError,
        SparseCategoricalCrossentropy,
    )
}

NAMES: dict[str, type[Loss]] = {
    **{cls.name: cls for cls in CLASSES.values()},
    "bce": BinaryCrossentropy,
    "huber": Huber,
    "mae": MeanAbsoluteError,
    "mse": MeanSquaredError,
    "MAE": MeanAbsoluteError,
    "MSE": MeanSquaredError,
}

__all__ = [
    "CLASSES",
    "MAE",
    "MSE",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Crossentropy",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "deserialize",
    "get",
    "huber",
    "mae",
    "mean_absolute_error",
    "mean_squared_error",
    "mse",
    "serialize",
    "sparse_categorical_crossentropy",
]


deserialize = deserializer(CLASSES, "loss")


def get(identifier: Any) -> Loss:
    """The loss for a Loss, a name (class or string), a function of this module or a description.

    Raises ValueError for an unknown name, TypeError for a function of one's own, whose gradient is unknown.
    """
    if isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        return identifier()
    if callable(identifier):
        if identifier in FUNCTIONS:
            return FUNCTIONS[identifier]()
        expected = "a loss with its gradient: a name, an object, or a function of minicnn.losses"
        remedy = (
            "minicnn has no automatic differentiation: derive a class from minicnn.losses.Loss, with call(self, "
            "y_true, y_pred), which returns the mean loss, and call_backward(self), its gradient."
        )
        raise TypeError(explain("loss", expected, f"the function {shown(identifier)}", remedy))
    known = {**CLASSES, **NAMES}
    return known[arguments.choice("loss", identifier, known, "the name of a loss")]()


__getattr__ = reporter(__name__, __all__)
