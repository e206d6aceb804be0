"""New arrays begin with a line of the cache: NumPy's do one time in four."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..contract import Array
from .kernels import empty


def to_device(array: Any, dtype: Any = None, copy: bool = False) -> Array:
    """The array as NumPy's, of `dtype`; the same object where nothing has to change, unless it is to be a copy.

    Weights are such copies. A kernel that takes them as they lie loads vectors as long as a line; from two lines each
    load would be two.
    """
    array = np.asarray(array, dtype)
    if not copy:
        return array
    new = empty.py_func(array.size, array).reshape(array.shape)
    new[...] = array
    return new
