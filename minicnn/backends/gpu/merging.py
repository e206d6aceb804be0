"""Two branches become one value: one launch for each forward, and one or none for each backward."""

from __future__ import annotations

import cupy
import numpy as np

from ..contract import MERGES, Array, Saved
from .kernels import FLOATS, Source, launch_each

SOURCE = Source(
    "merging",
    """
enum { ADD, SUBTRACT, MULTIPLY, MAXIMUM, MINIMUM };  // the contract's MERGES

extern "C" __global__ void merge(const real* a, const real* b, real* y, int rule, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    real first = a[at], second = b[at];
    if (rule == ADD) y[at] = first + second;
    else if (rule == SUBTRACT) y[at] = first - second;
    else if (rule == MULTIPLY) y[at] = first * second;
    else if (rule == MAXIMUM) y[at] = first >= second || first != first ? first : second;  // NaN stays NaN
    else y[at] = first <= second || first != first ? first : second;
}

extern "C" __global__ void merge_backward(const real* dy, const real* a, const real* b, real* da, real* db, int rule,
                                          int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    real first = a[at], second = b[at];
    if (rule == MULTIPLY) {
        da[at] = dy[at] * second;
        db[at] = dy[at] * first;
    } else {
        bool won = rule == MAXIMUM ? first >= second : first <= second;  // of equal ones, the first
        da[at] = dy[at] * won;
        db[at] = dy[at] * !won;
    }
}

extern "C" __global__ void negate(const real* x, real* y, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < count) y[at] = -x[at];
}

extern "C" __global__ void concatenate(const real* a, const real* b, real* y, int A, int B, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    int row = at / (A + B), c = at % (A + B);
    y[at] = c < A ? a[row * A + c] : b[row * B + c - A];
}

extern "C" __global__ void concatenate_backward(const real* dy, real* da, real* db, int A, int B, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    int row = at / (A + B), c = at % (A + B);
    if (c < A) da[row * A + c] = dy[at];
    else db[row * B + c - A] = dy[at];
}
""",
    real=FLOATS,
)


def merge(a: Array, b: Array, rule: str) -> tuple[Array, Saved]:
    """y from a and b, element by element, all of one shape."""
    y = cupy.empty(a.shape, a.dtype)
    launch_each(SOURCE.kernel("merge", a.dtype), y.size, a, b, y, np.int32(MERGES.index(rule)))
    return y, (rule, None, None) if rule in ("add", "subtract") else (rule, a, b)


def merge_backward(dy: Array, saved: Saved) -> tuple[Array, Array]:
    """da and db from dy, all of one shape."""
    rule, a, b = saved
    if rule == "add":
        return dy, dy
    db = cupy.empty(dy.shape, dy.dtype)
    if rule == "subtract":
        launch_each(SOURCE.kernel("negate", dy.dtype), dy.size, dy, db)
        return dy, db
    da = cupy.empty(dy.shape, dy.dtype)
    kernel = SOURCE.kernel("merge_backward", dy.dtype)
    launch_each(kernel, dy.size, dy, a, b, da, db, np.int32(MERGES.index(rule)))
    return da, db


def concatenate(a: Array, b: Array) -> tuple[Array, Saved]:
    """a (..., A) and b (..., B) side by side -> y (..., A + B)."""
    A, B = a.shape[-1], b.shape[-1]
    y = cupy.empty((*a.shape[:-1], A + B), a.dtype)
    launch_each(SOURCE.kernel("concatenate", a.dtype), y.size, a, b, y, np.int32(A), np.int32(B))
    return y, A


def concatenate_backward(dy: Array, saved: Saved) -> tuple[Array, Array]:
    """dy (..., A + B) -> da (..., A), db (..., B)."""
    A, B = saved, dy.shape[-1] - saved
    da, db = (cupy.empty((*dy.shape[:-1], C), dy.dtype) for C in (A, B))
    launch_each(SOURCE.kernel("concatenate_backward", dy.dtype), dy.size, dy, da, db, np.int32(A), np.int32(B))
    return da, db
