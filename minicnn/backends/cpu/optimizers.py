"""Optimiser steps in one pass: value, gradient and moments are read and written once.

One kernel takes all parameters, as addresses: most of them are small, and a call for each would take longer than the
arithmetic. A thread slices every array to its share and counts from 0. A loop over first … last is not vectorised, as
an index that could be negative would count from the end; it takes 5 times as long.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..contract import Array
from .executor import addresses_of, array_at
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
    _sgd(*_addresses(values, grads, velocities), *scalars, nesterov, alone=small(*values))


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
    _adam(*_addresses(values, grads, means, variances), *scalars, alone=small(*values))


def _addresses(values: Sequence[Array], *others: Sequence[Array]) -> tuple[Array, Array, Array]:
    """An array of the parameters' dtype, the number of elements of each parameter, and the addresses of its arrays."""
    sizes = np.array([value.size for value in values])
    return np.empty(0, values[0].dtype), sizes, np.array([addresses_of(arrays) for arrays in (values, *others)])


@parallel
def _sgd(threads, thread, like, sizes, addresses, learning_rate, momentum, decay, nesterov):
    for p in range(len(sizes)):
        first, last = share(sizes[p], threads, thread)
        value = array_at(addresses[0, p], sizes[p], like)[first:last]
        grad = array_at(addresses[1, p], sizes[p], like)[first:last]
        velocity = array_at(addresses[2, p], sizes[p], like)[first:last]
        for i in range(len(value)):
            step = learning_rate * grad[i]
            velocity[i] = momentum * velocity[i] - step
            value[i] += (momentum * velocity[i] - step if nesterov else velocity[i]) - decay * value[i]


@parallel
def _adam(threads, thread, like, sizes, addresses, alpha, gain_1, gain_2, epsilon, decay, tiny):
    nothing = tiny - tiny
    for p in range(len(sizes)):
        first, last = share(sizes[p], threads, thread)
        value = array_at(addresses[0, p], sizes[p], like)[first:last]
        grad = array_at(addresses[1, p], sizes[p], like)[first:last]
        mean = array_at(addresses[2, p], sizes[p], like)[first:last]
        variance = array_at(addresses[3, p], sizes[p], like)[first:last]
        for i in range(len(value)):
            m = mean[i] + gain_1 * (grad[i] - mean[i])
            v = variance[i] + gain_2 * (grad[i] * grad[i] - variance[i])
            mean[i] = nothing if abs(m) < tiny else m  # NaN stays
            variance[i] = nothing if v < tiny else v
            value[i] -= decay * value[i] + alpha * m / (np.sqrt(v) + epsilon)
