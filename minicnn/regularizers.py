"""Regularizers: penalties on large weights, part of the loss that training minimises.

    Dense(64, kernel_regularizer="l2")                      # or regularizers.L2(1e-4)

The layer's own backward stays the gradient of the layer. `fit` adds the penalty to the loss, and after the backward the
penalty's gradient to the parameter's `grad`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import arguments
from .backends import active, to_device
from .backends.contract import Array
from .compatibility import reporter
from .config import floatx
from .configurable import Configurable, deserializer
from .configurable import serialize as serialize
from .errors import explain


class Regularizer(Configurable):
    """Base class of all regularizers. One of your own defines add_penalty and add_gradient."""

    def __call__(self, value: Any) -> Array:
        """The penalty of a Parameter or an array (…) -> ()."""
        array = arguments.array(type(self).__name__, "values", getattr(value, "value", value))
        if array.dtype.kind in "biu":
            array = array.astype(floatx())
        return self.add_penalty(to_device(np.zeros((), array.dtype)), to_device(array))

    def add_penalty(self, loss: Array, value: Array) -> Array:
        """loss () + the penalty of a parameter's value (…) -> ()."""
        expected = "a method add_penalty(self, loss, value)"
        raise NotImplementedError(explain(type(self).__name__, expected, "none", "Return the sum from it."))

    def add_gradient(self, grad: Array, value: Array) -> Array:
        """grad (…) + the penalty's gradient with respect to value (…) -> (…), a new array."""
        expected = "a method add_gradient(self, grad, value)"
        raise NotImplementedError(explain(type(self).__name__, expected, "none", "Return the sum from it."))


class L1L2(Regularizer):
    """penalty = l1 · Σ |value| + l2 · Σ value²; its gradient is l1 · sign(value) + 2 · l2 · value."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = arguments.non_negative(f"{type(self).__name__} l1", l1)
        self.l2 = arguments.non_negative(f"{type(self).__name__} l2", l2)

    def add_penalty(self, loss: Array, value: Array) -> Array:
        return active().add_penalty(loss, value, self.l1, self.l2)

    def add_gradient(self, grad: Array, value: Array) -> Array:
        return active().add_penalty_gradient(grad, value, self.l1, self.l2)


class L1(L1L2):
    """penalty = l1 · Σ |value|, which makes many weights zero."""

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1=l1)


class L2(L1L2):
    """penalty = l2 · Σ value², which makes all weights smaller."""

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2=l2)


CLASSES: dict[str, type[Regularizer]] = {cls.__name__: cls for cls in (L1, L1L2, L2)}

l1, l2, l1_l2 = L1, L2, L1L2  # Keras's other names

NAMES: dict[str, type[Regularizer]] = {"l1": L1, "l1_l2": L1L2, "l1l2": L1L2, "l2": L2}


deserialize = deserializer(CLASSES, "regularizer")


def get(identifier: Any) -> Regularizer | None:
    """The regularizer for a Regularizer, a string name or a description; None for None. Raises ValueError."""
    if identifier is None or isinstance(identifier, Regularizer):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    known = {**CLASSES, **NAMES}
    return known[arguments.choice("regularizer", identifier, known, "the name of a regularizer")]()


__getattr__ = reporter(__name__, CLASSES)
