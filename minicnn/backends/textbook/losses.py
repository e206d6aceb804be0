"""Losses: one number for a batch, and the gradient with which backpropagation starts."""

from __future__ import annotations

import numpy as np

from ..contract import Array, Saved
from .activations import activate

EPSILON = 1e-7
"""Keras's guard: probabilities are kept in [EPSILON, 1 − EPSILON] before their logarithm is taken."""


def one_hot(labels: Array, classes: int, dtype: type) -> Array:
    """labels (...) -> (..., K), 1 at the label and 0 elsewhere."""
    return np.eye(classes, dtype=dtype)[labels]


def smooth_labels(target: Array, label_smoothing: float) -> Array:
    """Label smoothing, so that no probability has to reach 1: y = (1 − ε) · target + ε / K, with ε = label_smoothing.

    target (..., K) -> (..., K)   (Szegedy et al., 2016, section 7)
    """
    number, K = target.dtype.type, target.shape[-1]
    return number(1 - label_smoothing) * target + number(label_smoothing / K)


def softmax_crossentropy(logits: Array, target: Array) -> tuple[Array, Saved]:
    """Cross-entropy on logits, softmax fused in: loss = −1/N Σ target · log softmax(logits).

    log softmax(z) = (z − max) − log Σ e^(z − max) never takes the logarithm of a rounded zero.
    logits (..., K), target (..., K) -> loss ()
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))  # (..., K)
    samples = logits.size // logits.shape[-1]
    loss = -(target * log_p).sum() / samples
    return loss, (logits, target, samples)


def softmax_crossentropy_backward(saved: Saved) -> Array:
    """dlogits = (softmax(logits) · Σ target − target) / N; a target that sums to 1 leaves the famous p − y."""
    logits, target, samples = saved
    p = activate(logits, "softmax")
    return (p * target.sum(axis=-1, keepdims=True) - target) / samples


def crossentropy(probabilities: Array, target: Array) -> tuple[Array, Saved]:
    """Cross-entropy on probabilities p, which are normalised and clipped first, as in Keras.

    q = clip(p / Σ p)        loss = −1/N Σ target · log q
    probabilities (..., K), target (..., K) -> loss ()
    """
    total = probabilities.sum(axis=-1, keepdims=True)
    q = probabilities / total
    inside = (q >= EPSILON) & (q <= 1 - EPSILON)
    clipped = np.minimum(np.maximum(q, EPSILON), 1 - EPSILON)
    samples = q.size // q.shape[-1]
    loss = -(target * np.log(clipped)).sum() / samples
    return loss, (clipped, inside, total, target, samples)


def crossentropy_backward(saved: Saved) -> Array:
    """dq = −target / q / N where q was not clipped, else 0; through the normalisation, dp = (dq − Σ dq·q) / Σ p."""
    q, inside, total, target, samples = saved
    dq = -target / q * inside / samples
    return (dq - (dq * q).sum(axis=-1, keepdims=True)) / total


def mean_squared_error(prediction: Array, target: Array) -> tuple[Array, Saved]:
    """loss = mean (prediction − target)², over all elements; both of one shape -> loss ()."""
    error = prediction - target
    return (error * error).mean(), error


def mean_squared_error_backward(saved: Saved) -> Array:
    """dprediction = 2 · (prediction − target) / number of elements."""
    return 2 * saved / saved.size


def count_correct(scores: Array, target: Array) -> Array:
    """How many samples have their largest score where it should be: at their label, or at the target's largest entry.

    scores (..., K), target labels (...) or one-hot (..., K) -> ()
    """
    labels = target.argmax(axis=-1) if target.ndim == scores.ndim else target
    return (scores.argmax(axis=-1) == labels).sum()


def accumulate(total: Array, value: Array, weight: float) -> Array:
    """total + weight · value: the running sum of an epoch, in float64 whatever the batches were computed in."""
    return total + np.float64(value) * weight
