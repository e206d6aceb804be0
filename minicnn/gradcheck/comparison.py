"""The comparison of one gradient of the backward with the numerical gradient."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from . import numerical
from .functions import Function
from .numerical import Derivatives, Forward, NotComplex

FLOOR = 1e-9
"""Smallest relative tolerance: the backward has rounding errors, too."""

SINGLE_FLOOR = 3e-5
"""The same for a gradient that is computed in float32."""

MOST_NUMBERS = 10_000_000
"""Most entries of a Jacobian that is kept: 80 MB."""


@dataclass
class Comparison:
    """The gradient with respect to one array: the backward's (`analytic`) and the numerical one (`expected`)."""

    function: Function
    argument: str
    method: str
    y: np.ndarray
    dy: np.ndarray
    analytic: np.ndarray | None
    entries: np.ndarray
    """The flat indices of the entries that are compared."""
    single: bool = False
    """Whether the backward computes this gradient in float32."""

    @property
    def quantity(self) -> str:
        return self.function.quantity(self.argument)

    @property
    def value(self) -> np.ndarray:
        return self.function.arrays[self.argument]

    @property
    def is_input(self) -> bool:
        return self.argument == next(iter(self.function.arrays))

    @property
    def is_whole(self) -> bool:
        """Whether all entries are compared; only then can patterns be recognised."""
        return len(self.entries) == self.value.size

    @property
    def is_comparable(self) -> bool:
        """Whether there is a gradient of the array's shape, all numbers."""
        return (
            self.analytic is not None and self.analytic.shape == self.value.shape and np.isfinite(self.analytic).all()
        )

    @cached_property
    def derivatives(self) -> Derivatives:
        """∂y/∂a for each compared entry a."""
        forward = forward_of(self.function, self.argument)
        if self.method == "complex":
            try:
                return self._by_complex_step(forward)
            except NotComplex:
                pass
        return numerical.differences(forward, self.value, self.entries, self._agrees if self.is_comparable else None)

    def _agrees(self, place: int, column: np.ndarray) -> bool:
        """Whether the backward's entry is what this derivative of y gives."""
        size = float(np.abs(column * self.dy).sum())
        return bool(abs(float((column * self.dy).sum()) - self.found[place]) <= FLOOR * size)

    def _by_complex_step(self, forward: Forward) -> Derivatives:
        """The complex step where it is right: entries in doubt, and some others, are differentiated by differences."""
        exact = numerical.complex_step(forward, self.value, self.entries)
        doubtful = np.zeros(len(self.entries), bool)
        doubtful[0] = True
        if self.is_comparable:
            gradient = exact.gradient(self.dy)
            doubtful |= np.abs(gradient - self.found) > FLOOR * np.abs(gradient).max(initial=0)
        real = numerical.differences(forward, self.value, self.entries[doubtful])
        off = np.abs(real.gradient(self.dy) - exact[doubtful].gradient(self.dy))
        bound = 8 * real.error(self.dy) + 1e-6 * real.size(self.dy).max(initial=0)
        if (real.exists(self.dy) & (off > bound)).any():
            raise NotComplex("its complex step differs from real differences: the forward is not analytic")
        kinks = ~real.exists(self.dy)
        rows = np.flatnonzero(doubtful)[kinks]
        exact[rows] = real[kinks]
        return exact

    @cached_property
    def expected(self) -> np.ndarray:
        """The numerical gradient of the compared entries: (entries,)."""
        return self.derivatives.gradient(self.dy)

    @property
    def found(self) -> np.ndarray:
        """The backward's gradient of the compared entries: (entries,)."""
        assert self.analytic is not None
        return self.analytic.reshape(-1)[self.entries]

    @cached_property
    def exists(self) -> np.ndarray:
        """Which of the compared entries have a derivative: (entries,)."""
        return self.derivatives.exists(self.dy)

    @cached_property
    def tolerance(self) -> np.ndarray:
        """The largest error that rounding explains, for each compared entry: (entries,)."""
        size = float(self.derivatives.size(self.dy).max(initial=0))
        return 8 * self.derivatives.error(self.dy) + (SINGLE_FLOOR if self.single else FLOOR) * size + 1e-300

    @cached_property
    def off(self) -> np.ndarray:
        """|found − expected| of the compared entries, 0 where there is no derivative: (entries,)."""
        return np.abs(self.found - self.expected) * self.exists

    @cached_property
    def scale(self) -> float:
        """The largest entry of both gradients."""
        return float(max(np.abs(self.found).max(initial=0), np.abs(self.expected * self.exists).max(initial=0))) or 1.0

    @cached_property
    def error(self) -> float:
        """max |found − expected|, relative to the gradient's largest entry; infinite if they can't be compared."""
        return float(self.off.max(initial=0)) / self.scale if self.is_comparable else np.inf

    @property
    def relative_tolerance(self) -> float:
        """The tolerance of the entry that uses it up most, relative like `error`."""
        if not self.is_comparable or not len(self.entries):
            return FLOOR
        return float(self.tolerance[int((self.off / self.tolerance).argmax())]) / self.scale

    @property
    def is_wrong(self) -> bool:
        return not self.is_comparable or bool((self.off > self.tolerance).any())

    @cached_property
    def wrong(self) -> np.ndarray:
        """Which entries are wrong, in the gradient's shape, if all are compared."""
        return (self.off > self.tolerance).reshape(self.value.shape)


def forward_of(function: Function, argument: str) -> Forward:
    """y as a function of one of the arrays."""
    return lambda array: function.forward({**function.arrays, argument: array})


def drawn(rng: np.random.Generator, size: int, outputs: int, samples: int) -> np.ndarray:
    """The flat indices of at most `samples` entries, fewer if their Jacobian would be too large."""
    return np.sort(rng.permutation(size)[: max(1, min(samples, MOST_NUMBERS // max(outputs, 1)))])
