"""Mistakes in the backward of dropout: y = x · mask, where the mask is 0 or 1 / (1 − rate)."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..known.dropout import Dropout
from .catalogue import Array, mistake

of_dropout = partial(
    mistake,
    of=[Dropout],
    gradient="x",
    formula="dx = dy · mask, with the forward's mask and its scale",
    experiment="Print mask, dy and dx of four entries.",
)


@of_dropout()
def mask_forgotten(op: Dropout, dy: Array) -> Array:
    """dx is dy: the mask is forgotten."""
    return dy


@of_dropout()
def mask_forgotten_but_scaled(op: Dropout, dy: Array) -> Array:
    """dx is dy times the scale: the mask itself is forgotten."""
    return dy * op.scale


@of_dropout()
def scale_forgotten(op: Dropout, dy: Array) -> Array:
    """The scale 1 / (1 − rate) of the forward is missing in the backward."""
    return dy * (op.mask > 0)


@of_dropout()
def scale_twice(op: Dropout, dy: Array) -> Array:
    """The scale 1 / (1 − rate) is multiplied in twice."""
    return dy * op.mask * op.scale


@of_dropout()
def scale_inverted(op: Dropout, dy: Array) -> Array:
    """dx is multiplied by 1 − rate, where it is divided by it."""
    return dy * (op.mask > 0) / op.scale


@of_dropout()
def mask_inverted(op: Dropout, dy: Array) -> Array:
    """The mask is inverted: dy passes where the forward dropped."""
    return dy * (op.mask == 0) * op.scale


@of_dropout()
def mask_inverted_unscaled(op: Dropout, dy: Array) -> Array:
    """The mask is inverted, and the scale is missing."""
    return dy * (op.mask == 0)


@of_dropout()
def rate_for_scale(op: Dropout, dy: Array) -> Array:
    """dx is divided by rate, where it is divided by 1 − rate."""
    rate = 1 - 1 / op.scale
    return dy * (op.mask > 0) / (rate if 0 < rate < 1 else np.nan)


@of_dropout()
def output_for_mask(op: Dropout, dy: Array) -> Array:
    """dy is multiplied by the output y, where the mask belongs."""
    return dy * op.y


@of_dropout()
def rate_multiplied(op: Dropout, dy: Array) -> Array:
    """dx is multiplied by the rate and the mask, where the mask's scale belongs."""
    return dy * (op.mask > 0) * (1 - 1 / op.scale)
