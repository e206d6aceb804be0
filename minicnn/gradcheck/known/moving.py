"""Functions that only move entries: reshaping, transposing, padding, repeating."""

from __future__ import annotations

from functools import partial
from itertools import permutations

import numpy as np

from .base import Array, Arrays, Operation, Proposals, Recognised, View


class Moving(Operation):
    """y.flat[k] = x.flat[source[k]], or 0 where source[k] is −1."""

    family = "reshaping"

    def __init__(self, arrays: Arrays, source: Array) -> None:
        self.x, self.source = arrays["x"], source
        self.samples = len(self.x)
        self.y = np.where(source >= 0, self.x.ravel()[source], 0.0)

    def pull(self, dz: Array) -> dict[str, Array]:
        there = self.source >= 0
        dx = np.bincount(self.source[there], dz[there], minlength=self.x.size)
        return {"x": dx.reshape(self.x.shape)}


def recognise(arrays: Arrays, y: Array) -> Proposals:
    """One array without equal entries, all of whose outputs are entries of it, or zeros."""
    if len(arrays) != 1:
        return
    ((name, x),) = arrays.items()
    flat = x.ravel()
    order = np.argsort(flat)
    if y.size == 0 or np.array_equal(x, y) or (np.diff(flat[order]) == 0).any():
        return
    place = np.searchsorted(flat[order], y.ravel()).clip(0, flat.size - 1)
    source = np.where(flat[order][place] == y.ravel(), order[place], -1).reshape(y.shape)
    if (y[source < 0] != 0).any() or len(np.unique(source[source >= 0])) < min(2, x.size):
        return
    if x.shape == y.shape and (source >= 0).sum() < x.size and np.array_equal(source[source >= 0], order_of(x, source)):
        return  # entries that stay or vanish: a mask
    yield Recognised(_title(x, source), partial(Moving, source=source), {name: ("x", View())}, View())


def order_of(x: Array, source: Array) -> Array:
    """The indices that the entries would have if they stayed where they are."""
    return np.arange(x.size).reshape(x.shape)[source >= 0]


def _title(x: Array, source: Array) -> str:
    index = np.arange(x.size).reshape(x.shape)
    if source.size == x.size:
        for order in permutations(range(x.ndim)):
            if np.array_equal(index.transpose(order).ravel(), source.ravel()):
                return f"transpose{order} and a reshape" if order != tuple(range(x.ndim)) else "a reshape"
    return "a padding or a repetition" if source.size > x.size else "a function that moves entries"
