"""Optimiser steps in one pass: value, gradient and moments are read and written once.

One kernel takes all parameters, as addresses: most of them are small, and a call for each would take longer than the
arithmetic. A thread slices every array to its share and counts from 0. A loop over first … last is not vectorised, as
an index that could be negative would count from the end; it takes 5 times as long.

Moments that are too small to matter become zero: a unit that died would otherwise leave denormal numbers behind, and
those are many times slower to compute with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..contract import Array
from ..textbook.optimizers import nadam_factors
from .executor import addresses_of, array_at
from .runtime.compile import inlined, parallel, share
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
    _step(_sgd, (values, grads, velocities), (learning_rate, momentum, learning_rate * weight_decay), nesterov)


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
    """Adam (Kingma & Ba, 2015, section 2's last form), with AdamW's decoupled decay (Loshchilov & Hutter, 2019)."""
    by_mean = learning_rate * (1 - beta_2**step) ** 0.5 / (1 - beta_1**step)
    scalars = by_mean, 0.0, 1 - beta_1, 1 - beta_2, epsilon, learning_rate * weight_decay
    _step(_moments, (values, grads, means, variances), scalars, False)


def adamax_step(
    values: Sequence[Array],
    grads: Sequence[Array],
    means: Sequence[Array],
    maxima: Sequence[Array],
    step: int,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight_decay: float,
) -> None:
    """Adamax (Kingma & Ba, 2015, section 7.1): Adam with the maximum norm."""
    scalars = learning_rate / (1 - beta_1**step), 0.0, 1 - beta_1, 1 - beta_2, epsilon, learning_rate * weight_decay
    _step(_moments, (values, grads, means, maxima), scalars, True)


def nadam_step(
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
    """Nadam (Dozat, 2016): Adam with Nesterov's momentum."""
    root = (1 - beta_2**step) ** 0.5
    by_mean, by_grad = (learning_rate * root * factor for factor in nadam_factors(step, beta_1))
    scalars = by_mean, by_grad, 1 - beta_1, 1 - beta_2, epsilon * root, learning_rate * weight_decay
    _step(_moments, (values, grads, means, variances), scalars, False)


def rmsprop_step(
    values: Sequence[Array],
    grads: Sequence[Array],
    velocities: Sequence[Array],
    momentums: Sequence[Array],
    means: Sequence[Array],
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    centered: bool,
    weight_decay: float,
) -> None:
    """RMSprop (Hinton, 2012), as in Keras."""
    scalars = learning_rate, 1 - rho, momentum, epsilon, learning_rate * weight_decay
    _step(_rmsprop, (values, grads, velocities, momentums, means), scalars, centered)


def _step(kernel: Any, lists: tuple[Sequence[Array], ...], scalars: tuple[float, ...], flag: bool) -> None:
    """Run a kernel on the parameters of these lists: values, grads, and one list per slot.

    It gets an array of their dtype, the number of elements of each, the addresses of its arrays, and scalars.
    """
    values = lists[0]
    if values:
        sizes, addresses = np.array([value.size for value in values]), np.array([addresses_of(one) for one in lists])
        numbers = map(values[0].dtype.type, scalars)
        kernel(np.empty(0, values[0].dtype), sizes, addresses, *numbers, flag, alone=small(*values))


@inlined
def _part(threads, thread, like, size, address):
    """One thread's share of the array of this size at an address."""
    first, last = share(size, threads, thread)
    return array_at(address, size, like)[first:last]


@inlined
def _flushed(moment):
    """The moment, or 0 if it is too small to matter; NaN stays."""
    number = type(moment)
    return number(0) if abs(moment) < np.finfo(number).tiny * number(2**24) else moment


@parallel
def _sgd(threads, thread, like, sizes, addresses, learning_rate, momentum, decay, nesterov):
    for p in range(len(sizes)):
        value = _part(threads, thread, like, sizes[p], addresses[0, p])
        grad = _part(threads, thread, like, sizes[p], addresses[1, p])
        velocity = _part(threads, thread, like, sizes[p], addresses[2, p])
        for i in range(len(value)):
            step = learning_rate * grad[i]
            v = momentum * velocity[i] - step
            velocity[i] = _flushed(v)
            value[i] += (momentum * v - step if nesterov else v) - decay * value[i]


@parallel
def _moments(threads, thread, like, sizes, addresses, by_mean, by_grad, gain_1, gain_2, epsilon, decay, maximum):
    """Adam and its relatives: a step is a mean gradient divided by a size, the root of a variance or a maximum."""
    for p in range(len(sizes)):
        value = _part(threads, thread, like, sizes[p], addresses[0, p])
        grad = _part(threads, thread, like, sizes[p], addresses[1, p])
        mean = _part(threads, thread, like, sizes[p], addresses[2, p])
        second = _part(threads, thread, like, sizes[p], addresses[3, p])
        for i in range(len(value)):
            m = mean[i] + gain_1 * (grad[i] - mean[i])
            if maximum:
                v = np.maximum(second[i] - gain_2 * second[i], abs(grad[i]))
            else:
                v = second[i] + gain_2 * (grad[i] * grad[i] - second[i])
            mean[i], second[i] = _flushed(m), _flushed(v)
            value[i] -= decay * value[i] + (by_mean * m + by_grad * grad[i]) / (
                (v if maximum else np.sqrt(v)) + epsilon
            )


@parallel
def _rmsprop(threads, thread, like, sizes, addresses, learning_rate, gain, momentum, epsilon, decay, centered):
    for p in range(len(sizes)):
        value = _part(threads, thread, like, sizes[p], addresses[0, p])
        grad = _part(threads, thread, like, sizes[p], addresses[1, p])
        velocity = _part(threads, thread, like, sizes[p], addresses[2, p])
        moving = _part(threads, thread, like, sizes[p], addresses[3, p])
        mean = _part(threads, thread, like, sizes[p], addresses[4, p])
        for i in range(len(value)):
            v = velocity[i] + gain * (grad[i] * grad[i] - velocity[i])
            m = mean[i] + gain * (grad[i] - mean[i])
            spread = v - m * m if centered else v
            step = momentum * moving[i] + learning_rate * grad[i] / np.sqrt(spread + epsilon)
            velocity[i], moving[i], mean[i] = _flushed(v), _flushed(step), _flushed(m)
            value[i] -= decay * value[i] + step
