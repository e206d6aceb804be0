"""Activations as layers of their own, and general relu: one pass in blocks that are still in the cache."""

from __future__ import annotations

from math import prod

import numpy as np

from ..contract import ACTIVATIONS, Array, Saved
from ..textbook.activations import activation_backward as textbook_backward
from .executor import Shape, Stage, array_at, forward
from .runtime.compile import serial

_RELU, _SIGMOID, _TANH, _SOFTMAX = (ACTIVATIONS.index(name) for name in ("relu", "sigmoid", "tanh", "softmax"))


def activation(x: Array, activation: str) -> tuple[Array, Saved]:
    """An activation as a layer of its own; x of any shape -> y of the same shape."""
    y = forward(stages, x, [], activation)
    return y, (y, activation)


def activation_backward(dy: Array, saved: Saved) -> Array:
    """dy -> dx, both of x's shape."""
    return textbook_backward(dy, saved)


def stages(shape: Shape, itemsize: int, weights: tuple[Shape, ...], activation: str) -> list[Stage]:
    """activation of samples of this shape."""
    size, C = prod(shape[1:]), shape[-1]
    return [Stage(_activate, shape[1:], (ACTIVATIONS.index(activation), size // C, C), work=size)]


def general_relu_stages(
    shape: Shape, itemsize: int, weights: tuple[Shape, ...], slope: float, largest: float | None, threshold: float
) -> list[Stage]:
    """general_relu of samples of this shape."""
    constants = np.array([slope, np.nan if largest is None else largest, threshold], f"f{itemsize}")
    return [Stage(_general_relu, shape[1:], (prod(shape[1:]),), tables=(constants,), work=prod(shape[1:]))]


@serial
def _activate(x, x_at, y, y_at, count, numbers):
    """A stage's kernel."""
    kind, rows, C = numbers[1], numbers[2], numbers[3]
    one, half = x.dtype.type(1), x.dtype.type(0.5)
    for m in range(count * rows):
        z, target = x[x_at + m * C :][:C], y[y_at + m * C :][:C]
        if kind == _RELU:
            for c in range(C):
                target[c] = x.dtype.type(0) if z[c] < 0 else z[c]
        elif kind == _SIGMOID:
            for c in range(C):
                target[c] = half * (one + np.tanh(half * z[c]))
        elif kind == _TANH:
            for c in range(C):
                target[c] = np.tanh(z[c])
        elif kind == _SOFTMAX:
            top, total = z[0], x.dtype.type(0)
            for c in range(1, C):
                top = z[c] if z[c] > top else top
            for c in range(C):
                target[c] = np.exp(z[c] - top)
                total += target[c]
            for c in range(C):
                target[c] /= total
        else:
            for c in range(C):
                target[c] = z[c]


@serial
def _general_relu(x, x_at, y, y_at, count, numbers):
    """A stage's kernel. Its table: the slope, the largest value (NaN: there is none), the threshold."""
    constants = array_at(numbers[1], 3, x)
    slope, largest, threshold = constants[0], constants[1], constants[2]
    size = count * numbers[2]
    source, target = x[x_at:][:size], y[y_at:][:size]
    for i in range(size):
        below = slope * (source[i] - threshold) if slope else slope  # 0 · ∞ is no number
        rectified = below if source[i] <= threshold else source[i]
        target[i] = rectified if source[i] < largest or largest != largest else largest
