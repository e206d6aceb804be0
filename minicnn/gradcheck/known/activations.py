"""Functions of one number, and softmax, of one row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import erf

import numpy as np

from .base import (
    ACTIVATIONS,
    Array,
    Arrays,
    Operation,
    Proposals,
    Recognised,
    Term,
    View,
    log_softmax,
    same,
    sigmoid,
    softmax,
)

ROOT = np.sqrt(2 / np.pi)


def _gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(ROOT * (x + 0.044715 * x**3)))


def _gelu_slope(x: Array) -> Array:
    t = np.tanh(ROOT * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * ROOT * (1 + 3 * 0.044715 * x**2)


def _normal_cdf(x: Array) -> Array:
    return 0.5 * (1 + np.vectorize(erf, otypes=[float])(x / np.sqrt(2)))


def _normal_density(x: Array) -> Array:
    return np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


FUNCTIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    **ACTIVATIONS,
    "swish": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) + x * sigmoid(x) * (1 - sigmoid(x))),
    "GELU (tanh form)": (_gelu, _gelu_slope),
    "GELU": (lambda x: x * _normal_cdf(x), lambda x: _normal_cdf(x) + x * _normal_density(x)),
    "softplus": (lambda x: np.logaddexp(0, x), sigmoid),
    "softsign": (lambda x: x / (1 + np.abs(x)), lambda x: 1 / (1 + np.abs(x)) ** 2),
    "abs": (np.abs, np.sign),
    "square": (lambda x: x * x, lambda x: 2 * x),
    "cube": (lambda x: x**3, lambda x: 3 * x * x),
    "exp": (np.exp, np.exp),
    "log": (np.log, lambda x: 1 / x),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "reciprocal": (lambda x: 1 / x, lambda x: -1 / (x * x)),
    "ReLU6": (lambda x: np.clip(x, 0, 6), lambda x: ((x > 0) & (x < 6)) * 1.0),
    "hard tanh": (lambda x: np.clip(x, -1, 1), lambda x: (np.abs(x) < 1) * 1.0),
    "identity": (lambda x: x, np.ones_like),
}

PRODUCTS: dict[str, Callable[[Array], tuple[Array, Array]]] = {
    "swish": lambda x: (sigmoid(x), x * sigmoid(x) * (1 - sigmoid(x))),
    "GELU": lambda x: (_normal_cdf(x), x * _normal_density(x)),
    "GELU (tanh form)": lambda x: (
        0.5 * (1 + np.tanh(ROOT * (x + 0.044715 * x**3))),
        _gelu_slope(x) - 0.5 * (1 + np.tanh(ROOT * (x + 0.044715 * x**3))),
    ),
}
"""The two terms of the product rule: the factor times the slope of x, and x times the slope of the factor."""


class Elementwise(Operation):
    """y = f(x), each entry on its own; `slope` is f′(x)."""

    family = "activation"

    def __init__(self, arrays: Arrays, name: str, f: Callable[[Array], Array], slope: Callable[[Array], Array]) -> None:
        self.x, self.name, self.f, self.f_slope = arrays["x"], name, f, slope
        self.samples = len(self.x)
        self.y, self.slope = f(self.x), slope(self.x)

    def pull(self, dz: Array) -> dict[str, Array]:
        return {"x": dz * self.slope}

    def terms(self, role: str, dy: Array) -> dict[str, Term]:
        if self.name in PRODUCTS:
            gate, rest = PRODUCTS[self.name](self.x)
            return {"the factor times x′": Term(dy * gate), "x times the factor's derivative": Term(dy * rest)}
        sides = {"the part for x > 0": self.x > 0, "the part for x < 0": self.x < 0}
        terms = {name: Term(dy * self.slope * side) for name, side in sides.items() if (self.slope * side).any()}
        flat = {"dy where x < 0": Term(dy * (self.x < 0), 0.0, True)}
        return terms if "the part for x < 0" in terms else terms | flat


class Softmax(Operation):
    """Each row of x (R, K) -> a row that sums to 1; with log=True, its logarithm."""

    family = "softmax"

    def __init__(self, arrays: Arrays, log: bool = False) -> None:
        self.x, self.log = arrays["x"], log
        self.samples = len(self.x)
        self.p = softmax(self.x)
        self.y = log_softmax(self.x) if log else self.p

    def pull(self, dz: Array) -> dict[str, Array]:
        return {"x": sum((term.coefficient * term.value for term in self.terms("x", dz).values()), np.zeros_like(dz))}

    def terms(self, role: str, dy: Array) -> dict[str, Term]:
        if self.log:
            return {"dy": Term(dy), "p · Σ dy": Term(self.p * dy.sum(axis=-1, keepdims=True), -1)}
        weighted = dy * self.p
        return {"y · dy": Term(weighted), "y · Σ dy·y": Term(self.p * weighted.sum(axis=-1, keepdims=True), -1)}


def recognise(arrays: Arrays, y: Array) -> Proposals:
    """One array, and y of its shape."""
    if len(arrays) != 1:
        return
    ((name, x),) = arrays.items()
    if y.shape != x.shape:
        return
    for axis in range(x.ndim - 1, -1, -1):
        if x.shape[axis] < 2:
            continue
        for log, value in ((False, softmax(x, axis)), (True, log_softmax(x, axis))):
            if same(value, y):
                order = (*(other for other in range(x.ndim) if other != axis), axis)
                view = View(order, "rows")
                title = f"{'log-' if log else ''}softmax along axis {axis}"
                yield Recognised(title, partial(Softmax, log=log), {name: ("x", view)}, view)
    for title, f, slope in _functions(x, y):
        with np.errstate(all="ignore"):
            if same(np.nan_to_num(f(x)), y):
                make = partial(Elementwise, name=title, f=f, slope=slope)
                yield Recognised(f"the function {title}", make, {name: ("x", View())}, View())


def _functions(x: Array, y: Array) -> list[tuple[str, Callable[[Array], Array], Callable[[Array], Array]]]:
    """All functions that are known, and those whose parameter can be found from x and y."""
    known = [(name, f, slope) for name, (f, slope) in FUNCTIONS.items()]
    below, above = x < 0, x > 0
    if below.any() and above.any():
        a = float(np.median(y[below] / x[below]))
        known.append((f"leaky ReLU with slope {a:.4g}", partial(_leaky, a=a), partial(_leaky_slope, a=a)))
        a, s = float(np.median(y[below] / np.expm1(x[below]))), float(np.median(y[above] / x[above]))
        scaled = "" if np.isclose(s, 1, atol=1e-9) else f", {s:.4g} · x where x > 0"
        known.append((f"ELU with alpha {a:.4g}{scaled}", partial(_elu, a=a, s=s), partial(_elu_slope, a=a, s=s)))
    return known


def _leaky(x: Array, a: float) -> Array:
    return np.where(x > 0, x, a * x)


def _leaky_slope(x: Array, a: float) -> Array:
    return np.where(x > 0, 1.0, a)


def _elu(x: Array, a: float, s: float) -> Array:
    return np.where(x > 0, s * x, a * np.expm1(np.minimum(x, 0)))


def _elu_slope(x: Array, a: float, s: float) -> Array:
    return np.where(x > 0, s, a * np.exp(np.minimum(x, 0)))
