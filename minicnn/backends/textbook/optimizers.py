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
