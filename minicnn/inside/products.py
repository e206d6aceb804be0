"""A sum of products, with the position of every factor: what one element of an activation or of a gradient is made of.

T is the number of products of a part. All numbers are float64 copies of the stored ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Factor:
    """One factor of all products of a part."""

    name: str
    """The array that it is taken from, or the number's formula: "x", "dy", "1 / N"."""
    values: np.ndarray
    """(T,), or () for the same number in all products."""
    positions: np.ndarray | None = None
    """(T, rank): each product's index into that array; None for a number that has no position."""


@dataclass(frozen=True)
class Part:
    """T products that belong together, such as one of batch norm's three paths."""

    name: str
    factors: tuple[Factor, ...]

    @property
    def values(self) -> np.ndarray:
        """(T,), the products."""
        return np.atleast_1d(np.asarray(prod((factor.values for factor in self.factors), start=np.float64(1))))


@dataclass(frozen=True)
class Sum:
    """An element as the sum of all products of its parts."""

    formula: str
    """With the element's index filled in."""
    parts: tuple[Part, ...]


class Stored:
    """An array of the run, under its name, which operations read by their own axes.

    `axes` says which of the operation's axes the array has, in the array's order: a Conv1D's x (N, L, C) is an image
    of height 1 to the operation, so it has the axes (0, 2, 3) of four.
    """

    def __init__(self, name: str, values: np.ndarray, axes: Sequence[int] | None = None) -> None:
        self.name = name
        self.values = values
        self.axes = tuple(range(values.ndim)) if axes is None else tuple(axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """By the operation's axes; an axis that the array does not have is 1."""
        return tuple(self._by_operation(self.values.shape, 1))

    def at(self, *index: Any) -> Factor:
        """The elements at these indices, by the operation's axes: numbers, or arrays (T,)."""
        own = tuple(np.atleast_1d(i) for i in np.broadcast_arrays(*(index[axis] for axis in self.axes)))
        return Factor(self.name, self.values[own].astype(np.float64), np.stack(own, axis=-1))

    def index_for_operation(self, own: Sequence[int]) -> tuple[int, ...]:
        """An index into the array, as the operation counts: 0 on axes that the array does not have."""
        return tuple(self._by_operation(own, 0))

    def _by_operation(self, own: Sequence[int], missing: int) -> list[int]:
        result = [missing] * (max(self.axes, default=-1) + 1)
        for axis, length in zip(self.axes, own, strict=True):
            result[axis] = length
        return result

    def written(self, *index: Any) -> str:
        """ "x[n, 2·p + 1, 0]" for an index by the operation's axes, of numbers and of formulas."""
        return f"{self.name}[{', '.join(str(index[axis]) for axis in self.axes)}]"


def every(*lengths: int) -> tuple[np.ndarray, ...]:
    """All combinations of indices below these lengths, one array (T,) for each length, the last one fastest."""
    return tuple(np.indices(lengths).reshape(len(lengths), -1))


def number(name: str, value: Any) -> Factor:
    """A factor without a position: the same in all products, or (T,)."""
    return Factor(name, np.asarray(value, np.float64))
