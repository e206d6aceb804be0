"""Arrays as kernels take them: aligned to cache lines, contiguous, float32 or float64.

NumPy aligns arrays to 16 bytes. A 64-byte load from such an array mostly touches two cache lines.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

import numpy as np

from ...contract import Array
from .compile import serial

LINE_BYTES = 64
"""Bytes of a cache line, and of the longest vector."""


@serial
def empty(size, like):
    """A flat, uninitialised array of this size and of the dtype of `like` that begins at a cache line.

    Unaligned, every load of a 64-byte vector touches two cache lines.
    """
    memory = np.empty(size + LINE_BYTES // like.itemsize, like.dtype)
    return memory[-memory.ctypes.data % LINE_BYTES // like.itemsize :][:size]


def to_device(array: Any, dtype: Any = None, copy: bool = False) -> Array:
    """The array as NumPy's, of `dtype`; the same object where nothing has to change, unless a copy is asked for.

    Copies begin at a cache line. Weights are such copies: kernels read them in place with 64-byte loads.
    """
    array = np.asarray(array, dtype)
    if not copy:
        return array
    new = empty.py_func(array.size, array).reshape(array.shape)
    new[...] = array
    return new


def compilable(*arrays: Array | None) -> bool:
    """Whether kernels take these arrays: all float32 or all float64. The textbook takes everything else."""
    dtypes = {array.dtype for array in arrays if array is not None}
    return len(dtypes) == 1 and dtypes <= _DTYPES


_DTYPES = {np.dtype(np.float32), np.dtype(np.float64)}


def _keep_freed_memory() -> None:
    """Let the C library keep what a step frees for the next one, instead of returning it to the system.

    Every fresh page costs a page fault, and a step would have hundreds of them. Only GNU's C library has this setting;
    one that was made in the environment stays.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None and not any(name.startswith("MALLOC_") for name in os.environ):
        for parameter, size in ((M_MMAP_THRESHOLD, 32 * 2**20), (M_TRIM_THRESHOLD, 256 * 2**20)):
            mallopt(parameter, size)


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as in malloc.h

_keep_freed_memory()
