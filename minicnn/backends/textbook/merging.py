"""Two branches become one value. The gradient goes back into both."""

from __future__ import annotations

import numpy as np

from ..contract import Array, Saved


def merge(a: Array, b: Array, rule: str) -> tuple[Array, Saved]:
    """y from a and b, element by element, all of one shape.

    add a + b     subtract a − b     multiply a · b     maximum max(a, b)     minimum min(a, b)
    """
    if rule == "add":
        return a + b, (rule, None, None)
    if rule == "subtract":
        return a - b, (rule, None, None)
    if rule == "multiply":
        return a * b, (rule, b, a)  # the slopes ∂y/∂a and ∂y/∂b
    first = a.real >= b.real if rule == "maximum" else a.real <= b.real  # of equal ones, the first
    return np.where(first | np.isnan(a), a, b), (rule, first, ~first)


def merge_backward(dy: Array, saved: Saved) -> tuple[Array, Array]:
    """da and db from dy, all of one shape.

    add dy and dy     subtract dy and −dy     multiply dy·b and dy·a     maximum, minimum: dy to the one that y is
    """
    rule, slope_a, slope_b = saved
    if rule == "add":
        return dy, dy
    if rule == "subtract":
        return dy, -dy
    return dy * slope_a, dy * slope_b


def concatenate(a: Array, b: Array) -> tuple[Array, Saved]:
    """a (..., A) and b (..., B) side by side -> y (..., A + B)."""
    return np.concatenate([a, b], axis=-1), a.shape[-1]


def concatenate_backward(dy: Array, saved: Saved) -> tuple[Array, Array]:
    """Each input gets the part of dy that it became: dy (..., A + B) -> da (..., A), db (..., B)."""
    return dy[..., :saved].copy(), dy[..., saved:].copy()
