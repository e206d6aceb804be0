"""The losses of the samples, one by one: (N, …, K) -> (N, …). Weighted means and other reductions are made of them.

Their backward gets dy (N, …), the gradient with respect to each loss: w / N in the mean of N losses with weights w.
`losses.py` has the means without weights, each as one operation.
"""

from __future__ import annotations

import numpy as np

from ..contract import Array, Saved
from .activations import activate
from .losses import EPSILON


def weighted_sum(losses: Array, weights: Array) -> Array:
    """Σ weights · losses, both of one shape -> (). Its gradient with respect to the losses is the weights."""
    return (losses * weights).sum()


def squared_errors(prediction: Array, target: Array) -> tuple[Array, Saved]:
    """loss = 1/K Σ (prediction − target)²; (..., K) -> (...)."""
    error = prediction - target
    return (error * error).mean(axis=-1), error


def squared_errors_backward(dy: Array, saved: Saved) -> Array:
    """dprediction = 2 · (prediction − target) / K · dy."""
    error = saved
    return dy[..., None] * (2 * error / error.shape[-1])


def absolute_errors(prediction: Array, target: Array) -> tuple[Array, Saved]:
    """loss = 1/K Σ |prediction − target|; (..., K) -> (...)."""
    error = prediction - target
    return np.where(error.real < 0, -error, error).mean(axis=-1), error


def absolute_errors_backward(dy: Array, saved: Saved) -> Array:
    """dprediction = sign(prediction − target) / K · dy; 0 where they are equal."""
    error = saved
    return dy[..., None] * (np.sign(error.real) / error.shape[-1])


def huber_errors(prediction: Array, target: Array, delta: float) -> tuple[Array, Saved]:
    """e = prediction − target, c = e limited to ±delta        loss = 1/K Σ c · (e − c/2); (..., K) -> (...).

    One term is e²/2 up to |e| = delta, and the line delta · |e| − delta²/2 beyond it.
    """
    error = prediction - target
    limited = np.where(np.abs(error.real) <= delta, error, np.sign(error.real) * delta)
    return (limited * (error - limited / 2)).mean(axis=-1), limited


def huber_errors_backward(dy: Array, saved: Saved) -> Array:
    """dprediction = c / K · dy."""
    limited = saved
    return dy[..., None] * (limited / limited.shape[-1])


def softmax_crossentropies(logits: Array, target: Array) -> tuple[Array, Saved]:
    """loss = −Σ target · log softmax(logits); (..., K) -> (...)."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))  # (..., K)
    return -(target * log_p).sum(axis=-1), (logits, target)


def softmax_crossentropies_backward(dy: Array, saved: Saved) -> Array:
    """dlogits = (softmax(logits) · Σ target − target) · dy."""
    logits, target = saved
    return dy[..., None] * (activate(logits, "softmax") * target.sum(axis=-1, keepdims=True) - target)


def crossentropies(probabilities: Array, target: Array) -> tuple[Array, Saved]:
    """q = clip(p / Σ p)        loss = −Σ target · log q; (..., K) -> (...)."""
    total = probabilities.sum(axis=-1, keepdims=True)
    q, inside = _clipped(probabilities / total)
    return -(target * np.log(q)).sum(axis=-1), (q, inside, total, target)


def crossentropies_backward(dy: Array, saved: Saved) -> Array:
    """dq = −target / q · dy where q was not clipped, else 0; through the normalisation, dp = (dq − Σ dq·q) / Σ p."""
    q, inside, total, target = saved
    dq = dy[..., None] * (-target / q * inside)
    return (dq - (dq * q).sum(axis=-1, keepdims=True)) / total


def sigmoid_crossentropies(logits: Array, target: Array) -> tuple[Array, Saved]:
    """Binary cross-entropy on logits z, sigmoid fused in; (..., K) -> (...).

    loss = 1/K Σ log(1 + eᶻ) − target · z,   where log(1 + eᶻ) = max(z, 0) + log(1 + e^(−|z|)) does not overflow
    """
    positive = logits.real > 0
    rest = np.log1p(np.exp(np.where(positive, -logits, logits)))  # e^(−|z|) is at most 1
    return (np.where(positive, logits, 0) + rest - target * logits).mean(axis=-1), (logits, target)


def sigmoid_crossentropies_backward(dy: Array, saved: Saved) -> Array:
    """dlogits = (sigmoid(logits) − target) / K · dy: p − y again, as with softmax."""
    logits, target = saved
    return dy[..., None] * ((activate(logits, "sigmoid") - target) / logits.shape[-1])


def binary_crossentropies(probabilities: Array, target: Array) -> tuple[Array, Saved]:
    """p clipped; loss = −1/K Σ target · log p + (1 − target) · log(1 − p); (..., K) -> (...)."""
    p, inside = _clipped(probabilities)
    return -(target * np.log(p) + (1 - target) * np.log(1 - p)).mean(axis=-1), (p, inside, target)


def binary_crossentropies_backward(dy: Array, saved: Saved) -> Array:
    """dp = (p − target) / (p · (1 − p)) / K · dy where p was not clipped, else 0."""
    p, inside, target = saved
    return dy[..., None] * ((p - target) / (p * (1 - p)) * inside / p.shape[-1])


def _clipped(q: Array) -> tuple[Array, Array]:
    """q in [EPSILON, 1 − EPSILON], and where it already was there."""
    inside = (q.real >= EPSILON) & (q.real <= 1 - EPSILON)
    return np.where(inside, q, np.where(q.real < EPSILON, EPSILON, 1 - EPSILON)).astype(q.dtype), inside
