"""Optimiser steps: they update parameters with their gradients. Only these operations work in place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..contract import Array


def sgd_step(
    values: Sequence[Array],
    grads: Sequence[Array],
    velocities: Sequence[Array],
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> None:
    """Gradient descent with momentum, as in Keras; lists of arrays of equal shapes, one entry per parameter.

    value ← value − learning_rate · weight_decay · value, then
    velocity ← momentum · velocity − learning_rate · grad
    value ← value + velocity                   (nesterov: + momentum · velocity − learning_rate · grad)
    """
    for value, grad, velocity in zip(values, grads, velocities, strict=True):
        value -= learning_rate * weight_decay * value
        velocity *= momentum
        velocity -= learning_rate * grad
        value += momentum * velocity - learning_rate * grad if nesterov else velocity


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

    mean ← β₁ · mean + (1 − β₁) · grad            variance ← β₂ · variance + (1 − β₂) · grad²
    value ← value − learning_rate · weight_decay · value
    value ← value − α · mean / (√variance + epsilon),   α = learning_rate · √(1 − β₂ᵗ) / (1 − β₁ᵗ),   t = step from 1
    """
    alpha = learning_rate * (1 - beta_2**step) ** 0.5 / (1 - beta_1**step)
    for value, grad, mean, variance in zip(values, grads, means, variances, strict=True):
        mean += (1 - beta_1) * (grad - mean)
        variance += (1 - beta_2) * (grad * grad - variance)
        value -= learning_rate * weight_decay * value
        value -= alpha * mean / (np.sqrt(variance) + epsilon)


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
    """RMSprop (Hinton, 2012), as in Keras.

    velocity ← ρ · velocity + (1 − ρ) · grad²          mean ← ρ · mean + (1 − ρ) · grad
    step ← learning_rate · grad / √(velocity + epsilon)   (centered: velocity − mean² instead of velocity)
    value ← value − learning_rate · weight_decay · value
    m ← momentum · m + step,   value ← value − m
    """
    for value, grad, velocity, m, mean in zip(values, grads, velocities, momentums, means, strict=True):
        velocity += (1 - rho) * (grad * grad - velocity)
        mean += (1 - rho) * (grad - mean)
        spread = velocity - mean * mean if centered else velocity
        m *= momentum
        m += learning_rate * grad / np.sqrt(spread + epsilon)
        value -= learning_rate * weight_decay * value
        value -= m


def adadelta_step(
    values: Sequence[Array],
    grads: Sequence[Array],
    squares: Sequence[Array],
    deltas: Sequence[Array],
    learning_rate: float,
    rho: float,
    epsilon: float,
    weight_decay: float,
) -> None:
    """Adadelta (Zeiler, 2012): the ratio of two moving means of squares replaces the learning rate.

    square ← ρ · square + (1 − ρ) · grad²
    step ← √(delta + epsilon) / √(square + epsilon) · grad
    delta ← ρ · delta + (1 − ρ) · step²
    value ← value − learning_rate · weight_decay · value − learning_rate · step
    """
    for value, grad, square, delta in zip(values, grads, squares, deltas, strict=True):
        square += (1 - rho) * (grad * grad - square)
        step = np.sqrt((delta + epsilon) / (square + epsilon)) * grad
        delta += (1 - rho) * (step * step - delta)
        value -= learning_rate * weight_decay * value
        value -= learning_rate * step


def adagrad_step(
    values: Sequence[Array],
    grads: Sequence[Array],
    squares: Sequence[Array],
    learning_rate: float,
    epsilon: float,
    weight_decay: float,
) -> None:
    """Adagrad (Duchi et al., 2011): steps become shorter, the more the weight has been changed.

    square ← square + grad²
    value ← value − learning_rate · weight_decay · value − learning_rate · grad / √(square + epsilon)
    """
    for value, grad, square in zip(values, grads, squares, strict=True):
        square += grad * grad
        value -= learning_rate * weight_decay * value
        value -= learning_rate * grad / np.sqrt(square + epsilon)


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
    """Adamax (Kingma & Ba, 2015, section 7.1): Adam with the maximum norm, t = step from 1.

    mean ← β₁ · mean + (1 − β₁) · grad            maximum ← max(β₂ · maximum, |grad|)
    value ← value − learning_rate · weight_decay · value
    value ← value − learning_rate / (1 − β₁ᵗ) · mean / (maximum + epsilon)
    """
    for value, grad, mean, maximum in zip(values, grads, means, maxima, strict=True):
        mean += (1 - beta_1) * (grad - mean)
        maximum[...] = np.maximum(beta_2 * maximum, np.abs(grad))
        value -= learning_rate * weight_decay * value
        value -= learning_rate / (1 - beta_1**step) * mean / (maximum + epsilon)


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
    """Nadam (Dozat, 2016): Adam with Nesterov's momentum, t = step from 1.

    uₜ = β₁ · (1 − ½ · 0.96ᵗ)                     the momentum's factor, which rises
    mean ← β₁ · mean + (1 − β₁) · grad            variance ← β₂ · variance + (1 − β₂) · grad²
    m ← uₜ₊₁ · mean / (1 − u₁ … uₜ₊₁) + (1 − uₜ) · grad / (1 − u₁ … uₜ)
    value ← value − learning_rate · weight_decay · value
    value ← value − learning_rate · m / (√(variance / (1 − β₂ᵗ)) + epsilon)
    """
    by_mean, by_grad = nadam_factors(step, beta_1)
    for value, grad, mean, variance in zip(values, grads, means, variances, strict=True):
        mean += (1 - beta_1) * (grad - mean)
        variance += (1 - beta_2) * (grad * grad - variance)
        m = by_mean * mean + by_grad * grad
        value -= learning_rate * weight_decay * value
        value -= learning_rate * m / (np.sqrt(variance / (1 - beta_2**step)) + epsilon)


def nadam_factors(step: int, beta_1: float) -> tuple[float, float]:
    """Of the mean and of the gradient in Nadam's m: uₜ₊₁ / (1 − u₁ … uₜ₊₁) and (1 − uₜ) / (1 − u₁ … uₜ)."""
    first = min(step, 1000)  # the factors after them are β₁: 0.96¹⁰⁰⁰ < 10⁻¹⁷
    u = beta_1 * (1 - 0.5 * 0.96 ** np.arange(1.0, first + 2))  # u₁ … uₜ₊₁
    now, ahead = float(u[-2]), float(u[-1])
    until_now, until_ahead = (float(factors.prod()) * beta_1 ** (step - first) for factors in (u[:-1], u))
    return ahead / (1 - until_ahead), (1 - now) / (1 - until_now)
