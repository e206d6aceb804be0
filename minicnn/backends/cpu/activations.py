"""Activations as layers of their own, and general ReLU: loops over flat arrays that the compiler turns into vectors.

All stand on one exponential, which is arithmetic alone: calls into the C library would compute one number at a time.
"""

from __future__ import annotations

from functools import partial
from math import factorial, prod
from typing import Any

import numpy as np

from ..contract import ACTIVATIONS, Array, Saved
from .executor import Shape, Stage, array_at, forward
from .runtime.compile import inlined, parallel, serial, share
from .runtime.numba_internals import intrinsic, ir
from .runtime.threads import small

summing = partial(serial, fastmath={"reassoc"})
"""Decorator: a function for kernels to call, whose sums may be added up in vectors."""

_RELU, _SIGMOID, _TANH, _SOFTMAX = (ACTIVATIONS.index(name) for name in ("relu", "sigmoid", "tanh", "softmax"))

PASS_WORK = 64
"""Multiply-adds that take as long as reading, computing and writing one number."""


def activation(x: Array, activation: str) -> tuple[Array, Saved]:
    """An activation as a layer of its own; x of any shape -> y of the same shape."""
    y = forward(stages, np.atleast_2d(x), [], activation).reshape(x.shape)
    return y, (y, activation)


def activation_backward(dy: Array, saved: Saved) -> Array:
    """dy -> dx, both of x's shape."""
    y, activation = saved
    return activate_backward(dy, y, activation)


def activate_backward(dy: Array, y: Array, activation: str) -> Array:
    """dz from dy and the output y, all of one shape."""
    if activation == "linear":
        return dy
    dz, C = np.empty(dy.shape, dy.dtype), dy.shape[-1]
    _backward(dy.reshape(-1), y.reshape(-1), ACTIVATIONS.index(activation), C, dz.reshape(-1), alone=small(dy))
    return dz


def general_relu(x: Array, negative_slope: float, max_value: float | None, threshold: float) -> tuple[Array, Saved]:
    """Keras's general ReLU, piecewise linear; x of any shape -> y of the same shape."""
    y = forward(general_relu_stages, np.atleast_2d(x), [], negative_slope, max_value, threshold).reshape(x.shape)
    return y, (x, negative_slope, max_value, threshold)


def general_relu_backward(dy: Array, saved: Saved) -> Array:
    """dx = slope · dy, where the slope is 1, negative_slope or 0, by the piece that x lies on."""
    x, *pieces = saved
    dx = np.empty(x.shape, x.dtype)
    _general_relu_backward(dy.reshape(-1), x.reshape(-1), _constants(x.dtype, *pieces), dx.reshape(-1), alone=small(x))
    return dx


def stages(shape: Shape, itemsize: int, weights: tuple[Shape, ...], activation: str) -> list[Stage]:
    """activation of samples of this shape."""
    size, C = prod(shape[1:]), shape[-1]
    return [Stage(_activate, shape[1:], (ACTIVATIONS.index(activation), size, C), work=size * PASS_WORK)]


def general_relu_stages(
    shape: Shape, itemsize: int, weights: tuple[Shape, ...], slope: float, largest: float | None, threshold: float
) -> list[Stage]:
    """general_relu of samples of this shape."""
    table, size = _constants(f"f{itemsize}", slope, largest, threshold), prod(shape[1:])
    return [Stage(_general_relu, shape[1:], (size,), tables=(table,), work=size * PASS_WORK)]


def _constants(dtype: Any, slope: float, largest: float | None, threshold: float) -> Array:
    """The slope, the largest value (NaN: there is none), the threshold."""
    return np.array([slope, np.nan if largest is None else largest, threshold], dtype)


@serial
def _activate(x, x_at, y, y_at, count, numbers):
    """A stage's kernel."""
    kind, size, C = numbers[1], count * numbers[2], numbers[3]
    zero, half, one = x.dtype.type(0), x.dtype.type(0.5), x.dtype.type(1)
    source, target = x[x_at:][:size], y[y_at:][:size]
    if kind == _RELU:
        for i in range(size):
            target[i] = zero if source[i] <= zero else source[i]  # NaN stays
    elif kind == _SIGMOID:
        for i in range(size):
            target[i] = half * (one + tanh(half * source[i], x))
    elif kind == _TANH:
        for i in range(size):
            target[i] = tanh(source[i], x)
    elif kind == _SOFTMAX:
        for at in range(0, size, C):
            softmax(source[at : at + C], target[at : at + C])
    else:
        for i in range(size):
            target[i] = source[i]


@parallel
def _backward(threads, thread, dy, y, kind, C, dz):
    """One thread's rows of C numbers."""
    zero, one = y.dtype.type(0), y.dtype.type(1)
    first, last = share(len(y) // C, threads, thread)
    first, last = first * C, last * C
    source, output, target = dy[first:last], y[first:last], dz[first:last]
    if kind == _RELU:
        for i in range(len(output)):
            target[i] = source[i] * (one if output[i] > zero else zero)
    elif kind == _SIGMOID:
        for i in range(len(output)):
            target[i] = source[i] * output[i] * (one - output[i])
    elif kind == _TANH:
        for i in range(len(output)):
            target[i] = source[i] * (one - output[i] * output[i])
    else:
        for at in range(0, len(output), C):
            _softmax_backward(source[at : at + C], output[at : at + C], target[at : at + C])


@serial
def _general_relu(x, x_at, y, y_at, count, numbers):
    """A stage's kernel."""
    constants, size = array_at(numbers[1], 3, x), count * numbers[2]
    slope, largest, threshold = constants[0], constants[1], constants[2]
    unbounded, flat = np.isnan(largest), slope == 0  # 0 · ∞ would be no number
    source, target = x[x_at:][:size], y[y_at:][:size]
    for i in range(size):
        below = slope if flat else slope * (source[i] - threshold)
        value = below if source[i] <= threshold else source[i]
        target[i] = value if unbounded or source[i] < largest else largest


@parallel
def _general_relu_backward(threads, thread, dy, x, constants, dx):
    slope, largest, threshold = constants[0], constants[1], constants[2]
    unbounded, zero, one = np.isnan(largest), x.dtype.type(0), x.dtype.type(1)
    first, last = share(len(x), threads, thread)
    source, place, target = dy[first:last], x[first:last], dx[first:last]
    for i in range(len(place)):
        inside = one if place[i] > threshold else slope
        target[i] = source[i] * (inside if unbounded or place[i] < largest else zero)


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
def tanh(x, like):
    """tanh x = (1 − e) / (1 + e) with e = e⁻²ˡˣˡ, of which 1 is subtracted before it is rounded. Within 3 units."""
    one, two = like.dtype.type(1), like.dtype.type(2)
    p, power = _exponential(-two * abs(x), like)
    less_one = power * p + (power - one)
    return np.copysign(-less_one / (two + less_one), x)


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
