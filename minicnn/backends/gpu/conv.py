"""The convolution pair as implicit GEMM: three products whose factor im2col(x), or its gradient, is never stored."""

from __future__ import annotations

from math import prod

import cupy
import numpy as np

from ..contract import Array, Pair, Saved
from . import tensor_cores
from .activations import ACTIVATE, CODES, activate, activate_backward
from .kernels import FLOATS, Source
from .products import PRODUCT, int32, launch_product
from .windows import WINDOWS, Windows, windows

SOURCE = Source(
    "conv",
    ACTIVATE,
    WINDOWS,
    PRODUCT,
    """
// im2col(x): one row per window, one column per element of a window (a cell).
struct Columns {
    const real* x;
    Windows w;

    __device__ Place outer(int window) const { return place(window, w.OH, w.OW); }
    __device__ Place inner(int cell) const { return place(cell, w.KW, w.C); }
    __device__ void next(Place& cell) const { step(cell, w.KW, w.C); }
    __device__ real at(const Place& window, const Place& cell) const
    {
        if (window.a >= w.N || cell.a >= w.KH) return 0;
        int pixel = pixel_under(w, window.a, window.b, window.c, cell.a, cell.b);
        return pixel < 0 ? 0 : x[(size_t)pixel * w.C + cell.c];
    }
};

// im2col(x) transposed, with a row of ones below it: the bias is a weight with the constant input 1.
struct TransposedColumns {
    Columns columns;

    __device__ Place outer(int cell) const { return columns.inner(cell); }
    __device__ Place inner(int window) const { return columns.outer(window); }
    __device__ void next(Place& window) const { step(window, columns.w.OH, columns.w.OW); }
    __device__ real at(const Place& cell, const Place& window) const
    {
        bool ones = cell.a == columns.w.KH && cell.b == 0 && cell.c == 0;
        return ones ? window.a < columns.w.N : columns.at(window, cell);
    }
};

// The kernel in its memory layout: (cells, F).
struct Filters {
    const real* kernel;
    int cells, F;

    __device__ int outer(int f) const { return f; }
    __device__ int inner(int cell) const { return cell; }
    __device__ void next(int& cell) const { cell += STEP; }
    __device__ real at(int f, int cell) const { return cell < cells && f < F ? kernel[(size_t)cell * F + f] : 0; }
};

// The kernel with channels and filters exchanged: (KH · KW · F, C).
struct TransposedFilters {
    const real* kernel;
    Windows w;
    int F;

    __device__ int outer(int c) const { return c; }
    __device__ Place inner(int cell) const { return place(cell, w.KW, F); }
    __device__ void next(Place& cell) const { step(cell, w.KW, F); }
    __device__ real at(int c, const Place& cell) const
    {
        if (c >= w.C || cell.a >= w.KH) return 0;
        return kernel[((size_t)(cell.a * w.KW + cell.b) * w.C + c) * F + cell.c];
    }
};

// dz = dy · activation'(z): (windows, F).
struct Gradient {
    const real *dy, *y;
    int activation, windows, F;

    __device__ real dz(int window, int f) const
    {
        size_t at = (size_t)window * F + f;
        return activation == LINEAR ? dy[at] : dy[at] * slope(y[at], activation);
    }
    __device__ int outer(int f) const { return f; }
    __device__ int inner(int window) const { return window; }
    __device__ void next(int& window) const { window += STEP; }
    __device__ real at(int f, int window) const { return window < windows && f < F ? dz(window, f) : 0; }
};

// The index of the window that begins at this distance before a pixel; -1 if the strides skip it.
__device__ int window_before(int distance, int stride)
{
    return stride == 1 ? distance : distance < 0 || distance % stride ? -1 : distance / stride;
}

// dz arranged by pixels: row (n, h, w), column (i, j, f) holds dz of the window whose cell (i, j) is this pixel.
struct SpreadGradient {
    Gradient gradient;
    Windows w;

    __device__ Place outer(int pixel) const { return place(pixel, w.H, w.W); }
    __device__ Place inner(int cell) const { return place(cell, w.KW, gradient.F); }
    __device__ void next(Place& cell) const { step(cell, w.KW, gradient.F); }
    __device__ real at(const Place& pixel, const Place& cell) const
    {
        if (pixel.a >= w.N || cell.a >= w.KH) return 0;
        int p = window_before(pixel.b + w.top - cell.a, w.SH), q = window_before(pixel.c + w.left - cell.b, w.SW);
        if ((unsigned)p >= (unsigned)w.OH || (unsigned)q >= (unsigned)w.OW) return 0;
        return gradient.dz((pixel.a * w.OH + p) * w.OW + q, cell.c);
    }
};

// y (windows, F) = activation(im2col(x) · kernel + bias)
extern "C" __global__ void __launch_bounds__(256)
conv2d(const real* x, const real* kernel, const real* bias, real* y, int activation, Windows w, int F,
       Four* parts, int* arrived)
{
    int cells = w.KH * w.KW * w.C;
    Result result = {y, w.N * w.OH * w.OW, F, bias, activation};
    multiply<Along, Across>(Columns{x, w}, Filters{kernel, cells, F}, result, cells, parts, arrived);
}

// gradients (cells + 1, F) = im2col(x)ᵀ with its row of ones · dz: dkernel, and below it dbias
extern "C" __global__ void __launch_bounds__(256)
conv2d_backward_kernel(const real* x, const real* dy, const real* y, real* gradients, int rows, int activation,
                       Windows w, int F, Four* parts, int* arrived)
{
    int windows = w.N * w.OH * w.OW;
    Result result = {gradients, rows, F, 0, LINEAR};
    multiply<Across, Across>(TransposedColumns{{x, w}}, Gradient{dy, y, activation, windows, F}, result, windows, parts,
                             arrived);
}

// dx (pixels, C) = dz arranged by pixels · kernel with channels and filters exchanged
extern "C" __global__ void __launch_bounds__(256)
conv2d_backward_x(const real* dy, const real* y, const real* kernel, real* dx, int activation, Windows w, int F,
                  Four* parts, int* arrived)
{
    Gradient gradient = {dy, y, activation, w.N * w.OH * w.OW, F};
    Result result = {dx, w.N * w.H * w.W, w.C, 0, LINEAR};
    multiply<Along, Along>(SpreadGradient{gradient, w}, TransposedFilters{kernel, w, F}, result, w.KH * w.KW * F, parts,
                           arrived);
}
""",
    real=FLOATS,
)


def conv2d(
    x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, activation: str
) -> tuple[Array, Saved]:
    """Slide F kernels over the image: y = activation(im2col(x) · kernel + bias), in one launch.

    x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) or None -> y (N, OH, OW, F)
    """
    KH, KW, C, F = kernel.shape
    at = windows(x.shape, (KH, KW), strides, padding)
    y = cupy.empty((at.N, at.OH, at.OW, F), x.dtype)
    code = np.int32(CODES.get(activation, 0))
    if tensor_cores.wanted(x):
        y = tensor_cores.forward(x, kernel, bias, at, activation)
    elif y.size:
        launch_product(
            SOURCE.kernel("conv2d", x.dtype), at.N * at.OH * at.OW, F, KH * KW * C, x.dtype,
            x, kernel, bias, y, code, at.struct, np.int32(F),
        )  # fmt: skip
    if activation == "softmax":  # it needs whole rows
        y = activate(y, activation)
    return y, (x, kernel, bias, y, at, activation)


def conv2d_backward(dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
    """dkernel = im2col(x)ᵀ · dz with dbias = Σ dz as one more row; dx = dz · kernelᵀ, gathered by pixels: two launches.

    Both multiply dy by the activation's slope when they load it, so dz = dy · activation′(z) is not stored either.
    dy (N, OH, OW, F) -> dx (N, H, W, C) or None, dkernel (KH, KW, C, F), dbias (F,) or None
    """
    x, kernel, bias, y, at, activation = saved
    F = kernel.shape[-1]
    if activation == "softmax":
        dy, activation = activate_backward(dy, y, activation), "linear"
    if tensor_cores.wanted(x):
        return tensor_cores.backward(x, kernel, bias, dy, y, at, activation, need_dx)
    dkernel, dbias = _parameter_gradients(x, kernel, bias, dy, y, at, activation)
    if not need_dx:
        return None, dkernel, dbias
    dx = cupy.empty(x.shape, x.dtype)
    if dx.size:
        launch_product(
            SOURCE.kernel("conv2d_backward_x", x.dtype), prod(x.shape[:3]), x.shape[3], kernel.size // x.shape[3],
            x.dtype, dy, y, kernel, dx, np.int32(CODES[activation]), at.struct, np.int32(F),
        )  # fmt: skip
    return dx, dkernel, dbias


def _parameter_gradients(
    x: Array, kernel: Array, bias: Array | None, dy: Array, y: Array, at: Windows, activation: str
) -> tuple[Array, Array | None]:
    F = kernel.shape[-1]
    cells = kernel.size // F
    rows = cells if bias is None else cells + 1
    if not y.size:  # no samples
        return cupy.zeros(kernel.shape, x.dtype), None if bias is None else cupy.zeros(F, x.dtype)
    gradients = cupy.empty((rows, F), x.dtype)
    launch_product(
        SOURCE.kernel("conv2d_backward_kernel", x.dtype), rows, F, at.N * at.OH * at.OW, x.dtype,
        x, dy, y, gradients, *int32(rows, CODES[activation]), at.struct, np.int32(F),
    )  # fmt: skip
    return gradients[:cells].reshape(kernel.shape), None if bias is None else gradients[cells]
