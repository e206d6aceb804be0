"""Transfer between the host's memory, which holds NumPy arrays, and the device's.

Every transfer uses the bus, and a transfer to the host waits until the device has finished. So a data set is
transferred once, batches are gathered on the device, and the loss is transferred once per epoch.
"""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from ..contract import Array
from .failures import as_sentences
from .kernels import Source, launch_each

TYPES = ("uint8", "int32", "int64", "float32", "float64")
"""The dtypes that `take` has kernels for."""

SOURCE = Source(
    "take",
    """
// Rows of `length` elements. A data set may have more elements than an int can index, a batch may not. For an index out
// of range, the row is NaN, or 0 in types without NaN: an error would need the host to wait for the indices.
extern "C" __global__ void take(const from* array, const long long* rows, to* batch, long long height, int length,
                                int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    long long row = rows[at / length];
    bool there = row >= 0 && row < height;
    batch[at] = there ? (to)array[(size_t)row * length + at % length] : (to)0.5 == 0 ? (to)0 : (to)nan("");
}
""",
    **{"from": TYPES, "to": TYPES},
)


@as_sentences
def to_device(array: Any, dtype: Any = None, copy: bool = False) -> Array:
    """The array on the device, in `dtype`; the same object if nothing has to change, unless copy=True."""
    if owns(array):  # the usual case, in every step
        return array.astype(dtype or array.dtype, copy=copy)
    return cupy.asarray(array, dtype)


@as_sentences
def to_host(array: Array) -> Any:
    """The array as a NumPy array; waits until the device has computed it."""
    return cupy.asnumpy(array)


def owns(array: Any) -> bool:
    """Whether it is a CuPy array."""
    return isinstance(array, cupy.ndarray)


def contiguous(array: Array) -> Array:
    """The array itself, or a contiguous copy in C order."""
    return array if array.flags.c_contiguous else cupy.ascontiguousarray(array)


def read_if_ready(value: Array) -> None:
    """None: reading a number would wait for all earlier launches."""


def take(array: Array, indices: Array, dtype: Any = None) -> Array:
    """array[indices] along the first axis, converted to `dtype`, in one launch."""
    dtype = np.dtype(dtype or array.dtype)
    if array.dtype.name not in TYPES or dtype.name not in TYPES or not array.flags.c_contiguous:
        return cupy.take(array, indices, axis=0).astype(dtype, copy=False)
    batch = cupy.empty((len(indices), *array.shape[1:]), dtype)
    rows = indices.astype(np.int64, copy=False)
    length = array.size // max(len(array), 1)
    kernel = SOURCE.kernel("take", array.dtype, dtype)
    launch_each(kernel, batch.size, array, rows, batch, np.int64(len(array)), np.int32(length))
    return batch
