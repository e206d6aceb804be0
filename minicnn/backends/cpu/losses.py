"""Losses, each in one pass that computes its gradient as well: both need the same numbers.

A backward copies the gradient, so that it may be asked for again.
"""

from __future__ import annotations

import numpy as np

from ..contract import Array, Saved
from ..textbook.losses import EPSILON
from .activations import softmax, summing
from .runtime.compile import parallel, share
from .runtime.threads import small

_SOFTMAX_CROSSENTROPY, _CROSSENTROPY, _SQUARED_ERROR = range(3)


def softmax_crossentropy(logits: Array, target: Array) -> tuple[Array, Saved]:
    """Cross-entropy on logits, softmax fused in: loss = −1/N Σ target · log softmax(logits).

    logits (..., K), target (..., K) -> loss ()
    """
    return _loss_and_gradient(_SOFTMAX_CROSSENTROPY, logits, target, logits.size // logits.shape[-1])


def softmax_crossentropy_backward(saved: Saved) -> Array:
    """dlogits = (softmax(logits) · Σ target − target) / N."""
    return saved.copy()


def crossentropy(probabilities: Array, target: Array) -> tuple[Array, Saved]:
    """Cross-entropy on probabilities p, which are normalised and clipped first: loss = −1/N Σ target · log q.

    probabilities (..., K), target (..., K) -> loss ()
    """
    return _loss_and_gradient(_CROSSENTROPY, probabilities, target, probabilities.size // probabilities.shape[-1])


def crossentropy_backward(saved: Saved) -> Array:
    """dq = −target / q / N where q was not clipped, else 0; through the normalisation, dp = (dq − Σ dq·q) / Σ p."""
    return saved.copy()


def mean_squared_error(prediction: Array, target: Array) -> tuple[Array, Saved]:
    """loss = mean (prediction − target)², over all elements; both of one shape -> loss ()."""
    return _loss_and_gradient(_SQUARED_ERROR, prediction, target, prediction.size)


def mean_squared_error_backward(saved: Saved) -> Array:
    """dprediction = 2 · (prediction − target) / number of elements."""
    return saved.copy()


def _loss_and_gradient(kind: int, x: Array, target: Array, terms: int) -> tuple[Array, Array]:
    """The mean of a loss over so many terms, and its gradient with respect to x."""
    gradient, C, number = np.empty(x.shape, x.dtype), x.shape[-1] if x.ndim else 1, x.dtype.type
    rows = [array.reshape(-1, C) for array in (x, target, gradient)]
    sums = np.empty(len(rows[0]))
    _each_row(kind, *rows, number(terms), sums, alone=small(x))
    return number(sums.sum() / terms), gradient


@parallel
def _each_row(threads, thread, kind, x, target, gradient, terms, sums):
    """The loss of every row, and the gradient of their mean."""
    first, last = share(len(x), threads, thread)
    for m in range(first, last):
        if kind == _SOFTMAX_CROSSENTROPY:
            sums[m] = _softmax_crossentropy(x[m], target[m], terms, gradient[m])
        elif kind == _CROSSENTROPY:
            sums[m] = _crossentropy(x[m], target[m], terms, gradient[m])
        else:
            sums[m] = _squared_error(x[m], target[m], terms, gradient[m])


@summing
def _softmax_crossentropy(z, target, samples, dz):
    top, total = softmax(z, dz)
    logarithm, loss, weight = np.log(total), z.dtype.type(0), z.dtype.type(0)
    for c in range(len(z)):
        loss -= target[c] * ((z[c] - top) - logarithm)
        weight += target[c]
    for c in range(len(z)):
        dz[c] = (dz[c] * weight - target[c]) / samples
    return loss


@summing
def _crossentropy(p, target, samples, dp):
    zero, one, least = p.dtype.type(0), p.dtype.type(1), p.dtype.type(EPSILON)
    total, loss, mean = zero, zero, zero
    for c in range(len(p)):
        total += p[c]
    for c in range(len(p)):
        q = p[c] / total
        clipped = least if q < least else one - least if q > one - least else q  # NaN stays
        loss -= target[c] * (np.log(clipped) if target[c] != zero else clipped)
        dp[c] = -target[c] / clipped * (one if q == clipped else zero) / samples
        mean += dp[c] * clipped
    for c in range(len(p)):
        dp[c] = (dp[c] - mean) / total
    return loss


@summing
def _squared_error(prediction, target, terms, gradient):
    total, two = prediction.dtype.type(0), prediction.dtype.type(2)
    for c in range(len(prediction)):
        error = prediction[c] - target[c]
        total += error * error
        gradient[c] = two * error / terms
    return total
