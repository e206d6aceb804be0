"""Optimisers: they update the parameters with the gradients. A step is a separate call, never part of a backward."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..compatibility import reporter
from ..configurable import deserializer, serialize
from . import schedules
from .adadelta import Adadelta
from .adagrad import Adagrad
from .adam import Adam, AdamW
from .adamax import Adamax
from .base import Optimizer
from .nadam import Nadam
from .rmsprop import RMSprop
from .sgd import SGD

CLASSES: dict[str, type[Optimizer]] = {
    cls.__name__: cls for cls in (SGD, RMSprop, Adam, AdamW, Adadelta, Adagrad, Adamax, Nadam)
}

__all__ = ["CLASSES", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Nadam", "Optimizer", "RMSprop", "get"]
__all__ += ["deserialize", "schedules", "serialize"]


deserialize = deserializer(CLASSES, "optimizer")


def get(identifier: Any) -> Optimizer:
    """The optimiser for an Optimizer, a name (in any case) or a description. Raises ValueError for an unknown one."""
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    names = {name.lower(): cls for name, cls in CLASSES.items()}
    name = identifier.lower() if isinstance(identifier, str) else identifier
    return names[arguments.choice("optimizer", name, names, "the name of an optimiser")]()  # type: ignore[call-arg]  # each has a default rate


__getattr__ = reporter(__name__, __all__)
