"""Group normalisation: batch normalisation of each sample, with sums over rows that are pooled over groups of channels.

The sums are taken for each channel first, so that they are vectors however narrow a group is. Where there are few
channels, several positions are taken as one row with more channels. Most samples stay in the cache between their
passes. In layer normalisation a sample is one row, and all of it is one group: its own kernels take
the sums over the row, without arrays between them.

One thread computes a sample. The gradients of gamma and beta are summed over blocks of samples, which are added up in
float64 in the blocks' order: the result is bit-identical for any number of threads.
"""

from __future__ import annotations

from math import gcd

import numpy as np

from ..contract import Array, Saved
from .activations import summing
from .normalization import BLOCK_ROWS, add_up, add_up_gradients, block, block_rows, input_gradient, normalized
from .runtime.compile import parallel, serial, share
from .runtime.threads import small

ROW_NUMBERS = 64
"""Maximum numbers of a row that is made of several positions: some vectors."""


def group_norm(x: Array, gamma: Array | None, beta: Array | None, groups: int, epsilon: float) -> tuple[Array, Saved]:
    """y = gamma · x̂ + beta, x̂ = (x − mean) / √(variance + epsilon), per sample and group (Wu & He, 2018).

    x (N, ..., C), gamma and beta (C,) or None -> y (N, ..., C); each group has C / groups channels
    """
    N, C = len(x), x.shape[-1]
    positions = x[:1].size // C
    merged = gcd(positions, max(1, ROW_NUMBERS // C))  # positions in a row
    samples, y = x.reshape(N, positions // merged, merged * C), np.empty(x.shape, x.dtype)
    scale = np.tile(np.ones(C, x.dtype) if gamma is None else gamma, merged)
    shift = np.tile(np.zeros(C, x.dtype) if beta is None else beta, merged)
    each_row = groups == positions == 1  # layer normalisation
    statistics = np.empty((2, N, 1 if each_row else merged * C), x.dtype)  # mean and 1 / std
    normalize = _normalize_rows if each_row else _normalize
    given = samples, scale, shift, groups, C, epsilon, *statistics
    normalize(*given, y.reshape(samples.shape), alone=small(x))
    return y, (samples, scale, *statistics, groups, C, each_row, gamma is not None, beta is not None)


def group_norm_backward(dy: Array, saved: Saved) -> tuple[Array, Array | None, Array | None]:
    """dgamma = Σ dy·x̂     dbeta = Σ dy     dx = 1 / std · (dx̂ − mean(dx̂) − x̂ · mean(dx̂·x̂)),   dx̂ = gamma · dy

    The means are over each sample's group; they are the paths through its mean and its variance.
    dy (N, ..., C) -> dx (N, ..., C), dgamma (C,) or None, dbeta (C,) or None
    """
    samples, gamma, mean, inverse_std, groups, C, each_row, scaled, shifted = saved
    N, M, row = samples.shape
    count = max(1, BLOCK_ROWS // max(M, 1))  # samples of a block
    sums, dx = np.zeros((2, -(-N // count), row)), np.empty(dy.shape, dy.dtype)
    gradients = _gradients_of_rows if each_row else _gradients
    given = samples, dy.reshape(samples.shape), gamma, mean, inverse_std, groups, C
    gradients(*given, count, sums, dx.reshape(samples.shape), alone=small(dy))
    dgamma, dbeta = sums.reshape(2, -1, C).sum(axis=1).astype(dy.dtype)
    return dx, dgamma if scaled else None, dbeta if shifted else None


@parallel
def _normalize(threads, thread, x, gamma, beta, groups, channels, epsilon, means, inverse_stds, y):
    """x (N, M, C) -> y (N, M, C), means and inverse_stds (N, C)."""
    N, M, C = x.shape
    width = channels // groups
    sums, origin, scale = np.empty((2, C)), np.empty(C, x.dtype), np.empty(C, x.dtype)
    first, last = share(N, threads, thread)
    for n in range(first, last):
        rows, target, mean, inverse_std = x[n], y[n], means[n], inverse_stds[n]
        sums[:] = 0
        for c in range(C):
            origin[c] = rows[0, c % channels // width * width]  # one of the numbers that make up the group's variance
        for part in range(-(-M // block_rows(C))):
            add_up(block(rows, part), origin, sums[0], sums[1])
        _pool(sums, M, groups, channels)
        for c in range(C):
            mean[c] = origin[c] + sums[0, c]
            inverse_std[c] = 1 / np.sqrt(sums[1, c] - sums[0, c] ** 2 + epsilon)
            scale[c] = gamma[c] * inverse_std[c]
        for m in range(M):
            for c in range(C):
                target[m, c] = normalized(rows[m, c], mean[c], scale[c], beta[c])


@parallel
def _gradients(threads, thread, x, dy, gamma, means, inverse_stds, groups, channels, count, parts, dx):
    """dx (N, M, C), and for each block of `count` samples and each channel, Σ dy·x̂ and Σ dy."""
    N, M, C = x.shape
    sums, scale = np.empty((2, C)), np.empty(C, x.dtype)
    by_mean, by_variance = np.empty(C, x.dtype), np.empty(C, x.dtype)
    begin, end = share(parts.shape[1], threads, thread)
    for part in range(begin, end):
        for n in range(part * count, min(N, (part + 1) * count)):
            rows, drows, mean, inverse_std = x[n], dy[n], means[n], inverse_stds[n]
            sums[:] = 0
            for at in range(-(-M // block_rows(C))):
                add_up_gradients(block(rows, at), block(drows, at), mean, mean, mean, False, sums[0], sums[1])
            for c in range(C):
                sums[0, c] *= inverse_std[c]
                parts[0, part, c] += sums[0, c]
                parts[1, part, c] += sums[1, c]
                sums[0, c] *= gamma[c]
                sums[1, c] *= gamma[c]
            _pool(sums, M, groups, channels)
            for c in range(C):
                scale[c] = gamma[c] * inverse_std[c]
                by_mean[c] = inverse_std[c] * sums[1, c]
                by_variance[c] = inverse_std[c] * inverse_std[c] * sums[0, c]
            input_gradient(rows, drows, mean, scale, mean, False, by_mean, by_variance, dx[n])


@serial
def _pool(sums, M, groups, channels):
    """Sums over M rows, (2, C), become the means of each channel's group."""
    width, positions = channels // groups, sums.shape[1] // channels
    for i in range(2):
        by_group = sums[i].reshape(positions, groups, width)
        for g in range(groups):
            by_group[:, g] = by_group[:, g].sum() / (M * positions * width)


# layer normalisation: a sample is one row, and a group all of it


@parallel
def _normalize_rows(threads, thread, x, gamma, beta, groups, channels, epsilon, means, inverse_stds, y):
    first, last = share(len(x), threads, thread)
    for n in range(first, last):
        means[n, 0], inverse_stds[n, 0] = _normalize_row(x[n, 0], gamma, beta, epsilon, y[n, 0])


@summing
def _normalize_row(x, gamma, beta, epsilon, y):
    number = x.dtype.type
    C, total, squares = number(len(x)), number(0), number(0)
    for c in range(len(x)):
        total += x[c]
    mean = total / C
    for c in range(len(x)):
        squares += (x[c] - mean) * (x[c] - mean)
    inverse_std = number(1 / np.sqrt(squares / C + epsilon))
    for c in range(len(x)):
        y[c] = normalized(x[c], mean, inverse_std * gamma[c], beta[c])
    return mean, inverse_std


@parallel
def _gradients_of_rows(threads, thread, x, dy, gamma, means, inverse_stds, groups, channels, count, parts, dx):
    N, _, C = x.shape
    begin, end = share(parts.shape[1], threads, thread)
    for part in range(begin, end):
        dgamma, dbeta = np.zeros(C, x.dtype), np.zeros(C, x.dtype)
        for n in range(part * count, min(N, (part + 1) * count)):
            _gradients_of_row(x[n, 0], dy[n, 0], gamma, means[n, 0], inverse_stds[n, 0], dgamma, dbeta, dx[n, 0])
        parts[0, part], parts[1, part] = dgamma, dbeta


@summing
def _gradients_of_row(x, dy, gamma, mean, inverse_std, dgamma, dbeta, dx):
    number = x.dtype.type
    C, by_mean, by_variance = number(len(x)), number(0), number(0)
    for c in range(len(x)):
        product = dy[c] * ((x[c] - mean) * inverse_std)
        dgamma[c] += product
        dbeta[c] += dy[c]
        by_mean += gamma[c] * dy[c]
        by_variance += gamma[c] * product
    by_mean, by_variance = inverse_std * by_mean / C, inverse_std * inverse_std * by_variance / C
    for c in range(len(x)):
        dx[c] = inverse_std * gamma[c] * dy[c] - by_mean - (x[c] - mean) * by_variance
