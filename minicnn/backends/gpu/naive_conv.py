"""The convolution as a first CUDA kernel: one thread per output element, the textbook's sum as three loops.

It is for reading, as a step from the textbook to the tiled kernels of `conv.py`, which compute the same. No layer uses
it because it is slow: each thread loads all of its factors from memory.
"""

from __future__ import annotations

import cupy
import numpy as np

from ..contract import Array, Pair
from .activations import ACTIVATE, CODES
from .kernels import FLOATS, Source, launch_each
from .memory import contiguous
from .windows import WINDOWS, windows

SOURCE = Source(
    "naive_conv",
    ACTIVATE,
    WINDOWS,
    """
// x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) or 0 -> y (N, OH, OW, F), which has `count` elements
extern "C" __global__ void naive_conv2d(const real* x, const real* kernel, const real* bias, real* y, int activation,
                                        Windows w, int F, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;  // this thread's element of y ...
    if (at >= count) return;
    int f = at % F, q = at / F % w.OW, p = at / F / w.OW % w.OH, n = at / F / w.OW / w.OH;  // ... is y[n, p, q, f]

    real sum = bias ? bias[f] : 0;
    for (int i = 0; i < w.KH; ++i)
        for (int j = 0; j < w.KW; ++j) {
            int h = p * w.SH + i - w.top, v = q * w.SW + j - w.left;
            if (h < 0 || h >= w.H || v < 0 || v >= w.W) continue;  // padding: zeros
            const real* pixel = x + (size_t)((n * w.H + h) * w.W + v) * w.C;    // x[n, h, v, :]
            const real* weights = kernel + (size_t)(i * w.KW + j) * w.C * F + f;  // kernel[i, j, :, f]
            for (int c = 0; c < w.C; ++c) sum += pixel[c] * weights[(size_t)c * F];
        }
    y[at] = activate(sum, activation);
}
""",
    real=FLOATS,
)


def naive_conv2d(
    x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, activation: str = "linear"
) -> Array:
    """y[n, p, q, f] = activation(Σ_ijc x[n, p·SH + i, q·SW + j, c] · kernel[i, j, c, f] + bias[f]), in one launch.

    x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) or None, all on the device and of one dtype, float32 or float64
    -> y (N, OH, OW, F). The activation is "linear", "relu", "sigmoid" or "tanh"; KeyError for another one.
    """
    KH, KW, _, F = kernel.shape
    at = windows(x.shape, (KH, KW), strides, padding)
    x, kernel, bias = (None if array is None else contiguous(array) for array in (x, kernel, bias))
    y = cupy.empty((at.N, at.OH, at.OW, F), x.dtype)
    launched = SOURCE.kernel("naive_conv2d", x.dtype)
    launch_each(launched, y.size, x, kernel, bias, y, np.int32(CODES[activation]), at.struct, np.int32(F))
    return y
