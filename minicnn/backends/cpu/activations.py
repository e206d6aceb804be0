"""Activations as layers of their own: one pass each in NumPy already, and rarely met (the others are fused)."""

from __future__ import annotations

from math import prod

import numpy as np

from ..contract import ACTIVATIONS, Step
from .runtime.compile import serial
from .stages import Shape, Stage, array_at

_RELU, _SIGMOID, _TANH, _SOFTMAX = (ACTIVATIONS.index(name) for name in ("relu", "sigmoid", "tanh", "softmax"))


def stages(samples: int, shape: Shape, itemsize: int, step: Step) -> list[Stage]:
    """activation in inference, on samples of this shape."""
    _, _, options = step
    return [stage(shape, *options)]


def stage(shape: Shape, activation: str) -> Stage:
    """An activation of samples of this shape."""
    size, C = prod(shape), shape[-1]
    return Stage(_activate, shape, (ACTIVATIONS.index(activation), size // C, C), work=size)


def general_relu_stages(samples: int, shape: Shape, itemsize: int, step: Step) -> list[Stage]:
    """general_relu in inference, on samples of this shape."""
    _, _, (slope, largest, threshold) = step
    constants = np.array([slope, np.nan if largest is None else largest, threshold], f"f{itemsize}")
    return [Stage(_general_relu, shape, (prod(shape),), tables=(constants,), work=prod(shape))]


@serial
def _activate(parts, part, x, x_at, y, y_at, count, numbers):
    """A stage, too short to share out."""
    kind, rows, C = numbers[0], numbers[1], numbers[2]
    one, half = x.dtype.type(1), x.dtype.type(0.5)
    if part > 0:
        return
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
def _general_relu(parts, part, x, x_at, y, y_at, count, numbers):
    """A stage, too short to share out. Its table: the slope, the largest value (NaN: there is none), the threshold."""
    if part > 0:
        return
    constants = array_at(numbers[0], 3, x)
    slope, largest, threshold = constants[0], constants[1], constants[2]
    size = count * numbers[1]
    source, target = x[x_at:][:size], y[y_at:][:size]
    for i in range(size):
        below = slope * (source[i] - threshold) if slope else slope  # 0 · ∞ is no number
        rectified = below if source[i] <= threshold else source[i]
        target[i] = rectified if source[i] < largest or largest != largest else largest
