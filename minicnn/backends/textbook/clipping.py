"""Limits for gradients that are too long, applied between the backward and the optimiser's step."""

from __future__ import annotations

import numpy as np

from ..contract import Array


def clip_by_value(grad: Array, limit: float) -> Array:
    """min(max(grad, −limit), limit), entry by entry; it changes the gradient's direction. grad (…) -> (…)."""
    return np.minimum(np.maximum(grad, -limit), limit)


def clip_by_norm(grad: Array, squares: Array, limit: float) -> Array:
    """grad · limit / max(√squares, limit): the same direction, no longer than limit. grad (…), squares () -> (…).

    squares is Σ grad² of this gradient, or of all gradients: then all are shortened by the same factor.
    """
    return grad * (limit / np.maximum(np.sqrt(squares), limit))
