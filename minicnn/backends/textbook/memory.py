"""Host and device are one memory here: NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..contract import Array


def to_device(array: Any, dtype: Any = None) -> Array:
    """The array as NumPy's, of `dtype`; the same object where nothing has to change."""
    return np.asarray(array, dtype)


def to_host(array: Array) -> Array:
    """The same object."""
    return np.asarray(array)


def take(array: Array, indices: Array) -> Array:
    """array[indices] along the first axis, a copy."""
    return np.take(array, indices, axis=0)
