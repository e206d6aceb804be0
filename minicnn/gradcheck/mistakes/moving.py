"""Mistakes in the backward of functions that only move entries: reshaping, transposing, padding, repeating."""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np

from ..known.moving import Moving
from .catalogue import Array, mistake
from .shapes import ORDERS

of_moving = partial(
    mistake,
    of=[Moving],
    gradient="x",
    formula="every entry of dy goes back to where its x came from; an x that was used several times sums",
    experiment="Give it a dy whose entries are 0, 1, 2, …, and compare with the forward of such an x.",
)


@of_moving()
def not_moved_back(op: Moving, dy: Array) -> Array:
    """dy is only reshaped: the forward's transposition is not undone."""
    return dy.reshape(op.x.shape)


@of_moving(variants=ORDERS)
def reshaped_in_another_order(op: Moving, dy: Array, order: tuple[int, ...]) -> Array:
    """dy is reshaped to x's axes in the order {variant}, and transposed back from there, which is not the forward's
    order."""
    turned = tuple(op.x.shape[axis] for axis in order)
    return dy.reshape(turned).transpose(np.argsort(order))


@of_moving(variants=("first", "last"))
def one_copy(op: Moving, dy: Array, which: str) -> Array:
    """Of the outputs that come from one entry of x only the {variant} arrives, where they sum: = for +=."""
    dx, source = np.zeros(op.x.size), op.source.ravel()
    order = range(source.size) if which == "last" else reversed(range(source.size))
    for k in order:
        if source[k] >= 0:
            dx[source[k]] = dy.ravel()[k]
    return dx.reshape(op.x.shape)


@of_moving(variants=[move for move in product(range(-3, 4), range(-3, 4)) if any(move)])
def cropped_at_another_place(op: Moving, dy: Array, move: tuple[int, int]) -> Array:
    """The padding is removed at another place than where it was added: dx begins {variant} (rows, columns) too late."""
    first = np.unravel_index(int((op.source.ravel() == 0).argmax()), op.source.shape)
    if dy.ndim != op.x.ndim or dy.ndim < 3:
        raise ValueError
    axes = (2, 3) if dy.ndim == 4 and dy.shape[1] == op.x.shape[1] and dy.shape[3] != op.x.shape[3] else (1, 2)
    starts = list(first)
    for axis, by in zip(axes, move, strict=True):
        starts[axis] += by
    if min(starts) < 0:
        raise ValueError
    return dy[tuple(slice(start, start + length) for start, length in zip(starts, op.x.shape, strict=True))]
