"""Data augmentation: one launch per layer. Every thread draws its image's random numbers again, the textbook's."""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from ..contract import FILL_MODES, Array, Range, Saved
from ..textbook.dropout import stream_keys
from .dropout import RANDOM_BITS
from .kernels import FLOATS, Source, launch_each

SOURCE = Source(
    "augmentation",
    RANDOM_BITS,
    """
__device__ double uniform(unsigned index, unsigned key1, unsigned key2)  // in [0, 1)
{
    return random_bits(index, key1, key2) / 4294967296.0;
}

__device__ double between(double low, double high, double share) { return low + (high - low) * share; }

struct Images { int N, H, W, C; };

struct Pixel {  // of an array (N, H, W, C)
    int n, i, j, c;
    __device__ Pixel(int at, const Images& shape)
        : n(at / shape.C / shape.W / shape.H), i(at / shape.C / shape.W % shape.H), j(at / shape.C % shape.W),
          c(at % shape.C) {}
};

extern "C" __global__ void random_flip(const real* x, real* y, Images shape, bool horizontal, bool vertical,
                                       unsigned key1, unsigned key2, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    Pixel p(at, shape);
    bool chosen = uniform(p.n, key1, key2) < 0.5;
    int i = chosen && vertical ? shape.H - 1 - p.i : p.i, j = chosen && horizontal ? shape.W - 1 - p.j : p.j;
    y[at] = x[((size_t)(p.n * shape.H + i) * shape.W + j) * shape.C + p.c];
}

enum { CONSTANT, NEAREST, REFLECT, WRAP };

struct Shift {
    double height_low, height_high, width_low, width_high;
    int fill_mode;
    bool nearest;
    unsigned key1, key2;
};

struct Taps {  // the two pixels along one axis that a pixel is made of; -1 if there is none
    int sources[2];
    real weights[2];
    __device__ Taps(int pixel, int L, double low, double high, unsigned index, const Shift& shift)
    {
        double position = pixel - between(low, high, uniform(index, shift.key1, shift.key2)) * L;
        if (shift.nearest) position = floor(position + 0.5);
        double before = floor(position);
        weights[1] = position - before;
        weights[0] = 1 - (position - before);
        for (int tap = 0; tap < 2; ++tap) {
            int source = (int)before + tap, period = shift.fill_mode == REFLECT ? 2 * L : L;
            if (shift.fill_mode == NEAREST) source = min(max(source, 0), L - 1);
            if (shift.fill_mode >= REFLECT) source = (source % period + period) % period;
            if (shift.fill_mode == REFLECT) source = min(source, period - 1 - source);
            sources[tap] = source < 0 || source >= L ? -1 : source;
        }
    }
    __device__ real weight_of(int source) const
    {
        return (sources[0] == source ? weights[0] : 0) + (sources[1] == source ? weights[1] : 0);
    }
};

__device__ Taps row_taps(int i, int n, const Images& shape, const Shift& shift)
{
    return Taps(i, shape.H, shift.height_low, shift.height_high, n, shift);
}

__device__ Taps column_taps(int j, int n, const Images& shape, const Shift& shift)
{
    return Taps(j, shape.W, shift.width_low, shift.width_high, shape.N + n, shift);
}

extern "C" __global__ void random_translation(const real* x, real* y, Images shape, Shift shift, real fill_value,
                                              int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    Pixel p(at, shape);
    Taps rows = row_taps(p.i, p.n, shape, shift), columns = column_taps(p.j, p.n, shape, shift);
    real sum = 0;
    for (int a = 0; a < 2; ++a)
        for (int b = 0; b < 2; ++b) {
            int i = rows.sources[a], j = columns.sources[b];
            real weight = rows.weights[a] * columns.weights[b];
            if (weight == 0) continue;
            bool inside = i >= 0 && j >= 0;
            sum += weight * (inside ? x[((size_t)(p.n * shape.H + i) * shape.W + j) * shape.C + p.c] : fill_value);
        }
    y[at] = sum;
}

// Each pixel looks for the places that it was shifted to: its sum has a fixed order.
extern "C" __global__ void random_translation_backward(const real* dy, real* dx, Images shape, Shift shift, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    Pixel p(at, shape);
    real sum = 0;
    for (int i = 0; i < shape.H; ++i) {
        real row = row_taps(i, p.n, shape, shift).weight_of(p.i);
        if (row == 0) continue;
        for (int j = 0; j < shape.W; ++j) {
            real column = column_taps(j, p.n, shape, shift).weight_of(p.j);
            if (column != 0) sum += row * column * dy[((size_t)(p.n * shape.H + i) * shape.W + j) * shape.C + p.c];
        }
    }
    dx[at] = sum;
}

struct Boxes {
    double factor_low, factor_high, scale_low, scale_high;
    unsigned key1, key2;
};

__device__ bool in_interval(int pixel, int L, double start, double length)
{
    double begin = start * (1 - length) * L;
    return pixel >= begin && pixel < begin + length * L;
}

__device__ bool is_erased(const Pixel& p, const Images& shape, const Boxes& boxes)
{
    double u[6];
    for (int k = 0; k < 6; ++k) u[k] = uniform(k * shape.N + p.n, boxes.key1, boxes.key2);
    if (!(u[0] < between(boxes.factor_low, boxes.factor_high, u[1]))) return false;
    double height = sqrt(between(boxes.scale_low, boxes.scale_high, u[2]));
    double width = sqrt(between(boxes.scale_low, boxes.scale_high, u[3]));
    return in_interval(p.i, shape.H, u[4], height) && in_interval(p.j, shape.W, u[5], width);
}

extern "C" __global__ void random_erasing(const real* x, real* y, Images shape, Boxes boxes, bool noise,
                                          double fill_value, double low, double high, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    if (!is_erased(Pixel(at, shape), shape, boxes)) {
        y[at] = x[at];
        return;
    }
    if (noise) {  // Box and Muller
        unsigned index = 6u * shape.N + 2u * at;
        double radius = uniform(index, boxes.key1, boxes.key2), angle = uniform(index + 1, boxes.key1, boxes.key2);
        fill_value = sqrt(-2 * log(1 - radius)) * cos(6.283185307179586 * angle) * high;
    }
    y[at] = fill_value < low ? low : fill_value > high ? high : fill_value;
}

extern "C" __global__ void random_erasing_backward(const real* dy, real* dx, Images shape, Boxes boxes, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < count) dx[at] = is_erased(Pixel(at, shape), shape, boxes) ? 0 : dy[at];
}
""",
    real=FLOATS,
)

_SHIFT = np.dtype(
    [(name, np.float64) for name in ("height_low", "height_high", "width_low", "width_high")]
    + [("fill_mode", np.int32), ("nearest", np.bool_), ("key1", np.uint32), ("key2", np.uint32)],
    align=True,
)
_BOXES = np.dtype(
    [(name, np.float64) for name in ("factor_low", "factor_high", "scale_low", "scale_high")]
    + [("key1", np.uint32), ("key2", np.uint32)],
    align=True,
)
_IMAGES = np.dtype([(name, np.int32) for name in "NHWC"])


def random_flip(x: Array, horizontal: bool, vertical: bool, seed: int, call: int) -> tuple[Array, Saved]:
    """Mirror each image with probability ½; x (N, H, W, C) -> y (N, H, W, C)."""
    saved = np.bool_(horizontal), np.bool_(vertical), *_keys(seed, call)
    return _launched("random_flip", x, *saved), saved


def random_flip_backward(dy: Array, saved: Saved) -> Array:
    """dx is dy, mirrored where x was."""
    return _launched("random_flip", dy, *saved)


def random_translation(
    x: Array,
    height_factor: Range,
    width_factor: Range,
    fill_mode: str,
    interpolation: str,
    fill_value: float,
    seed: int,
    call: int,
) -> tuple[Array, Saved]:
    """Shift each image by random shares of its height and width; x (N, H, W, C) -> y (N, H, W, C)."""
    numbers = *height_factor, *width_factor, FILL_MODES.index(fill_mode), interpolation == "nearest"
    shift = np.array((*numbers, *_keys(seed, call)), _SHIFT)[()]
    return _launched("random_translation", x, shift, x.dtype.type(fill_value)), shift


def random_translation_backward(dy: Array, saved: Saved) -> Array:
    """Every pixel gets the gradients of the places that it was shifted to."""
    return _launched("random_translation_backward", dy, saved)


def random_erasing(
    x: Array, factor: Range, scale: Range, fill_value: float | None, value_range: Range, seed: int, call: int
) -> tuple[Array, Saved]:
    """Replace a random box of some images by fill_value, or by noise; x (N, H, W, C) -> y (N, H, W, C)."""
    boxes = np.array((*factor, *scale, *_keys(seed, call)), _BOXES)[()]
    filling = np.bool_(fill_value is None), np.float64(fill_value or 0.0), *map(np.float64, value_range)
    return _launched("random_erasing", x, boxes, *filling), boxes


def random_erasing_backward(dy: Array, saved: Saved) -> Array:
    """dx = dy outside of the box, 0 inside."""
    return _launched("random_erasing_backward", dy, saved)


def _keys(seed: int, call: int) -> tuple[Any, Any]:
    key1, key2 = stream_keys(seed, call)
    return np.uint32(key1), np.uint32(key2)


def _launched(name: str, images: Array, *arguments: Any) -> Array:
    """The kernel's result for images (N, H, W, C), of the same shape."""
    result = cupy.empty(images.shape, images.dtype)
    shape = np.array(images.shape, np.int32).view(_IMAGES)[0]
    launch_each(SOURCE.kernel(name, images.dtype), images.size, images, result, shape, *arguments)
    return result
