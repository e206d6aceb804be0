"""Optimiser steps in one pass: value, gradient and moments are read and written once.

A thread's kernel slices the arrays to its share and counts from 0. A loop over first … last is not vectorised, as an
index that could be negative would count from the end; it takes 5 times as long.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..contract import Array
from .runtime.compile import parallel, share
from .runtime.threads import small


def sgd_step(
    values: Sequence[Array],
    grads: Sequence[Array],
    velocities: Sequence[Array],
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> None:
    """Gradient descent with momentum, as Keras writes it; lists of arrays of equal shapes, one entry a parameter."""
    if not values:
        return
    scalars = [values[0].dtype.type(scalar) for scalar in (learning_rate, momentum, learning_rate * weight_decay)]
    for arrays in zip(values, grads, velocities, strict=True):
        flat = [array.reshape(-1) for array in arrays]
        _sgd(*flat, *scalars, nesterov, alone=small(flat[0]))


def adam_step(
    values: Sequence[Array],
    grads: Sequence[Array],
    means: Sequence[Array],
    variances: Sequence[Array],
    step: int,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight_decay: float,
) -> None:
    """Adam (Kingma & Ba, 2015, section 2's last form), with AdamW's decoupled decay (Loshchilov & Hutter, 2019).

    Moments that are too small to matter become zero: a unit that died would otherwise leave denormal numbers
    behind, and those are many times slower to compute with.
    """
    if not values:
        return
    alpha = learning_rate * (1 - beta_2**step) ** 0.5 / (1 - beta_1**step)
    number = values[0].dtype.type
    tiny = np.finfo(number).tiny * 2**24
    scalars = [number(s) for s in (alpha, 1 - beta_1, 1 - beta_2, epsilon, learning_rate * weight_decay, tiny)]
    for arrays in zip(values, grads, means, variances, strict=True):
        flat = [array.reshape(-1) for array in arrays]
        _adam(*flat, *scalars, alone=small(flat[0]))


@parallel
def _sgd(threads, thread, value, grad, velocity, learning_rate, momentum, decay, nesterov):
    first, last = share(len(value), threads, thread)
    value, grad, velocity = value[first:last], grad[first:last], velocity[first:last]
    for i in range(len(value)):
        step = learning_rate * grad[i]
        velocity[i] = momentum * velocity[i] - step
        value[i] += (momentum * velocity[i] - step if nesterov else velocity[i]) - decay * value[i]


@parallel
def _adam(threads, thread, value, grad, mean, variance, alpha, gain_1, gain_2, epsilon, decay, tiny):
    nothing = tiny - tiny
    first, last = share(len(value), threads, thread)
    value, grad, mean, variance = value[first:last], grad[first:last], mean[first:last], variance[first:last]
    for i in range(len(value)):
        m = mean[i] + gain_1 * (grad[i] - mean[i])
        v = variance[i] + gain_2 * (grad[i] * grad[i] - variance[i])
        mean[i] = nothing if abs(m) < tiny else m  # NaN stays
        variance[i] = nothing if v < tiny else v
        value[i] -= decay * value[i] + alpha * m / (np.sqrt(v) + epsilon)
