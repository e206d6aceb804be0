"""Convolution on tensor cores, if use_backend(…, tf32=True) allows it: im2col in memory, then GEMM by cuBLAS.

TF32 keeps 10 of the 23 mantissa bits of each factor and sums in float32; float64 is never rounded to it. A pair needs
more launches than in `conv.py`, so it is faster only for large layers.
"""

from __future__ import annotations

import cupy
import numpy as np

from .. import tf32_allowed
from ..contract import Array
from .activations import ACTIVATE, CODES, activate_backward
from .kernels import Source, launch_each
from .windows import WINDOWS, Windows

SOURCE = Source(
    "tensor_cores",
    ACTIVATE,
    WINDOWS,
    """
// columns (windows, width) = im2col(x); if width exceeds the size of a window, the last column is all ones
extern "C" __global__ void im2col(const real* x, real* columns, Windows w, int width, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    int window = at / width, cell = at % width;
    int c = cell % w.C, j = cell / w.C % w.KW, i = cell / w.C / w.KW;
    int n = window / w.OW / w.OH, p = window / w.OW % w.OH, q = window % w.OW;
    int pixel = i < w.KH ? pixel_under(w, n, p, q, i, j) : -1;
    columns[at] = i == w.KH ? 1 : pixel < 0 ? 0 : x[(size_t)pixel * w.C + c];
}

// dx (N, H, W, C): each pixel sums over the windows that contain it
extern "C" __global__ void col2im(const real* dcolumns, real* dx, Windows w, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    int c = at % w.C, pixel = at / w.C, n = pixel / w.W / w.H, h = pixel / w.W % w.H + w.top, v = pixel % w.W + w.left;
    Range rows = windows_over(h, w.KH, w.SH, w.OH), columns = windows_over(v, w.KW, w.SW, w.OW);
    real sum = 0;
    for (int p = rows.first; p <= rows.last; ++p)
        for (int q = columns.first; q <= columns.last; ++q) {
            size_t window = (n * w.OH + p) * w.OW + q;
            sum += dcolumns[((window * w.KH + h - p * w.SH) * w.KW + v - q * w.SW) * w.C + c];
        }
    dx[at] = sum;
}

// in place: y = activation(z + bias), z (…, F)
extern "C" __global__ void finish(real* z, const real* bias, int activation, int F, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < count) z[at] = activate(bias ? z[at] + bias[at % F] : z[at], activation);
}
""",
    real=("float32",),
)


def wanted(x: Array) -> bool:
    """Whether tensor cores compute a convolution of x."""
    return tf32_allowed() and x.dtype == np.float32


def forward(x: Array, kernel: Array, bias: Array | None, at: Windows, activation: str) -> Array:
    """y = activation(im2col(x) · kernel + bias); the caller applies softmax."""
    F = kernel.shape[-1]
    y = _multiply(_columns(x, at, kernel.size // F), kernel.reshape(-1, F))
    code = np.int32(CODES.get(activation, 0))
    launch_each(SOURCE.kernel("finish", x.dtype), y.size, y, bias, code, np.int32(F))
    return y.reshape(at.N, at.OH, at.OW, F)


def backward(
    x: Array, kernel: Array, bias: Array | None, dy: Array, y: Array, at: Windows, activation: str, need_dx: bool
) -> tuple[Array | None, Array, Array | None]:
    """dkernel and, below it, dbias = im2col(x)ᵀ and a row of ones · dz; dx = col2im(dz · kernelᵀ)."""
    F = kernel.shape[-1]
    cells = kernel.size // F
    dz = activate_backward(dy, y, activation).reshape(-1, F)
    gradients = _multiply(_columns(x, at, cells + (bias is not None)).T, dz)
    dkernel, dbias = gradients[:cells].reshape(kernel.shape), None if bias is None else gradients[cells]
    if not need_dx:
        return None, dkernel, dbias
    dcolumns, dx = _multiply(dz, kernel.reshape(cells, F).T), cupy.empty(x.shape, x.dtype)
    launch_each(SOURCE.kernel("col2im", x.dtype), dx.size, dcolumns, dx, at.struct)
    return dx, dkernel, dbias


def _columns(x: Array, at: Windows, width: int) -> Array:
    columns = cupy.empty((at.N * at.OH * at.OW, width), x.dtype)
    launch_each(SOURCE.kernel("im2col", x.dtype), columns.size, x, columns, at.struct, np.int32(width))
    return columns


def _multiply(a: Array, b: Array) -> Array:
    """a · b, both float32, by cuBLAS with TF32. CuPy's setting is process-wide, so it is restored afterwards."""
    from cupy._core._routines_linalg import COMPUTE_TYPE_TF32, get_compute_type, set_compute_type

    before = get_compute_type(np.float32)
    set_compute_type(np.float32, COMPUTE_TYPE_TF32)
    try:
        return cupy.ascontiguousarray(cupy.matmul(a, b))
    finally:
        set_compute_type(np.float32, before)
