"""Winograd's transforms: their matrices, by the method of Cook and Toom, and each as one function for kernels."""

from __future__ import annotations

import numpy as np

from .sandwich import sandwich

OUTPUTS = 4
"""Of a tile, along an axis that the kernel stretches over."""


def cook_toom(taps: int, points: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Aᵀ, G and Bᵀ for 4 outputs of a kernel of so many taps, from all points of evaluation but the last, infinity.

    Aᵀ and G evaluate polynomials at the points; Bᵀ is the interpolation back to coefficients, transposed, with G's
    rows divided by what would otherwise be its denominators.
    """
    n = len(points) + 1
    others = [np.poly1d([p for j, p in enumerate(points) if j != i], r=True) for i in range(n - 1)]
    scale = np.array([float(other(p)) for p, other in zip(points, others, strict=True)])
    A_T, G, B_T = np.zeros((OUTPUTS, n)), np.zeros((n, taps)), np.zeros((n, n))
    A_T[:, :-1] = np.vander(points, OUTPUTS, increasing=True).T
    G[:-1] = np.vander(points, taps, increasing=True) / scale[:, None]
    A_T[-1, -1] = G[-1, -1] = 1
    for row, other in zip(B_T, others, strict=False):
        row[:-1] = other.coefficients[::-1]
    B_T[-1] = np.poly1d(points, r=True).coefficients[::-1]
    return A_T, G, B_T


_three, _two, _one = cook_toom(3, [0, 1, -1, 2, -2]), cook_toom(2, [0, 1, -1, 2]), [np.eye(1)] * 3
FORMS = {(3, 3): (_three, _three), (1, 3): (_one, _three), (1, 2): (_one, _two)}  # by the kernel's size
KERNELS = list(FORMS)

_A, _G, _B = ([(left[i], right[i]) for left, right in FORMS.values()] for i in range(3))
input_transform = sandwich(_B)
input_adjoint = sandwich([(left.T, right.T) for left, right in _B], add=True)
kernel_transform = sandwich(_G)
kernel_adjoint = sandwich([(left.T, right.T) for left, right in _G])
output_transform = sandwich(_A)
output_adjoint = sandwich([(left.T, right.T) for left, right in _A])
