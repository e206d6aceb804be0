"""Group normalisation: give every group of channels mean 0 and variance 1 in each sample, then a scale and a shift.

It needs no batch, so training and inference are the same. Layer normalisation is the special case of one group, if each
position counts as a sample.
"""

from __future__ import annotations

from math import prod

import numpy as np

from ..contract import Array, Saved


def group_norm(x: Array, gamma: Array | None, beta: Array | None, groups: int, epsilon: float) -> tuple[Array, Saved]:
    """y = gamma · x̂ + beta, x̂ = (x − mean) / √(variance + epsilon), per sample and group (Wu & He, 2018).

    x (N, ..., C), gamma and beta (C,) or None -> y (N, ..., C); each group has C / groups channels
    """
    N, *positions, C = x.shape
    grouped = x.reshape(N, prod(positions), groups, C // groups)  # (N, M, G, C / G)
    mean = grouped.mean(axis=(1, 3), keepdims=True)  # (N, 1, G, 1)
    variance = ((grouped - mean) ** 2).mean(axis=(1, 3), keepdims=True)
    inverse_std = 1 / np.sqrt(variance + epsilon)
    normalized = (grouped - mean) * inverse_std  # x̂ (N, M, G, C / G)
    y = normalized.reshape(x.shape)
    if gamma is not None:
        y = gamma * y
    if beta is not None:
        y = y + beta
    return y, (normalized, inverse_std, gamma, beta is not None)


def group_norm_backward(dy: Array, saved: Saved) -> tuple[Array, Array | None, Array | None]:
    """dgamma = Σ dy·x̂     dbeta = Σ dy     dx = 1 / std · (dx̂ − mean(dx̂) − x̂ · mean(dx̂·x̂)),   dx̂ = gamma · dy

    The means are over each sample's group; they are the paths through its mean and its variance.
    dy (N, ..., C) -> dx (N, ..., C), dgamma (C,) or None, dbeta (C,) or None
    """
    normalized, inverse_std, gamma, shifted = saved
    C, dnormalized, dgamma = dy.shape[-1], dy, None
    dbeta = dy.reshape(-1, C).sum(axis=0) if shifted else None
    if gamma is not None:
        dgamma = (dy * normalized.reshape(dy.shape)).reshape(-1, C).sum(axis=0)
        dnormalized = gamma * dy
    dnormalized = dnormalized.reshape(normalized.shape)  # (N, M, G, C / G)
    mean = dnormalized.mean(axis=(1, 3), keepdims=True)
    share = (dnormalized * normalized).mean(axis=(1, 3), keepdims=True)
    dx = inverse_std * (dnormalized - mean - normalized * share)
    return dx.reshape(dy.shape), dgamma, dbeta
