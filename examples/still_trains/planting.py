"""A layer, a loss or an optimiser with a mistake of the gradient doctor's catalogue in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from minicnn.backends.geometry import pad_amounts
from minicnn.gradcheck.known.base import Operation
from minicnn.gradcheck.known.convolution import Convolution
from minicnn.gradcheck.known.dense import Dense as KnownDense
from minicnn.gradcheck.known.dropout import Dropout as KnownDropout
from minicnn.gradcheck.known.losses import Loss as KnownLoss
from minicnn.gradcheck.known.losses import logits_crossentropy
from minicnn.gradcheck.known.normalization import Normalization
from minicnn.gradcheck.known.optimizers import State
from minicnn.gradcheck.known.pooling import MaxPooling
from minicnn.gradcheck.known.windows import Windows
from minicnn.gradcheck.mistakes import CATALOGUE, Case, Mistake, of_case, of_operation
from minicnn.gradcheck.mistakes.optimizers import STEPS, WrongStep
from minicnn.layers import BatchNormalization, Conv2D, Dense, Dropout, Layer, MaxPooling2D
from minicnn.losses import SparseCategoricalCrossentropy
from minicnn.parameters import Parameter

Array = np.ndarray


def entry(name: str) -> Mistake:
    """The catalogue's entry of this name."""
    return next(mistake for mistake in CATALOGUE if mistake.name == name)


def wrong_step(name: str, rule: str) -> WrongStep:
    """The catalogue's wrong optimiser step of this name, for this rule."""
    return next(step for step in STEPS if step.name == name and rule in step.rules)


def planted(layer: Layer, name: str, role: str) -> Layer:
    """The layer, whose backward now makes this mistake in one gradient: "x", or a parameter's name."""
    mistake, right = entry(name), type(layer)

    class Wrong(right):  # type: ignore[misc, valid-type]  # a class of whatever the layer is
        def call(self, x: Array, training: bool) -> Array:
            self.seen = x, training
            self.y = super().call(x, training)
            return self.y

        def call_backward(self, dy: Array, need_dx: bool) -> Array | None:
            dx = super().call_backward(dy, need_dx)
            if not self.seen[1]:
                return dx  # the mistakes are in the formulas of training
            if role == "x":
                return dx if dx is None else gradient(mistake, self, role, dx, dy)
            parameter = getattr(self, role)
            parameter.grad = gradient(mistake, self, role, parameter.grad, dy)
            return dx

    Wrong.__name__ = right.__name__
    layer.__class__ = Wrong
    return layer


def gradient(mistake: Mistake, layer: Any, role: str, right: Array, dy: Array) -> Array:
    """The wrong gradient of the layer's last batch, in the right one's shape and dtype."""
    x = layer.seen[0]
    if mistake.acts_on == "operation":
        channels_first = isinstance(layer, BatchNormalization)  # as the known operation has it: (C, M)
        upstream = dy.reshape(-1, dy.shape[-1]).T if channels_first else dy
        wrong = of_operation(mistake, known(layer, x), upstream)
        wrong = wrong.T if channels_first and role == "x" else wrong
    else:
        arrays = {"x": x, **{p.name.rpartition("/")[2]: p.value for p in layer.parameters()}}
        wrong = of_case(mistake, Case(role, arrays, layer.y, dy, lambda argument, dy: right_again(layer, role, dy)))
    return np.ascontiguousarray(np.reshape(wrong, right.shape), dtype=right.dtype)


def right_again(layer: Any, role: str, dy: Array) -> Array:
    """The right gradient for another dy."""
    dx = super(type(layer), layer).call_backward(np.ascontiguousarray(dy, dtype=layer.y.dtype), True)
    return dx if role == "x" else getattr(layer, role).grad


def known(layer: Any, x: Array) -> Operation:
    """The doctor's form of the layer's operation on x, from which an entry computes its wrong gradient."""
    weights = {name: getattr(layer, name).value for name in ("kernel", "bias", "gamma", "beta") if hasattr(layer, name)}
    if isinstance(layer, Conv2D):
        return Convolution({"x": x, **weights}, windows(layer, x), layer.activation)
    if isinstance(layer, MaxPooling2D):
        return MaxPooling({"x": x}, windows(layer, x))
    if isinstance(layer, Dense):
        return KnownDense({"x": x, **weights}, layer.activation)
    if isinstance(layer, Dropout):
        scale = 1 / (1 - layer.rate)
        return KnownDropout({"x": x}, np.divide(layer.y, x, out=np.zeros_like(x), where=x != 0), scale)
    rows = x.reshape(-1, x.shape[-1]).T
    index = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)
    return Normalization({"x": rows, **weights}, index, layer.epsilon)


def windows(layer: Any, x: Array) -> Windows:
    sizes, outputs = zip(x.shape[1:3], layer.window_2d, layer.strides_2d, strict=True), layer.y.shape[1:3]
    top, left = (pad_amounts(length, k, s, layer.padding)[0] for length, k, s in sizes)
    return Windows(tuple(layer.window_2d), tuple(layer.strides_2d), (top, left), tuple(outputs))


class WrongLoss(SparseCategoricalCrossentropy):
    """Softmax and cross-entropy with a mistake in the backward."""

    def __init__(self, name: str) -> None:
        super().__init__(from_logits=True)
        self.mistake = entry(name)

    def call(self, y_true: Array, y_pred: Array) -> Array:
        self.given = np.asarray(y_true), y_pred
        return super().call(y_true, y_pred)

    def call_backward(self) -> Array:
        (labels, logits), right = self.given, super().call_backward()
        target = np.eye(logits.shape[1])[labels.astype(int).reshape(-1)]
        one = np.ones(())
        if self.mistake.acts_on == "operation":
            loss = KnownLoss({"x": logits}, logits_crossentropy, target, 0, 1 / len(logits))
            wrong = of_operation(self.mistake, loss, one)
        else:
            wrong = of_case(self.mistake, Case("x", {"x": logits}, one, one, lambda argument, dy: dy * right))
        return np.ascontiguousarray(wrong, dtype=logits.dtype)


class WrongOptimizer:
    """An optimiser whose step is a wrong one of the catalogue: `step`, as minicnn's, and as a course's function."""

    def __init__(self, wrong: WrongStep, hyperparameters: dict[str, float]) -> None:
        self.wrong, self.hyperparameters, self.t = wrong, hyperparameters, 0
        self.states: dict[str, State] = {}

    def step(self, parameters: list[Parameter]) -> None:
        self.t += 1
        for p in parameters:
            state, gradient = self.states.setdefault(p.name, {}), np.asarray(p.grad)
            p.value[...] = self.wrong.step(p.value, gradient, state, self.t, self.hyperparameters)

    def function(self, w: Array, dw: Array, config: dict[str, Any]) -> tuple[Array, dict[str, Any]]:
        """As the doctor takes it."""
        config["t"] = config.get("t", 0) + 1
        return self.wrong.step(w, dw, config.setdefault("state", {}), config["t"], config), config
