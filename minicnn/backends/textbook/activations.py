"""Activations: functions of one number (and softmax, of one row), and their derivatives.

Every derivative is a function of the *output* y, so that nothing else has to be kept.
"""

from __future__ import annotations

import numpy as np

from ..contract import Array, Saved


def activate(z: Array, activation: str) -> Array:
    """y = activation(z), of z's shape.

    relu max(z, 0)     sigmoid 1 / (1 + e⁻ᶻ)     tanh     softmax eᶻ / Σ eᶻ over the last axis     linear z
    """
    if activation == "relu":
        return np.maximum(z, 0)
    if activation == "sigmoid":
        return 0.5 * (1 + np.tanh(0.5 * z))  # the same function; e⁻ᶻ itself overflows for large −z
    if activation == "tanh":
        return np.tanh(z)
    if activation == "softmax":
        e = np.exp(z - z.max(axis=-1, keepdims=True))  # each row's own maximum: nothing overflows, y is unchanged
        return e / e.sum(axis=-1, keepdims=True)
    return z  # linear


def activate_backward(dy: Array, y: Array, activation: str) -> Array:
    """dz from dy and the output y, all of one shape.

    relu dy where y > 0     sigmoid dy·y·(1 − y)     tanh dy·(1 − y²)     softmax y·(dy − Σ dy·y)     linear dy
    """
    if activation == "relu":
        return dy * (y > 0)
    if activation == "sigmoid":
        return dy * y * (1 - y)
    if activation == "tanh":
        return dy * (1 - y * y)
    if activation == "softmax":  # the Jacobian diag(y) − y·yᵀ times dy, without ever forming it
        return y * (dy - (dy * y).sum(axis=-1, keepdims=True))
    return dy  # linear


def activation(x: Array, activation: str) -> tuple[Array, Saved]:
    """An activation as a separate layer; x of any shape -> y of the same shape."""
    y = activate(x, activation)
    return y, (y, activation)


def activation_backward(dy: Array, saved: Saved) -> Array:
    """dy -> dx, both of x's shape."""
    y, activation = saved
    return activate_backward(dy, y, activation)


def general_relu(x: Array, negative_slope: float, max_value: float | None, threshold: float) -> tuple[Array, Saved]:
    """Keras's general ReLU, piecewise linear; x of any shape -> y of the same shape.

    y = max_value                          where x ≥ max_value
        x                                  where threshold < x < max_value
        negative_slope · (x − threshold)   where x ≤ threshold
    """
    slope = np.where(x > threshold, 1.0, negative_slope).astype(x.real.dtype)
    below = negative_slope * (x - threshold) if negative_slope else 0  # 0 · ∞ would be no number
    y = np.where(x <= threshold, below, x)
    if max_value is not None:
        slope = np.where(x < max_value, slope, 0).astype(x.real.dtype)
        y = np.where(x < max_value, y, max_value)
    return y.astype(x.dtype), slope


def general_relu_backward(dy: Array, saved: Saved) -> Array:
    """dx = slope · dy, where the slope is 1, negative_slope or 0, by the piece that x lies on."""
    return dy * saved
