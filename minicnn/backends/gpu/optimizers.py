"""Optimiser steps: one launch updates up to 64 parameters.

The arrays' addresses are passed to the kernel in one structure, by value, without a transfer to the device before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cupy
import numpy as np

from ..contract import Array
from .kernels import FLOATS, THREADS, Source, check_size

MOST = 64
"""Maximum arrays per launch: with up to four addresses each, the structure is below the limit of 4 KB per launch."""

ELEMENTS = 4 * THREADS
"""Elements of one array that a block updates."""

SOURCE = Source(
    "optimizers",
    """
const int MOST = 64, ELEMENTS = 1024;

// The arrays of one step, and the first block of each.
struct Arrays {
    real *values[MOST], *grads[MOST], *firsts[MOST], *seconds[MOST];
    int sizes[MOST], begins[MOST];
    int count;
};

__device__ int array_of(const Arrays& arrays)  // the array that this block updates
{
    int i = 0;
    while (i + 1 < arrays.count && (int)blockIdx.x >= arrays.begins[i + 1]) ++i;
    return i;
}

extern "C" __global__ void sgd_step(Arrays arrays, real learning_rate, real momentum, real decay, bool nesterov)
{
    int i = array_of(arrays), begin = (blockIdx.x - arrays.begins[i]) * ELEMENTS;
    real *values = arrays.values[i], *grads = arrays.grads[i], *velocities = arrays.firsts[i];
    for (int at = begin + threadIdx.x; at < min(begin + ELEMENTS, arrays.sizes[i]); at += blockDim.x) {
        real step = learning_rate * grads[at], velocity = momentum * velocities[at] - step;
        velocities[at] = velocity;
        values[at] += (nesterov ? momentum * velocity - step : velocity) - decay * values[at];
    }
}

// Negligible moments are set to zero: those of a dead unit would decay to subnormal numbers.
extern "C" __global__ void adam_step(Arrays arrays, real alpha, real gain_1, real gain_2, real epsilon, real decay,
                                     real tiny)
{
    int i = array_of(arrays), begin = (blockIdx.x - arrays.begins[i]) * ELEMENTS;
    real *values = arrays.values[i], *grads = arrays.grads[i];
    real *means = arrays.firsts[i], *variances = arrays.seconds[i];
    for (int at = begin + threadIdx.x; at < min(begin + ELEMENTS, arrays.sizes[i]); at += blockDim.x) {
        real grad = grads[at];
        real mean = means[at] + gain_1 * (grad - means[at]);
        real variance = variances[at] + gain_2 * (grad * grad - variances[at]);
        means[at] = fabs(mean) < tiny ? 0 : mean;  // NaN stays NaN
        variances[at] = variance < tiny ? 0 : variance;
        values[at] -= decay * values[at] + alpha * mean / (sqrt(variance) + epsilon);
    }
}
""",
    real=FLOATS,
)

_LISTS = ("values", "grads", "firsts", "seconds")
_STRUCT = np.dtype(
    [(name, np.uint64, MOST) for name in _LISTS]
    + [("sizes", np.int32, MOST), ("begins", np.int32, MOST), ("count", np.int32)],
    align=True,
)


def sgd_step(
    values: Sequence[Array],
    grads: Sequence[Array],
    velocities: Sequence[Array],
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> None:
    """Gradient descent with momentum, as in Keras; lists of arrays of equal shapes, one entry per parameter."""
    _step("sgd_step", (values, grads, velocities), (learning_rate, momentum, learning_rate * weight_decay), nesterov)


def adam_step(
    values: Sequence[Array],
    grads: Sequence[Array],
    means: Sequence[Array],
    variances: Sequence[Array],
    step: int,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight_decay: float,
) -> None:
    """Adam (Kingma & Ba, 2015, section 2's last form), with AdamW's decoupled decay (Loshchilov & Hutter, 2019)."""
    alpha = learning_rate * (1 - beta_2**step) ** 0.5 / (1 - beta_1**step)
    tiny = float(np.finfo(values[0].dtype).tiny) * 2**24 if values else 0.0
    scalars = (alpha, 1 - beta_1, 1 - beta_2, epsilon, learning_rate * weight_decay, tiny)
    _step("adam_step", (values, grads, means, variances), scalars)


def _step(name: str, lists: tuple[Sequence[Array], ...], scalars: tuple[float, ...], *flags: bool) -> None:
    """Launch a step for the parameters of these lists: values, grads, and one list per slot."""
    parameters = list(zip(*lists, strict=True))
    for dtype in dict.fromkeys(value.dtype for value in lists[0]):  # the parameters of one model have one dtype
        alike = [arrays for arrays in parameters if arrays[0].dtype == dtype]
        numbers = (*map(dtype.type, scalars), *map(np.bool_, flags))
        for first in range(0, len(alike), MOST):
            given = alike[first : first + MOST]
            taken = [[cupy.ascontiguousarray(array, dtype) for array in arrays] for arrays in given]
            struct, blocks = _arrays(taken)
            SOURCE.kernel(name, dtype)((blocks,), (THREADS,), (struct, *numbers))
            for (value, _, *slots), (moved, _, *moved_slots) in zip(given, taken, strict=True):
                for array, copy in zip((value, *slots), (moved, *moved_slots), strict=True):
                    if copy is not array:  # it was not contiguous
                        array[...] = copy


def _arrays(parameters: Sequence[Sequence[Array]]) -> tuple[Any, int]:
    """The structure for the kernels and the number of blocks."""
    struct = np.zeros((), _STRUCT)
    count, sizes = len(parameters), [arrays[0].size for arrays in parameters]
    check_size(max(sizes))
    begins = np.cumsum([0] + [-(-size // ELEMENTS) for size in sizes])
    for name, arrays in zip(_LISTS, zip(*parameters, strict=True), strict=False):
        struct[name][:count] = [array.data.ptr for array in arrays]
    struct["sizes"][:count], struct["begins"][:count], struct["count"] = sizes, begins[:-1], count
    return struct[()], max(int(begins[-1]), 1)
