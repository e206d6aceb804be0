"""Mistakes between two dense layers: y = activation(x · W1 + b1) · W2 + b2."""

from __future__ import annotations

from collections.abc import Callable

from ..known.base import ACTIVATIONS, activation_backward
from ..known.stacked import TwoDense
from .catalogue import Array, mistake

FORMULA = "dz1 = (dy · W2ᵀ) · activation′(z1), and dW1 = xᵀ · dz1"


def of_each_gradient(code: Callable[[TwoDense, Array], Array]) -> Callable[[TwoDense, Array], Array]:
    """Enter a wrong dz1 for each gradient that follows from it."""
    for role in ("x", "kernel1", "bias1"):
        _enter(code, role)
    return code


def _enter(code: Callable[[TwoDense, Array], Array], role: str) -> None:
    def wrong(op: TwoDense, dy: Array) -> Array:
        return op.through(dy, code(op, dy))[role]

    wrong.__doc__, wrong.__module__ = code.__doc__, code.__module__
    wrong.__name__ = f"{code.__name__}_in_d{role}"
    mistake(of=[TwoDense], gradient=role, formula=FORMULA, experiment="Check each of the two layers alone.")(wrong)


@of_each_gradient
def hidden_activation_forgotten(op: TwoDense, dy: Array) -> Array:
    """The derivative of the activation between the two layers is forgotten."""
    return dy @ op.second.kernel.T


@of_each_gradient
def hidden_activation_at_output(op: TwoDense, dy: Array) -> Array:
    """The derivative of the activation between the two layers is taken at its output, where it belongs at its input."""
    if op.between == "relu":
        raise ValueError("the same")
    return activation_backward(op.between, op.first.y, dy @ op.second.kernel.T)


@of_each_gradient
def hidden_activation_for_derivative(op: TwoDense, dy: Array) -> Array:
    """The hidden activation itself is multiplied in, where its derivative belongs."""
    return dy @ op.second.kernel.T * op.first.y


@mistake(
    of=[TwoDense],
    gradient="kernel2",
    formula="dW2 = hᵀ · dy, with h = activation(z1)",
    experiment="Print both, z1 and h, and see which is in the cache.",
)
def sum_for_hidden_output(op: TwoDense, dy: Array) -> Array:
    """dW2 is computed with the first layer's weighted sum, where its activation belongs."""
    return op.first.z.T @ dy


@mistake(
    of=[TwoDense],
    gradient="kernel1",
    formula=FORMULA,
    experiment="Write the shape of every array beside its line.",
)
def activated_input(op: TwoDense, dy: Array) -> Array:
    """dW1 is computed with the activation of x, where x itself belongs."""
    dz = activation_backward(op.between, op.first.z, dy @ op.second.kernel.T)
    return ACTIVATIONS[op.between][0](op.first.x).T @ dz
