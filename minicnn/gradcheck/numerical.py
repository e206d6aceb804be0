"""Numerical derivatives with error estimates: change one number slightly, and measure the change of the outputs.

A derivative is only as useful as the knowledge of its error. So each is computed with two steps, h and h / 2:
Richardson's extrapolation of both is more accurate than either, and their difference estimates its error. Where the two
disagree, other steps are tried. Where one-sided differences disagree at every step, there is no derivative.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

EPSILON = float(np.finfo(np.float64).eps)
SINGLE = float(np.finfo(np.float32).eps)

STEP = 1e-4
"""h, relative to the size of the number that is changed: the formula's error ~ h⁴ and the rounding error eps / h are
then both about 10⁻¹²."""

SINGLE_STEP = 0.03
"""The same for a function that computes in float32: both are about 10⁻⁶."""

REFINEMENTS = (1, 1 / 16, 1 / 256, 1 / 4096, 16, 256)
"""Factors of h, in the order in which they are tried. Smaller ones avoid kinks, larger ones rounding."""

ENOUGH_DISAGREEMENTS = 8
"""After so many entries at which a first derivative did not agree, none is tried: the gradient is wrong."""

IMAGINARY_STEP = 1e-30
"""h of the complex step. Nothing is subtracted, so h can be so small that the formula's error is below rounding."""

Forward = Callable[[np.ndarray], np.ndarray]
"""y as a function of one array."""


class NotComplex(Exception):
    """The function does not accept complex numbers; the message says what happened."""


@dataclass
class Derivatives:
    """∂y/∂a for some entries a of an array, each array of shape (entries, *y's shape)."""

    values: np.ndarray
    errors: np.ndarray
    """Estimated absolute errors of the values."""
    smooth: np.ndarray
    """False where there is no derivative: at a kink or a jump, or so near that no step is small enough."""
    single: bool = False
    """Whether the function rounds to float32."""

    def gradient(self, dy: np.ndarray) -> np.ndarray:
        """Σ dy · ∂y/∂a for each entry: (entries,)."""
        return np.tensordot(self.values, dy, dy.ndim)

    def error(self, dy: np.ndarray) -> np.ndarray:
        """The estimated absolute error of `gradient`: (entries,)."""
        return np.tensordot(self.errors, np.abs(dy), dy.ndim)

    def size(self, dy: np.ndarray) -> np.ndarray:
        """Σ |dy · ∂y/∂a|, the size of the terms of `gradient`, which may cancel: (entries,)."""
        return np.tensordot(np.abs(self.values), np.abs(dy), dy.ndim)

    def exists(self, dy: np.ndarray) -> np.ndarray:
        """Whether Σ dy · y has a derivative, for each entry: (entries,)."""
        return (self.smooth | (dy == 0)).reshape(len(self.smooth), -1).all(axis=1)

    def __getitem__(self, entries: np.ndarray) -> Derivatives:
        return Derivatives(self.values[entries], self.errors[entries], self.smooth[entries], self.single)

    def __setitem__(self, entries: np.ndarray, other: Derivatives) -> None:
        self.values[entries], self.errors[entries], self.smooth[entries] = other.values, other.errors, other.smooth


def size_of(array: np.ndarray) -> float:
    """The typical size of an array's entries, 1 if all are zero."""
    return float(np.sqrt(np.mean(np.square(array)))) or 1.0


def is_single(forward: Forward, array: np.ndarray) -> bool:
    """Whether the function rounds to float32 inside: a change of 10⁻¹⁰ changes nothing where float64 would show it."""
    direction = np.cos(1 + np.arange(array.size)).reshape(array.shape) * np.maximum(np.abs(array), size_of(array))
    y, tiny, large = (forward(array + step * direction).copy() for step in (0, 1e-10, 1e-2))
    moved = 1e-8 * np.abs(large - y) > 4 * EPSILON * np.abs(y)
    return bool(moved.any()) and bool((tiny == y)[moved].mean() > 0.8)


def noise_of(forward: Forward, array: np.ndarray) -> float:
    """The absolute rounding error of y, from third differences over points 10⁻¹¹ apart (Moré & Wild, 2011)."""
    direction = np.cos(1 + np.arange(array.size)).reshape(array.shape) * size_of(array)
    points = np.stack([forward(array + 1e-11 * i * direction).copy() for i in range(4)])
    third = points[3] - 3 * points[2] + 3 * points[1] - points[0]
    measured = float(np.sqrt(np.mean(third**2) / 20)) if np.isfinite(third).all() else 0.0
    return max(2 * measured, EPSILON * float(np.abs(points[0]).max(initial=0)))


def differences(
    forward: Forward, array: np.ndarray, entries: np.ndarray, agrees: Callable[[int, np.ndarray], bool] | None = None
) -> Derivatives:
    """Central differences of the function at these flat indices, with Richardson's extrapolation.

    `agrees` gets an entry's place and a first ∂y/∂a: if it returns True, that is enough, and no other step is tried.
    """
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a step may leave the function's domain: a smaller one follows
        y = forward(array).copy()
        values, errors = (np.zeros((len(entries), *y.shape)) for _ in range(2))
        single = is_single(forward, array)
        if single:
            noise, step = SINGLE * float(np.abs(y).max(initial=0)), SINGLE_STEP
        else:
            noise, step = noise_of(forward, array), STEP
        scale, disagreements = 0.0, 0
        for row, entry in enumerate(entries):
            if agrees is not None and disagreements < ENOUGH_DISAGREEMENTS:
                h = step / 16 * max(abs(array.flat[entry]), size_of(array))
                values[row], bend = _difference(forward, array, int(entry), y, h)
                if np.abs(bend).max(initial=0) < 0.01 * np.abs(values[row]).max(initial=0) and agrees(row, values[row]):
                    scale = max(scale, float(np.abs(values[row]).max(initial=0)))
                    errors[row] = 1e-9 * np.abs(values[row]) + 4 * noise / h
                    continue
                disagreements += 1
            values[row], errors[row] = _column(forward, array, int(entry), y, noise, step, scale)
            scale = max(scale, float(np.abs(values[row]).max(initial=0)))
    smooth = errors <= 1e-3 * scale + 16 * noise / (step * size_of(array))
    return Derivatives(values, np.where(smooth, errors, 0), smooth, single)


def _column(
    forward: Forward, array: np.ndarray, entry: int, y: np.ndarray, noise: float, step: float, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """∂y/∂a for one entry a, and its error, infinite where there is no derivative.

    `scale` is the size of the derivatives found so far: errors far below it need no other step.
    """
    best, error = np.zeros(y.shape), np.full(y.shape, np.inf)
    for factor in REFINEMENTS:
        h = step * factor * max(abs(array.flat[entry]), size_of(array))
        wide, wide_bend = _difference(forward, array, entry, y, h)
        narrow, narrow_bend = _difference(forward, array, entry, y, h / 2)
        rounding = 4 * noise / h + 4 * EPSILON * np.abs(narrow)
        estimate = np.abs(wide - narrow) / 3 + rounding
        # the difference of both sides' slopes is halved with h where f is smooth; at a kink it stays
        kink = (np.abs(narrow_bend) > 0.7 * np.abs(wide_bend)) & (np.abs(narrow_bend) > 8 * rounding)
        better = ~kink & (estimate < error)
        best = np.where(better, (4 * narrow - wide) / 3, best)
        error = np.where(better, estimate, error)
        if (error <= 1e-7 * max(scale, float(np.abs(best).max(initial=0))) + 2 * rounding).all():
            break
    return best, error


def _difference(
    forward: Forward, array: np.ndarray, entry: int, y: np.ndarray, h: float
) -> tuple[np.ndarray, np.ndarray]:
    """(y(a + h) − y(a − h)) / 2h, and the difference of the two one-sided differences."""
    above, below = array.copy(), array.copy()
    above.flat[entry] += h
    below.flat[entry] -= h
    y_above = forward(above).copy()
    y_below = forward(below).copy()
    return (y_above - y_below) / (above.flat[entry] - below.flat[entry]), (y_above - 2 * y + y_below) / h


def complex_step(forward: Forward, array: np.ndarray, entries: np.ndarray) -> Derivatives:
    """∂y/∂a = Im y(a + ih) / h, accurate to the last digit where y is analytic (Squire & Trapp, 1998).

    The real part does not change, so no kink is crossed. Raises NotComplex if the forward does not accept complex
    numbers. abs(), var() and casts to real numbers give wrong derivatives: compare some with `differences`.
    """
    columns = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        for entry in entries:
            shifted = array.astype(np.complex128)
            shifted.flat[entry] += 1j * IMAGINARY_STEP
            try:
                y = forward(shifted)
            except (TypeError, ValueError, np.exceptions.ComplexWarning) as error:
                raise NotComplex(f"{type(error).__name__}: {error}") from None
            if not np.iscomplexobj(y):
                raise NotComplex(f"its result is {y.dtype}")
            columns.append((y.imag / IMAGINARY_STEP, EPSILON * np.abs(y.real) / size_of(array)))
    values, errors = (np.stack(parts) for parts in zip(*columns, strict=True))
    return Derivatives(values, 100 * errors, np.ones(values.shape, bool))
