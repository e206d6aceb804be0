"""Numerical derivatives: change one number slightly and measure the change of the output.

Both methods return ∂y/∂a, of y's shape, for one entry a of an array; a gradient is then Σ dy · ∂y/∂a.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import arguments

EPSILON = float(np.finfo(np.float64).eps)

STEP = EPSILON ** (1 / 3)
"""h of the central difference, about 6·10⁻⁶. The formula's error grows with h², the rounding error with eps / h; their
sum is smallest near the cube root of eps."""

IMAGINARY_STEP = 1e-30
"""h of the complex step. Nothing is subtracted, so h can be so small that the formula's error is below rounding."""

Forward = Callable[[np.ndarray], np.ndarray]
"""y as a function of one array."""


def central_difference(forward: Forward, array: np.ndarray, entry: int) -> np.ndarray:
    """∂y/∂a ≈ (y(a + h) − y(a − h)) / 2h, at the flat index `entry`; accurate to about ten digits where y is smooth.

    If a kink (ReLU's zero, a change of max pooling's maximum) is between a − h and a + h, it averages both sides.
    """
    h = STEP * max(1.0, abs(array.flat[entry]))
    above, below = array.copy(), array.copy()
    above.flat[entry] += h
    below.flat[entry] -= h
    return (forward(above) - forward(below)) / (above.flat[entry] - below.flat[entry])


def complex_step(forward: Forward, array: np.ndarray, entry: int) -> np.ndarray:
    """∂y/∂a = Im y(a + ih) / h, at the flat index `entry`; accurate to the last digit (Squire & Trapp, 1998).

    y(a + ih) = y(a) + ih · ∂y/∂a − …: the imaginary part holds the derivative and the real part does not change, so no
    kink is crossed. The forward must use operations for complex numbers; abs() and casts to real numbers are wrong.
    """
    shifted = array.astype(np.complex128)
    shifted.flat[entry] += 1j * IMAGINARY_STEP
    return forward(shifted).imag / IMAGINARY_STEP


@dataclass(frozen=True)
class Method:
    """A method to differentiate, its relative `tolerance`, and the rounding `noise` of a sum of 1."""

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
