"""Batch normalisation: one pass over x for mean and variance, one to normalise; in the backward, one for the sums, one
for dx. ReLU is applied and undone on the way.

The sums are taken over blocks of rows that lie in the cache, and added up in float64 in the blocks' order: the result
is bit-identical for any number of threads. Converting every number to float64 would take longer than adding it.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..contract import Array, Saved
from . import activations
from .executor import Shape, Stage, array_at, forward
from .runtime.compile import inlined, parallel, serial, share, shared
from .runtime.threads import small

BLOCK_NUMBERS = 8192
"""Maximum numbers in a block of rows: 32 KB in float32, which the first-level cache holds for a second look."""

BLOCK_ROWS = 256
"""Maximum rows in a block, whose sum is rounded to x's dtype after each of them."""


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
    """y = activation(gamma · (x − mean) / √(variance + epsilon) + beta), for each channel (Ioffe & Szegedy, 2015).

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
    weights = [gamma, beta, mean, variance]
    y = forward(stages, np.atleast_2d(x), weights, momentum, epsilon, training, activation).reshape(x.shape)
    inverse_std = 1 / np.sqrt(variance + epsilon)
    kept = None if activation == "relu" else y  # relu's derivative follows from x
    return y, moving_mean, moving_variance, (rows, mean, inverse_std, gamma, beta, training, activation, kept)


def batch_norm_backward(dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array]:
    """With dz = dy · activation', M rows that mean and variance were taken over, x̂ = (x − mean) / std, per channel:

    dgamma = Σ dz·x̂     dbeta = Σ dz     dx = gamma / std · (dz − dbeta / M − x̂ · dgamma / M)

    dy (..., C) -> dx (..., C) or None, dgamma (C,), dbeta (C,)
    """
    rows, mean, inverse_std, gamma, beta, training, activation, y = saved
    relu, M = activation == "relu", len(rows)
    dz = dy if relu else activations.activate_backward(dy, y, activation)
    given = rows, dz.reshape(rows.shape), mean, gamma * inverse_std, beta, relu
    dgamma, dbeta = _block_sums(_add_up_gradients, *given).sum(axis=1)
    dgamma, dbeta = (dgamma * inverse_std).astype(rows.dtype), dbeta.astype(rows.dtype)
    if not need_dx:
        return None, dgamma, dbeta
    factor = gamma * inverse_std / M if training else np.zeros_like(gamma)
    by_mean, by_variance = factor * dbeta, factor * inverse_std * dgamma  # the paths through the batch's statistics
    dx = np.empty(dy.shape, rows.dtype)
    _input_gradient(*given, by_mean, by_variance, dx.reshape(rows.shape), alone=small(rows))
    return dx, dgamma, dbeta


def stages(shape: Shape, itemsize: int, weights: tuple[Shape, ...], *options: Any) -> list[Stage]:
    """The last of batch_norm's passes, on samples of this shape; its weights: gamma, beta, mean and variance."""
    _momentum, epsilon, _training, activation = options
    size, C, relu = prod(shape[1:]), shape[-1], activation == "relu"
    table, work = np.array([epsilon], f"f{itemsize}"), size * activations.PASS_WORK
    stage = Stage(_normalize, shape[1:], (size // C, C, relu), weights=4, tables=(table,), work=work)
    if activation in ("relu", "linear"):
        return [stage]
    return [stage, *activations.stages(shape, itemsize, (), activation)]


@inlined
def normalized(x, mean, scale, beta):
    return (x - mean) * scale + beta


@serial
def _normalize(x, x_at, y, y_at, count, numbers):
    """A stage's kernel."""
    rows, C, relu = numbers[6], numbers[7], numbers[8] != 0
    gamma, beta = array_at(numbers[1], C, x), array_at(numbers[2], C, x)
    mean, variance, epsilon = array_at(numbers[3], C, x), array_at(numbers[4], C, x), array_at(numbers[5], 1, x)[0]
    zero, scale = x.dtype.type(0), np.empty(C, x.dtype)
    for c in range(C):
        scale[c] = gamma[c] * (x.dtype.type(1) / np.sqrt(variance[c] + epsilon))
    for m in range(count * rows):
        source, target = x[x_at + m * C :][:C], y[y_at + m * C :][:C]
        for c in range(C):
            z = normalized(source[c], mean[c], scale[c], beta[c])
            target[c] = zero if relu and z <= zero else z  # NaN stays


@shared
def block_rows(C):
    """Rows of a block."""
    return max(1, min(BLOCK_NUMBERS // C, BLOCK_ROWS))


def _block_sums(kernel: Any, x: Array, *others: Any) -> Array:
    """(2, blocks, C): the two sums over each block of rows that the kernel computes."""
    M, C = x.shape
    sums = np.zeros((2, -(-M // block_rows(C)), C))
    kernel(x, *others, sums, alone=small(x))
    return sums


def _statistics(x: Array) -> tuple[Array, Array]:
    """x (M, C) -> mean and variance (C,), from the means over all rows of x − x[0] and of its square.

    E[x²] − mean² would lose digits where the mean is large. The first row is one of those that make up the variance, so
    (x[0] − mean)² is at most M times as large.
    """
    distance, square = _block_sums(_add_up, x).sum(axis=1) / len(x)
    return (x[0] + distance).astype(x.dtype), (square - distance**2).astype(x.dtype)


@serial
def block(x, part):
    """A block of rows."""
    size = block_rows(x.shape[1])
    return x[part * size : min(len(x), (part + 1) * size)]


@parallel
def _add_up(threads, thread, x, parts):
    begin, end = share(parts.shape[1], threads, thread)
    for part in range(begin, end):
        add_up(block(x, part), x[0], parts[0, part], parts[1, part])


@serial
def add_up(x, origin, total, total_squares):
    """Add, for each channel of a block of rows, Σ (x − origin) and Σ (x − origin)² to two totals in float64.

    The squares are first taken around the block's own mean, and then moved (Chan, Golub & LeVeque, 1979).
    """
    M, C = x.shape
    sums, squares = np.zeros(C, x.dtype), np.zeros(C, x.dtype)
    for m in range(M):
        for c in range(C):
            sums[c] += x[m, c]
    mean = sums / x.dtype.type(M)
    for m in range(M):
        for c in range(C):
            distance = x[m, c] - mean[c]
            squares[c] += distance * distance
    for c in range(C):
        distance = sums[c] / M - np.float64(origin[c])
        total[c] += M * distance
        total_squares[c] += squares[c] + M * distance * distance


@inlined
def _before_relu(dy, x, mean, scale, beta, relu):
    """The gradient with respect to the normalised x."""
    number = type(x)
    return dy * number(not relu or normalized(x, mean, scale, beta) > number(0))


@parallel
def _add_up_gradients(threads, thread, x, dy, mean, scale, beta, relu, parts):
    begin, end = share(parts.shape[1], threads, thread)
    for part in range(begin, end):
        add_up_gradients(block(x, part), block(dy, part), mean, scale, beta, relu, parts[0, part], parts[1, part])


@serial
def add_up_gradients(x, dy, mean, scale, beta, relu, total_products, total):
    """Add, for each channel of a block of rows, Σ dz·(x − mean) and Σ dz to two totals in float64."""
    M, C = x.shape
    products, sums = np.zeros(C, x.dtype), np.zeros(C, x.dtype)
    for m in range(M):
        for c in range(C):
            dz = _before_relu(dy[m, c], x[m, c], mean[c], scale[c], beta[c], relu)
            products[c] += dz * (x[m, c] - mean[c])
            sums[c] += dz
    for c in range(C):
        total_products[c] += products[c]
        total[c] += sums[c]


@parallel
def _input_gradient(threads, thread, x, dy, mean, scale, beta, relu, by_mean, by_variance, dx):
    first, last = share(len(x), threads, thread)
    part = slice(first, last)
    input_gradient(x[part], dy[part], mean, scale, beta, relu, by_mean, by_variance, dx[part])


@serial
def input_gradient(x, dy, mean, scale, beta, relu, by_mean, by_variance, dx):
    """dx of some rows: scale · dz, less what goes through mean and variance."""
    M, C = x.shape
    for m in range(M):
        for c in range(C):
            dz = _before_relu(dy[m, c], x[m, c], mean[c], scale[c], beta[c], relu)
            dx[m, c] = scale[c] * dz - by_mean[c] - (x[m, c] - mean[c]) * by_variance[c]
