"""Batch normalisation: two passes over x for mean and variance, one to normalise. Sums are kept in float64."""

from __future__ import annotations

import numpy as np
from numba import prange

from .. import textbook
from ..contract import Array, Saved
from .kernels import compilable, parallel, plain, share


def batch_norm(
    x: Array,
    gamma: Array,
    beta: Array,
    moving_mean: Array,
    moving_variance: Array,
    momentum: float,
    epsilon: float,
    training: bool,
) -> tuple[Array, Array, Array, Saved]:
    """y = gamma · (x − mean) / √(variance + epsilon) + beta, for each channel (Ioffe & Szegedy, 2015).

    In training, mean and variance are the batch's (biased) and the moving ones follow them; otherwise they are the
    moving ones, which stay as they are.

    x (..., C), the others (C,) -> y (..., C), new moving mean (C,), new moving variance (C,)
    """
    if not compilable(x, gamma, beta, moving_mean, moving_variance):
        *results, saved = textbook.batch_norm(x, gamma, beta, moving_mean, moving_variance, momentum, epsilon, training)
        return *results, (textbook.batch_norm_backward, saved)
    rows = plain(x).reshape(-1, x.shape[-1])
    mean, variance = moving_mean, moving_variance
    if training:
        mean, variance = _statistics(rows)
        moving_mean = momentum * moving_mean + (1 - momentum) * mean
        moving_variance = momentum * moving_variance + (1 - momentum) * variance
    inverse_std = 1 / np.sqrt(variance + epsilon)
    y = np.empty(x.shape, x.dtype)
    _normalize(rows, mean, gamma * inverse_std, beta, y.reshape(rows.shape))
    return y, moving_mean, moving_variance, (_backward, (rows, mean, inverse_std, gamma, training))


def batch_norm_backward(dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array]:
    """With M rows that mean and variance were taken over and x̂ = (x − mean) / std, for each channel:

    dgamma = Σ dy·x̂     dbeta = Σ dy     dx = gamma / std · (dy − dbeta / M − x̂ · dgamma / M)

    dy (..., C) -> dx (..., C) or None, dgamma (C,), dbeta (C,)
    """
    backward, saved = saved
    return backward(dy, saved, need_dx)


def _backward(dy: Array, saved: Saved, need_dx: bool) -> tuple[Array | None, Array, Array]:
    rows, mean, inverse_std, gamma, training = saved
    drows = plain(dy).reshape(rows.shape)
    dgamma, dbeta = _parameter_gradients(drows, rows, mean, inverse_std)
    if not need_dx:
        return None, dgamma, dbeta
    scale = gamma * inverse_std
    share_of_dbeta = dbeta / len(rows) if training else np.zeros_like(dbeta)  # the path through the batch's mean
    share_of_dgamma = dgamma * inverse_std / len(rows) if training else np.zeros_like(dgamma)  # through its variance
    dx = np.empty(dy.shape, rows.dtype)
    _input_gradient(drows, rows, mean, scale, share_of_dbeta, share_of_dgamma, dx.reshape(rows.shape))
    return dx, dgamma, dbeta


@parallel
def _statistics(threads, x):
    """x (M, C) -> mean and variance (C,). Two passes, for E[x²] − mean² would lose digits."""
    M, C = x.shape
    totals = np.zeros((threads, C))
    for t in prange(threads):
        first, last = share(M, threads, np.intp(t))
        total = totals[t]
        for m in range(first, last):
            for c in range(C):
                total[c] += x[m, c]
    mean = (totals.sum(axis=0) / M).astype(x.dtype)
    squares = np.zeros((threads, C))
    for t in prange(threads):
        first, last = share(M, threads, np.intp(t))
        total = squares[t]
        for m in range(first, last):
            for c in range(C):
                centred = x[m, c] - mean[c]
                total[c] += centred * centred
    return mean, (squares.sum(axis=0) / M).astype(x.dtype)


@parallel
def _normalize(threads, x, mean, scale, beta, y):
    M, C = x.shape
    for t in prange(threads):
        first, last = share(M, threads, np.intp(t))
        for m in range(first, last):
            for c in range(C):
                y[m, c] = (x[m, c] - mean[c]) * scale[c] + beta[c]


@parallel
def _parameter_gradients(threads, dy, x, mean, inverse_std):
    """-> dgamma and dbeta (C,), both in one pass."""
    M, C = x.shape
    totals = np.zeros((2, threads, C))
    for t in prange(threads):
        first, last = share(M, threads, np.intp(t))
        dgamma, dbeta = totals[0, t], totals[1, t]
        for m in range(first, last):
            for c in range(C):
                dgamma[c] += dy[m, c] * (x[m, c] - mean[c])
                dbeta[c] += dy[m, c]
    return (totals[0].sum(axis=0) * inverse_std).astype(x.dtype), totals[1].sum(axis=0).astype(x.dtype)


@parallel
def _input_gradient(threads, dy, x, mean, scale, share_of_dbeta, share_of_dgamma, dx):
    M, C = x.shape
    for t in prange(threads):
        first, last = share(M, threads, np.intp(t))
        for m in range(first, last):
            for c in range(C):
                centred = x[m, c] - mean[c]
                dx[m, c] = scale[c] * (dy[m, c] - share_of_dbeta[c] - centred * share_of_dgamma[c])
