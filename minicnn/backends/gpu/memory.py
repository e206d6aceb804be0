"""The two memories: the host's, where NumPy's arrays are, and the device's; these functions are the doors between them.

Whatever crosses takes the bus, and what comes back waits for the device to finish. So a data set crosses once, batches
are gathered on the device, and the loss comes back once an epoch.
"""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from ..contract import Array
from .failures import as_sentences
from .kernels import Source, launch_each

TYPES = ("uint8", "int32", "int64", "float32", "float64")
"""What data sets are made of."""

SOURCE = Source(
    "take",
    """
// Rows of `length` elements; a data set may have more elements than an int can number, a batch may not. A row that the
// array does not have is NaN, or 0 where there is no NaN: the host would have to wait to see that an index is wrong.
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
    """The array on the device, of `dtype`; the same object where nothing has to change, unless it is to be a copy."""
    if owns(array):  # the usual case, in every step
        return array.astype(dtype or array.dtype, copy=copy)
    return cupy.asarray(array, dtype)


@as_sentences
def to_host(array: Array) -> Any:
    """The array as NumPy's; waits until the device has computed it."""
    return cupy.asnumpy(array)


def owns(array: Any) -> bool:
    """Whether it is an array of CuPy's."""
    return isinstance(array, cupy.ndarray)


def contiguous(array: Array) -> Array:
    """The array itself, or a copy whose elements lie one after the other, in C's order."""
    return array if array.flags.c_contiguous else cupy.ascontiguousarray(array)


def read_if_ready(value: Array) -> None:
    """Nothing: reading a number would wait for all that was launched before."""


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
