"""Penalties on large weights, L1 and L2, and their gradients."""

from __future__ import annotations

import numpy as np

from ..contract import Array


def add_penalty(loss: Array, value: Array, l1: float, l2: float) -> Array:
    """loss + l1 · Σ |value| + l2 · Σ value²; loss (), value (…) -> ()."""
    magnitude = np.where(value.real < 0, -value, value)  # |value|, of complex numbers along the real axis
    return loss + l1 * magnitude.sum() + l2 * (value * value).sum()


def add_penalty_gradient(grad: Array, value: Array, l1: float, l2: float) -> Array:
    """grad + l1 · sign(value) + 2 · l2 · value; grad and value of one shape."""
    return grad + l1 * np.sign(value.real) + 2 * l2 * value
