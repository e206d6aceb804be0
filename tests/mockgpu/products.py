"""Matrix products with NumPy in the device's memory, as cuBLAS defines them.

Matrices are stored by columns, with `ld` elements from one column to the next. op(A) is A, or its transpose:

    C = alpha · op(A) · op(B) + beta · C        op(A): (m, k), op(B): (k, n), C: (m, n)
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from .core import core
from .errors import PretendDeviceError

TYPES = {0: np.dtype(np.float32), 1: np.dtype(np.float64)}  # CUDA_R_32F, CUDA_R_64F


@dataclass(frozen=True)
class Matrix:
    """A matrix in the device's memory, as described to cuBLAS: `rows` and `columns` are those that are stored."""

    address: int
    rows: int
    columns: int
    ld: int
    dtype: np.dtype

    def view(self, name: str) -> np.ndarray:
        """The matrix itself, not a copy: (rows, columns)."""
        count = self.ld * (self.columns - 1) + self.rows
        size = count * self.dtype.itemsize
        if not core().mock_is_device_memory(self.address, size):
            raise PretendDeviceError(
                f"cuBLAS, matrix {name}: expected {size} bytes of the device's memory, found {self.address:#x}, "
                "which is not device memory, or ends earlier. Check the shapes and strides of the arrays."
            )
        flat = np.frombuffer((ctypes.c_char * size).from_address(self.address), self.dtype)
        strides = (self.dtype.itemsize, self.ld * self.dtype.itemsize)
        return np.lib.stride_tricks.as_strided(flat, (self.rows, self.columns), strides)


@dataclass(frozen=True)
class Product:
    """The numbers that all forms of the matrix product share."""

    transpose_a: int
    transpose_b: int
    m: int
    n: int
    k: int
    alpha: float
    beta: float
    types: tuple[int, int, int]  # of A, B and C

    def multiply(self, a: int, lda: int, b: int, ldb: int, c: int, ldc: int) -> None:
        """One product: matrices by their addresses."""
        m, n, k = self.m, self.n, self.k
        dtypes = [dtype_of(code) for code in self.types]
        left = Matrix(a, *((k, m) if self.transpose_a else (m, k)), lda, dtypes[0]).view("A")
        right = Matrix(b, *((n, k) if self.transpose_b else (k, n)), ldb, dtypes[1]).view("B")
        result = Matrix(c, m, n, ldc, dtypes[2]).view("C")
        product = self.alpha * ((left.T if self.transpose_a else left) @ (right.T if self.transpose_b else right))
        result[...] = product + self.beta * result if self.beta else product  # beta 0 must not read C


def dtype_of(code: int) -> np.dtype:
    if code not in TYPES:
        raise PretendDeviceError(f"cuBLAS: expected float32 or float64, found CUDA's data type {code}. Convert first.")
    return TYPES[code]
