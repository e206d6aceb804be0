"""Activations whose derivative is a function of x: a kernel of its own for each, as loops over flat arrays.

They are made of the exponential of `activations` and of polynomials, so that the compiler can turn them into vectors.
"""

from __future__ import annotations

from math import erfc, pi, prod, sqrt
from math import exp as e_to
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial

from ..contract import Array, Saved
from ..textbook.curves import SELU_ALPHA, SELU_SCALE
from .activations import PASS_WORK, exp, less_one
from .executor import Shape, Stage, array_at, forward
from .runtime.compile import inlined, parallel, serial, share
from .runtime.threads import small


def curve(x: Array, function: str, alpha: float) -> tuple[Array, Saved]:
    """y = function(x), element by element; x of any shape -> y of the same shape."""
    return forward(stages, np.atleast_2d(x), [], function, alpha).reshape(x.shape), (x, function, alpha)


def curve_backward(dy: Array, saved: Saved) -> Array:
    """dx = dy · slope, of x's shape."""
    x, function, alpha = saved
    dx = np.empty(dy.shape, dy.dtype)
    _KERNELS[function][1](dy.reshape(-1), x.reshape(-1), dy.dtype.type(alpha), dx.reshape(-1), alone=small(dy))
    return dx


def stages(shape: Shape, itemsize: int, weights: tuple[Shape, ...], function: str, alpha: float) -> list[Stage]:
    """curve of samples of this shape."""
    size, table = prod(shape[1:]), np.array([alpha], f"f{itemsize}")
    return [Stage(_KERNELS[function][0], shape[1:], (size,), tables=(table,), work=size * PASS_WORK)]


def _kernels(function: Any) -> tuple[Any, Any]:
    """A stage's kernel and the backward, of a function that returns y and its slope at one number x.

    The compiler leaves out the one of the two that a kernel does not use.
    """

    @serial
    def _curve(x, x_at, y, y_at, count, numbers):
        alpha, size = array_at(numbers[1], 1, x)[0], count * numbers[2]
        source, target = x[x_at:][:size], y[y_at:][:size]
        for i in range(size):
            target[i], _ = function(source[i], alpha, x)

    @parallel
    def _curve_backward(threads, thread, dy, x, alpha, dx):
        first, last = share(len(dy), threads, thread)
        source, place, target = dy[first:last], x[first:last], dx[first:last]
        for i in range(len(source)):
            _, slope = function(place[i], alpha, x)
            target[i] = source[i] * slope

    return _curve, _curve_backward


@inlined
def _leaky_relu(x, alpha, like):
    slope = like.dtype.type(1) if x > 0 else alpha
    return slope * x, slope


@inlined
def _elu(x, alpha, like):
    below = min(x, like.dtype.type(0))
    return (x, like.dtype.type(1)) if x > 0 else (alpha * less_one(below, like), alpha * exp(below, like))


@inlined
def _selu(x, alpha, like):
    scale = like.dtype.type(SELU_SCALE)
    y, slope = _elu(x, like.dtype.type(SELU_ALPHA), like)
    return scale * y, scale * slope


@inlined
def _sigmoid(x, like):
    """1 / (1 + e⁻ˣ), with e⁻ˡˣˡ in place of e⁻ˣ: it cannot overflow."""
    one, power = like.dtype.type(1), exp(-abs(x), like)
    return (one if x > 0 else power) / (one + power)


@inlined
def _silu(x, alpha, like):
    one, share = like.dtype.type(1), _sigmoid(x, like)
    return x * share, share * (one + x * (one - share))


def _scaled_erfc() -> tuple[float, ...]:
    """A polynomial's coefficients: p(s) = e^(z²) · erfc(z) with s = 6 / (3 + z) − 1, within 1e-14 for 0 ≤ z ≤ 6.5.

    For larger z, erfc(z) is less than 1e-19. It is interpolated at Chebyshev's points.
    """

    def scaled(s: float) -> float:
        z = 6 / (s + 1) - 3
        return erfc(z) * e_to(z * z)

    fit = Chebyshev.interpolate(np.vectorize(scaled), 18, domain=[-0.37, 1])
    return tuple(fit.convert(kind=Polynomial).coef.tolist())


_SCALED_ERFC = _scaled_erfc()


@inlined
def _gelu(x, alpha, like):
    """x · Φ(x) with Φ(x), the share of the normal distribution below x, from Φ(−√2 z) = erfc(z) / 2 for z ≥ 0."""
    number = like.dtype.type
    z, density = abs(x) * number(1 / sqrt(2)), exp(number(-0.5) * x * x, like)  # but for the factor 1 / √2π
    s, total = number(6) / (number(3) + z) - number(1), number(0)
    for k in range(18, -1, -1):
        total = total * s + number(_SCALED_ERFC[k])
    tail = number(0.5) * density * total
    share = number(1) - tail if x > 0 else tail
    return x * share, share + x * density * number(1 / sqrt(2 * pi))


_ODD = tuple(2.0 / (2 * k + 1) for k in range(17))


@inlined
def _softplus(x, alpha, like):
    """log(1 + eˣ) = max(x, 0) + log(1 + u), u = e⁻ˡˣˡ, and log(1 + u) = Σ 2 / (2k + 1) · s²ᵏ⁺¹ with s = u / (2 + u)."""
    number, terms = like.dtype.type, 8 if np.finfo(like.dtype).bits == 32 else 17
    u = exp(-abs(x), like)
    s, total = u / (number(2) + u), number(0)
    for k in range(terms - 1, -1, -1):
        total = total * (s * s) + number(_ODD[k])
    return max(x, number(0)) + total * s, _sigmoid(x, like)


_KERNELS = {
    "leaky_relu": _kernels(_leaky_relu),
    "elu": _kernels(_elu),
    "selu": _kernels(_selu),
    "gelu": _kernels(_gelu),
    "silu": _kernels(_silu),
    "softplus": _kernels(_softplus),
}
"""The stage's kernel and the backward of each of the contract's CURVES."""
