"""Activations whose derivative is a function of the input x: one launch each way."""

from __future__ import annotations

import cupy
import numpy as np

from ..contract import CURVES, Array, Saved
from .kernels import FLOATS, Source, launch_each

SOURCE = Source(
    "curves",
    """
enum { LEAKY_RELU, ELU, SELU, GELU, SILU, SOFTPLUS };  // the contract's CURVES

#define SELU_SCALE ((real)1.0507009873554805)
#define SELU_ALPHA ((real)1.6732632423543772)

__device__ real normal_share(real x) { return (real)0.5 * (1 + erf(x * (real)0.7071067811865476)); }

__device__ real sigmoid(real x) { return (real)0.5 * (1 + tanh((real)0.5 * x)); }

extern "C" __global__ void curve(const real* x, real* y, int function, real alpha, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    real v = x[at];
    if (function == LEAKY_RELU) y[at] = v > 0 ? v : alpha * v;
    else if (function == ELU) y[at] = v > 0 ? v : alpha * expm1(v);
    else if (function == SELU) y[at] = SELU_SCALE * (v > 0 ? v : SELU_ALPHA * expm1(v));
    else if (function == GELU) y[at] = v * normal_share(v);
    else if (function == SILU) y[at] = v * sigmoid(v);
    else y[at] = (v > 0 ? v : 0) + log1p(exp(v > 0 ? -v : v));
}

extern "C" __global__ void curve_backward(const real* dy, const real* x, real* dx, int function, real alpha, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    real v = x[at], slope;
    if (function == LEAKY_RELU) slope = v > 0 ? 1 : alpha;
    else if (function == ELU) slope = v > 0 ? 1 : alpha * exp(v);
    else if (function == SELU) slope = SELU_SCALE * (v > 0 ? 1 : SELU_ALPHA * exp(v));
    else if (function == GELU) slope = normal_share(v) + v * exp((real)-0.5 * v * v) * (real)0.3989422804014327;
    else if (function == SILU) slope = sigmoid(v) * (1 + v * (1 - sigmoid(v)));
    else slope = sigmoid(v);
    dx[at] = dy[at] * slope;
}
""",
    real=FLOATS,
)


def curve(x: Array, function: str, alpha: float) -> tuple[Array, Saved]:
    """y = function(x), element by element; x of any shape -> y of the same shape."""
    y, options = cupy.empty(x.shape, x.dtype), (np.int32(CURVES.index(function)), x.dtype.type(alpha))
    launch_each(SOURCE.kernel("curve", x.dtype), x.size, x, y, *options)
    return y, (x, options)


def curve_backward(dy: Array, saved: Saved) -> Array:
    """dx = dy · slope, of x's shape."""
    x, options = saved
    dx = cupy.empty(x.shape, x.dtype)
    launch_each(SOURCE.kernel("curve_backward", x.dtype), x.size, dy, x, dx, *options)
    return dx
