"""What all known operations have in common: canonical arrays, right gradients, and the terms that add up to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray
Arrays = Mapping[str, np.ndarray]

RESHAPES: dict[str, Callable[[tuple[int, ...]], tuple[int, ...]]] = {
    "same": lambda shape: shape,
    "rows": lambda shape: (-1, shape[-1]) if shape else (1, 1),
    "samples": lambda shape: (shape[0], -1),
    "image": lambda shape: (shape[0], 1, *shape[1:]),
    "kernel": lambda shape: (1, *shape),
    "flat": lambda shape: (-1,),
    "pixel": lambda shape: (shape[0], 1, 1, shape[1]),
}


@dataclass(frozen=True)
class View:
    """How an array of a user's function becomes the canonical one: transposed, then reshaped."""

    order: tuple[int, ...] | None = None
    reshape: str = "same"

    def to(self, array: Array) -> Array:
        turned = array if self.order is None else array.transpose(self.order)
        return turned.reshape(RESHAPES[self.reshape](turned.shape))

    def back(self, array: Array, shape: tuple[int, ...]) -> Array:
        """From canonical to an array of this shape. Raises ValueError if the canonical array has another size."""
        if self.order is None:
            return array.reshape(shape)
        turned = tuple(shape[axis] for axis in self.order)
        return array.reshape(turned).transpose(np.argsort(self.order))


class Operation:
    """A known operation on given canonical arrays: its result `y` and its right gradients.

    `pull` is the linear part of the backward, after the activation: dz -> the gradients by role.
    """

    family = ""
    y: Array
    activation = "linear"
    z: Array
    samples: int
    formulas: Mapping[str, str] = {}
    """The right gradients by role, where they are simpler than the formulas of the catalogue."""

    def upstream(self, dy: Array) -> Array:
        """dz from dy, through the activation at the end."""
        return activation_backward(self.activation, self.z, dy) if self.activation != "linear" else dy

    def pull(self, dz: Array) -> dict[str, Array]:
        raise NotImplementedError

    def gradients(self, dy: Array) -> dict[str, Array]:
        return self.pull(self.upstream(dy))

    def terms(self, role: str, dy: Array) -> dict[str, Term]:
        """The terms whose sum, each times its coefficient, is this gradient; empty if there is only one."""
        return {}


@dataclass(frozen=True)
class Term:
    """One term of a gradient: its value, and the coefficient that it has in the right gradient."""

    value: Array
    coefficient: float = 1.0
    foreign: bool = False
    """Whether it is not in the formula, but a usual mistake puts it there."""


@dataclass(frozen=True)
class Recognised:
    """A forward that is a known operation, of certain options and layout."""

    title: str
    make: Callable[[dict[str, Array]], Operation]
    """The operation on canonical arrays, by role."""
    roles: Mapping[str, tuple[str, View]]
    """For each argument its role and its view."""
    y: View = field(default_factory=View)

    def operation(self, arrays: Arrays) -> Operation:
        return self.make({role: view.to(arrays[name]) for name, (role, view) in self.roles.items()})

    def output(self, operation: Operation, shape: tuple[int, ...]) -> Array:
        return self.y.back(operation.y, shape)

    def gradients(self, operation: Operation, arrays: Arrays, dy: Array) -> dict[str, Array]:
        """The right gradients by argument, in the function's own layout."""
        canonical = operation.gradients(self.y.to(dy))
        return {name: self.back(name, canonical[role], arrays) for name, (role, _) in self.roles.items()}

    def back(self, name: str, gradient: Array, arrays: Arrays) -> Array:
        return self.roles[name][1].back(gradient, arrays[name].shape)


Proposals = Iterator[Recognised]


# activations


def sigmoid(x: Any) -> Any:
    return 0.5 * (1 + np.tanh(0.5 * x))


def softmax(x: Array, axis: int = -1) -> Array:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def log_softmax(x: Array, axis: int = -1) -> Array:
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
}
"""Activations at the end of a layer: the function and its derivative."""


def activation_backward(activation: str, z: Array, dy: Array) -> Array:
    if activation == "softmax":
        p = softmax(z)
        return p * (dy - (dy * p).sum(axis=-1, keepdims=True))
    return dy * ACTIVATIONS[activation][1](z)


def activate(activation: str, z: Array) -> Array:
    if activation == "linear":
        return z
    return softmax(z) if activation == "softmax" else ACTIVATIONS[activation][0](z)


def activation_between(z: Array, y: Array) -> str | None:
    """The activation that turns z into y; None if none does."""
    if z.shape != y.shape:
        return None
    for activation in ("linear", *ACTIVATIONS, *(["softmax"] if z.ndim and z.shape[-1] > 1 else [])):
        if same(activate(activation, z), y):
            return activation
    return None


TOLERANCE = 1e-9
"""Two arrays are the same if they differ by at most this much of the largest entry."""


def same(a: Array, b: Array, tolerance: float = TOLERANCE) -> bool:
    """Whether two arrays are equal up to rounding, relative to the largest entry."""
    if a.shape != b.shape:
        return False
    scale = max(float(np.abs(a).max(initial=0)), float(np.abs(b).max(initial=0)))
    return np.isfinite(scale) and bool(np.abs(a - b).max(initial=0) <= tolerance * scale)
