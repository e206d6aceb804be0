"""Batch normalisation: two passes over x for mean and variance, one to normalise.

Sums are kept in float64; four rows are added up before they go there, so that the wide sums are touched less often.
"""

from __future__ import annotations

from math import prod

import numpy as np

from ..contract import Array, Saved
from .executor import Shape, Stage, array_at, forward
from .runtime.compile import parallel, serial, share
from .runtime.threads import small, thread_count

FOUR = 4  # rows


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
    rows = x.reshape(-1, x.shape[-1])
    mean, variance = moving_mean, moving_variance
    if training:
        mean, variance = _statistics(rows)
        moving_mean = momentum * moving_mean + (1 - momentum) * mean
        moving_variance = momentum * moving_variance + (1 - momentum) * variance
    y = forward(stages, x, [gamma, beta, mean, variance], momentum, epsilon, training)
    return y, moving_mean, moving_variance, (rows, mean, 1 / np.sqrt(variance + epsilon), gamma, training)


def batch_norm_backward(dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array]:
    """With M rows that mean and variance were taken over and x̂ = (x − mean) / std, for each channel:

    dgamma = Σ dy·x̂     dbeta = Σ dy     dx = gamma / std · (dy − dbeta / M − x̂ · dgamma / M)

    dy (..., C) -> dx (..., C) or None, dgamma (C,), dbeta (C,)
    """
    rows, mean, inverse_std, gamma, training = saved
    drows = dy.reshape(rows.shape)
    dgamma, dbeta = _parameter_gradients(drows, rows, mean, inverse_std)
    if not need_dx:
        return None, dgamma, dbeta
    scale = gamma * inverse_std
    share_of_dbeta = dbeta / len(rows) if training else np.zeros_like(dbeta)  # the path through the batch's mean
    share_of_dgamma = dgamma * inverse_std / len(rows) if training else np.zeros_like(dgamma)  # through its variance
    dx = np.empty(dy.shape, rows.dtype)
    _input_gradient(
        drows, rows, mean, scale, share_of_dbeta, share_of_dgamma, dx.reshape(rows.shape), alone=small(rows)
    )
    return dx, dgamma, dbeta


def stages(
    shape: Shape, itemsize: int, weights: tuple[Shape, ...], momentum: float, epsilon: float, training: bool
) -> list[Stage]:
    """The last of batch_norm's passes, on samples of this shape; its weights: gamma, beta, mean and variance."""
    size, C = prod(shape[1:]), shape[-1]
    table = np.array([epsilon], f"f{itemsize}")
    return [Stage(_normalize, shape[1:], (size // C, C), weights=4, tables=(table,), work=size)]


@serial
def _normalize(x, x_at, y, y_at, count, numbers):
    """A stage's kernel."""
    rows, C = numbers[6], numbers[7]
    gamma, beta = array_at(numbers[1], C, x), array_at(numbers[2], C, x)
    mean, variance, epsilon = array_at(numbers[3], C, x), array_at(numbers[4], C, x), array_at(numbers[5], 1, x)[0]
    scale = np.empty(C, x.dtype)
    for c in range(C):
        scale[c] = gamma[c] * (x.dtype.type(1) / np.sqrt(variance[c] + epsilon))
    for m in range(count * rows):
        source, target = x[x_at + m * C :][:C], y[y_at + m * C :][:C]
        for c in range(C):
            target[c] = (source[c] - mean[c]) * scale[c] + beta[c]


def _statistics(x: Array) -> tuple[Array, Array]:
    """x (M, C) -> mean and variance (C,). Two passes, for E[x²] − mean² would lose digits."""
    M, C = x.shape
    sums = np.zeros((2, thread_count(), C))  # one for each thread
    _add_up(x, sums[0], alone=small(x))
    mean = (sums[0].sum(axis=0) / M).astype(x.dtype)
    _add_up_squares(x, mean, sums[1], alone=small(x))
    return mean, (sums[1].sum(axis=0) / M).astype(x.dtype)


@parallel
def _add_up(threads, thread, x, sums):
    M, C = x.shape
    first, last = share(M, threads, thread)
    whole = first + (last - first) // FOUR * FOUR
    for m in range(first, whole, FOUR):
        for c in range(C):
            sums[thread, c] += (x[m, c] + x[m + 1, c]) + (x[m + 2, c] + x[m + 3, c])
    for m in range(whole, last):
        for c in range(C):
            sums[thread, c] += x[m, c]


@parallel
def _add_up_squares(threads, thread, x, mean, sums):
    M, C = x.shape
    first, last = share(M, threads, thread)
    whole = first + (last - first) // FOUR * FOUR
    for m in range(first, whole, FOUR):
        for c in range(C):
            c0, c1, c2, c3 = x[m, c] - mean[c], x[m + 1, c] - mean[c], x[m + 2, c] - mean[c], x[m + 3, c] - mean[c]
            sums[thread, c] += (c0 * c0 + c1 * c1) + (c2 * c2 + c3 * c3)
    for m in range(whole, last):
        for c in range(C):
            centred = x[m, c] - mean[c]
            sums[thread, c] += centred * centred


def _parameter_gradients(dy: Array, x: Array, mean: Array, inverse_std: Array) -> tuple[Array, Array]:
    """-> dgamma and dbeta (C,), both in one pass."""
    sums = np.zeros((2, thread_count(), x.shape[1]))
    _add_up_gradients(dy, x, mean, sums, alone=small(x))
    dgamma, dbeta = sums.sum(axis=1)
    return (dgamma * inverse_std).astype(x.dtype), dbeta.astype(x.dtype)


@parallel
def _add_up_gradients(threads, thread, dy, x, mean, sums):
    M, C = x.shape
    first, last = share(M, threads, thread)
    dgamma, dbeta = sums[0, thread], sums[1, thread]
    whole = first + (last - first) // FOUR * FOUR
    for m in range(first, whole, FOUR):
        for c in range(C):
            d0, d1, d2, d3 = dy[m, c], dy[m + 1, c], dy[m + 2, c], dy[m + 3, c]
            c0, c1, c2, c3 = x[m, c] - mean[c], x[m + 1, c] - mean[c], x[m + 2, c] - mean[c], x[m + 3, c] - mean[c]
            dgamma[c] += (d0 * c0 + d1 * c1) + (d2 * c2 + d3 * c3)
            dbeta[c] += (d0 + d1) + (d2 + d3)
    for m in range(whole, last):
        for c in range(C):
            dgamma[c] += dy[m, c] * (x[m, c] - mean[c])
            dbeta[c] += dy[m, c]


@parallel
def _input_gradient(threads, thread, dy, x, mean, scale, share_of_dbeta, share_of_dgamma, dx):
    M, C = x.shape
    first, last = share(M, threads, thread)
    for m in range(first, last):
        for c in range(C):
            centred = x[m, c] - mean[c]
            dx[m, c] = scale[c] * (dy[m, c] - share_of_dbeta[c] - centred * share_of_dgamma[c])
