"""Derivatives without knowing how: shift one number, watch the output.

Both ways return ∂y/∂a, of y's shape, for one entry a of an array; a gradient is then Σ dy · ∂y/∂a.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import arguments

EPSILON = float(np.finfo(np.float64).eps)

STEP = EPSILON ** (1 / 3)
"""h of the central difference, about 6·10⁻⁶. A larger h makes the formula less true (its error grows with h²), a
smaller one leaves fewer digits of the difference (rounding costs eps / h); their sum is least near the cube root."""

IMAGINARY_STEP = 1e-30
"""h of the complex step. Nothing is subtracted, so it may be as small as we like, and the formula is exact."""

Forward = Callable[[np.ndarray], np.ndarray]
"""y as a function of one array."""


def central_difference(forward: Forward, array: np.ndarray, entry: int) -> np.ndarray:
    """∂y/∂a ≈ (y(a + h) − y(a − h)) / 2h, at the flat index `entry`; right to about ten digits where y is smooth.

    Where a kink (ReLU's zero, a change of max pooling's winner) lies between a − h and a + h, it averages both sides.
    """
    h = STEP * max(1.0, abs(array.flat[entry]))
    above, below = array.copy(), array.copy()
    above.flat[entry] += h
    below.flat[entry] -= h
    return (forward(above) - forward(below)) / (above.flat[entry] - below.flat[entry])


def complex_step(forward: Forward, array: np.ndarray, entry: int) -> np.ndarray:
    """∂y/∂a = Im y(a + ih) / h, at the flat index `entry`; right to the last digit (Squire & Trapp, 1998).

    y(a + ih) = y(a) + ih · ∂y/∂a − …: the imaginary part carries the derivative and the real part stays where it is, so
    no kink is crossed. The forward must be made of operations that take complex numbers; abs() and real casts are not.
    """
    shifted = array.astype(np.complex128)
    shifted.flat[entry] += 1j * IMAGINARY_STEP
    return forward(shifted).imag / IMAGINARY_STEP


@dataclass(frozen=True)
class Method:
    """A way to differentiate: how far to trust it (`tolerance`, relative), and the rounding `noise` of a sum of 1."""

    name: str
    differentiate: Callable[[Forward, np.ndarray, int], np.ndarray]
    tolerance: float
    noise: float


METHODS = {
    "central": Method("central differences", central_difference, tolerance=1e-6, noise=EPSILON / STEP),
    "complex": Method("complex step", complex_step, tolerance=1e-9, noise=10 * EPSILON),
}


def get(name: str) -> Method:
    """The method "central" or "complex". Raises ValueError for any other."""
    return METHODS[arguments.choice("gradcheck method", name, METHODS, "the name of a method")]
