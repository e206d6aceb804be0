"""Batch normalisation: give every channel mean 0 and variance 1 over the batch, then a learned scale and shift."""

from __future__ import annotations

import numpy as np

from ..contract import Array, Saved
from .activations import activate, activate_backward


def batch_norm(
    x: Array,
    gamma: Array,
    beta: Array,
    moving_mean: Array,
    moving_variance: Array,
    momentum: float,
    epsilon: float,
    training: bool,
    activation: str,
) -> tuple[Array, Array, Array, Saved]:
    """y = activation(gamma · x̂ + beta), x̂ = (x − mean) / √(variance + epsilon), per channel (Ioffe & Szegedy, 2015).

    In training, mean and variance are the batch's (biased, as in Keras) and the moving ones follow them:
    moving ← momentum · moving + (1 − momentum) · batch. Otherwise the moving ones are used and stay as they are.

    x (..., C), the others (C,) -> y (..., C), new moving mean (C,), new moving variance (C,)
    """
    mean, variance = moving_mean, moving_variance
    if training:
        axes = tuple(range(x.ndim - 1))  # all but the channels
        mean = x.mean(axis=axes)
        variance = ((x - mean) ** 2).mean(axis=axes)  # two passes: E[x²] − mean² would lose digits
        moving_mean = momentum * moving_mean + (1 - momentum) * mean
        moving_variance = momentum * moving_variance + (1 - momentum) * variance
    inverse_std = 1 / np.sqrt(variance + epsilon)  # (C,)
    normalized = (x - mean) * inverse_std  # x̂ (..., C)
    y = activate(gamma * normalized + beta, activation)
    return y, moving_mean, moving_variance, (normalized, inverse_std, gamma, training, y, activation)


def batch_norm_backward(dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array]:
    """With dz = dy · activation′ and M samples and pixels that mean and variance were taken over, for each channel:

    dgamma = Σ dz·x̂     dbeta = Σ dz     dx = gamma / std · (dz − dbeta / M − x̂ · dgamma / M)

    The last two terms are the paths through the batch's mean and variance; with moving statistics they vanish.
    dy (..., C) -> dx (..., C) or None, dgamma (C,), dbeta (C,)
    """
    normalized, inverse_std, gamma, training, y, activation = saved
    dz = activate_backward(dy, y, activation)
    axes = tuple(range(dy.ndim - 1))
    M = dy.size // dy.shape[-1]
    dgamma = (dz * normalized).sum(axis=axes)
    dbeta = dz.sum(axis=axes)
    if not need_dx:
        return None, dgamma, dbeta
    dcentred = dz - dbeta / M - normalized * dgamma / M if training else dz
    return gamma * inverse_std * dcentred, dgamma, dbeta
