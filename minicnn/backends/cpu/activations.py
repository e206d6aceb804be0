"""Activations as layers of their own: loops over flat arrays that the compiler turns into vectors.

Linear, ReLU and Keras's general ReLU are one piecewise linear function. The others use one exponential, which is
arithmetic alone: calls into the C library would compute one number at a time.
"""

from __future__ import annotations

from functools import partial
from math import factorial, prod
from typing import Any

import numpy as np

from ..contract import Array, Saved
from .executor import Shape, Stage, array_at, forward
from .runtime.compile import inlined, parallel, serial, share
from .runtime.numba_internals import intrinsic, ir
from .runtime.threads import small

summing = partial(serial, fastmath={"reassoc"})
"""Decorator: a function for kernels to call, whose sums may be added up in vectors."""

Pieces = tuple[float, float | None, float]
"""The slope up to the threshold, the largest value or None, the threshold."""

_PIECES: dict[str, Pieces] = {"linear": (1.0, None, 0.0), "relu": (0.0, None, 0.0)}
_PIECEWISE, _SIGMOID, _TANH, _SOFTMAX = range(4)
_KINDS = {"linear": _PIECEWISE, "relu": _PIECEWISE, "sigmoid": _SIGMOID, "tanh": _TANH, "softmax": _SOFTMAX}

PASS_WORK = 64
"""Multiply-adds that take as long as reading, computing and writing one number."""


def activation(x: Array, activation: str) -> tuple[Array, Saved]:
    """An activation as a layer of its own; x of any shape -> y of the same shape."""
    y = forward(stages, np.atleast_2d(x), [], activation).reshape(x.shape)
    return y, (y, activation)


def activation_backward(dy: Array, saved: Saved) -> Array:
    """dy -> dx, both of x's shape."""
    return activate_backward(dy, *saved)


def activate_backward(dy: Array, y: Array, activation: str) -> Array:
    """dz from dy and the output y, all of one shape."""
    return dy if activation == "linear" else _gradient(dy, y, _KINDS[activation], _PIECES.get(activation))


def general_relu(x: Array, negative_slope: float, max_value: float | None, threshold: float) -> tuple[Array, Saved]:
    """Keras's general ReLU, piecewise linear; x of any shape -> y of the same shape."""
    pieces = negative_slope, max_value, threshold
    return forward(general_relu_stages, np.atleast_2d(x), [], *pieces).reshape(x.shape), (x, pieces)


def general_relu_backward(dy: Array, saved: Saved) -> Array:
    """dx = slope · dy, where the slope is 1, negative_slope or 0, by the piece that x lies on."""
    x, pieces = saved
    return _gradient(dy, x, _PIECEWISE, pieces)


def stages(shape: Shape, itemsize: int, weights: tuple[Shape, ...], activation: str) -> list[Stage]:
    """activation of samples of this shape."""
    return [_stage(shape, f"f{itemsize}", _KINDS[activation], _PIECES.get(activation))]


def general_relu_stages(shape: Shape, itemsize: int, weights: tuple[Shape, ...], *pieces: Any) -> list[Stage]:
    """general_relu of samples of this shape."""
    return [_stage(shape, f"f{itemsize}", _PIECEWISE, pieces)]


def _stage(shape: Shape, dtype: str, kind: int, pieces: Any) -> Stage:
    size = prod(shape[1:])
    sizes, tables = (kind, size, shape[-1]), (_constants(dtype, pieces),)
    return Stage(_activate, shape[1:], sizes, tables=tables, work=size * PASS_WORK)


def _gradient(dy: Array, place: Array, kind: int, pieces: Pieces | None) -> Array:
    """dx, from what the derivative is a function of: y, for general ReLU x."""
    dx, C = np.empty(dy.shape, dy.dtype), np.atleast_1d(dy).shape[-1]
    _backward(dy.reshape(-1), place.reshape(-1), kind, C, _constants(dy.dtype, pieces), dx.reshape(-1), alone=small(dy))
    return dx


def _constants(dtype: Any, pieces: Pieces | None) -> Array:
    """The pieces as an array; NaN stands for None."""
    slope, largest, threshold = pieces or (0, None, 0)
    return np.array([slope, np.nan if largest is None else largest, threshold], dtype)


@serial
def _activate(x, x_at, y, y_at, count, numbers):
    """A stage's kernel."""
    pieces, kind, size, C = array_at(numbers[1], 3, x), numbers[2], count * numbers[3], numbers[4]
    source, target, half, one = x[x_at:][:size], y[y_at:][:size], x.dtype.type(0.5), x.dtype.type(1)
    if kind == _PIECEWISE:
        slope, largest, threshold = pieces[0], pieces[1], pieces[2]
        unbounded, flat = np.isnan(largest), slope == 0  # 0 · ∞ would be no number
        for i in range(size):
            below = slope if flat else slope * (source[i] - threshold)
            value = below if source[i] <= threshold else source[i]
            target[i] = value if unbounded or source[i] < largest else largest
    elif kind == _SIGMOID:
        for i in range(size):
            target[i] = half * (one + tanh(half * source[i], x))
    elif kind == _TANH:
        for i in range(size):
            target[i] = tanh(source[i], x)
    else:
        for at in range(0, size, C):
            softmax(source[at : at + C], target[at : at + C])


@parallel
def _backward(threads, thread, dy, place, kind, C, pieces, dx):
    """One thread's rows of C numbers."""
    first, last = share(len(dy) // C, threads, thread)
    source, point, target = dy[first * C : last * C], place[first * C : last * C], dx[first * C : last * C]
    zero, one = dy.dtype.type(0), dy.dtype.type(1)
    if kind == _PIECEWISE:
        slope, largest, threshold = pieces[0], pieces[1], pieces[2]
        unbounded = np.isnan(largest)
        for i in range(len(source)):
            inside = one if point[i] > threshold else slope
            target[i] = source[i] * (inside if unbounded or point[i] < largest else zero)
    elif kind == _SIGMOID:
        for i in range(len(source)):
            target[i] = source[i] * point[i] * (one - point[i])
    elif kind == _TANH:
        for i in range(len(source)):
            target[i] = source[i] * (one - point[i] * point[i])
    else:
        for row in range(0, len(source), C):
            _softmax_backward(source[row : row + C], point[row : row + C], target[row : row + C])


@summing
def softmax(z, y):
    """A row z -> y; its largest number and Σ e^(z − largest)."""
    top, total = z[0], z.dtype.type(0)
    for c in range(len(z)):
        top = z[c] if z[c] > top else top  # NaN makes the total NaN
    for c in range(len(z)):
        y[c] = exp(z[c] - top, z)
    for c in range(len(z)):
        total += y[c]
    scale = z.dtype.type(1) / total
    for c in range(len(z)):
        y[c] *= scale
    return top, total


@summing
def _softmax_backward(dy, y, dz):
    mean = y.dtype.type(0)
    for c in range(len(y)):
        mean += dy[c] * y[c]
    for c in range(len(y)):
        dz[c] = y[c] * (dy[c] - mean)


_FACTORIALS = tuple(factorial(k) for k in range(14))


@inlined
def exp(x, like):
    """eˣ of x ≤ 0, in the dtype of the array `like`, within 2 units in the last place; 0 where it would be denormal."""
    p, power = _exponential(x, like)
    return power * p + power


@inlined
def less_one(x, like):
    """eˣ − 1 of x ≤ 0: 1 is subtracted before the sum is rounded."""
    p, power = _exponential(x, like)
    return power * p + (power - like.dtype.type(1))


@inlined
def tanh(x, like):
    """tanh x = (1 − e) / (1 + e) with e = e⁻²ˡˣˡ. Within 3 units."""
    two = like.dtype.type(2)
    minus = less_one(-two * abs(x), like)
    return np.copysign(-minus / (two + minus), x)


@partial(serial, forceinline=True, fastmath={"contract"})  # a product and a sum may be one instruction
def _exponential(x, like):
    """p and 2ⁿ with eˣ = (1 + p) · 2ⁿ for x ≤ 0: n is the nearest integer to x / ln 2, p = eʳ − 1 of what is left.

    p is Taylor's series, Σ rᵏ / k! from k = 1 on, of |r| ≤ ln 2 / 2, as far as the dtype has digits.
    """
    number, digits = like.dtype.type, np.finfo(like.dtype)
    terms, lowest = (7, number(-87)) if digits.bits == 32 else (13, number(-708))
    bounded = lowest if x < lowest else x  # NaN stays
    rounder = number(1.5) / digits.eps  # a number so large that adding it rounds to integers
    rounded = bounded * number(1.4426950408889634) + rounder
    n = rounded - rounder
    r = bounded - n * number(0.693359375) + n * number(2.1219444005469057e-4)  # ln 2 in two parts, n · the first exact
    total = number(0)
    for k in range(terms, 0, -1):
        total = total * r + number(1 / _FACTORIALS[k])
    return total * r, number(0) if x < lowest else _power_of_two(rounded)


@intrinsic
def _power_of_two(typingctx, rounded):
    """2ⁿ of an integer n in the last bits of a number: they are moved into the exponent's."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        digits, integer = {32: 23, 64: 52}[rounded.bitwidth], ir.IntType(rounded.bitwidth)
        exponent = builder.shl(builder.bitcast(args[0], integer), integer(digits))
        one = builder.bitcast(context.get_constant(rounded, 1.0), integer)
        return builder.bitcast(builder.add(exponent, one), args[0].type)

    return rounded(rounded), codegen
