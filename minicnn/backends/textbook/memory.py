"""Transfers of the textbook backend: its device is the host, and its arrays are NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..contract import Array


def to_device(array: Any, dtype: Any = None, copy: bool = False) -> Array:
    """The array as a NumPy array of `dtype`; the same object if nothing has to change, unless copy=True."""
    return np.array(array, dtype, order="C") if copy else np.asarray(array, dtype)


def to_host(array: Array) -> Array:
    """The same object."""
    return np.asarray(array)


def owns(array: Any) -> bool:
    """Whether it is a NumPy array or a NumPy scalar."""
    return isinstance(array, (np.ndarray, np.generic))


def contiguous(array: Array) -> Array:
    """The array itself, or a copy that is contiguous, aligned, writeable and in native byte order."""
    if type(array) is np.ndarray and array.flags.carray and array.dtype.isnative:
        return array
    if isinstance(array, np.generic):
        return np.asarray(array)
    return np.require(array, array.dtype.newbyteorder("="), ["C", "A", "W", "E"])


def take(array: Array, indices: Array, dtype: Any = None) -> Array:
    """array[indices] along the first axis, a copy, converted to `dtype`."""
    return np.asarray(np.take(array, indices, axis=0), dtype)


def read_if_ready(value: Array) -> float:
    """The number: the host never has to wait for it."""
    return float(value)
