"""Activations whose derivative is a function of the input x, so that x is kept; those of `activations.py` keep y."""

from __future__ import annotations

from math import erf, pi, sqrt

import numpy as np

from ..contract import Array, Saved
from .activations import activate

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
"""With these, mean 0 and variance 1 pass through a layer unchanged (Klambauer et al., 2017)."""


def curve(x: Array, function: str, alpha: float) -> tuple[Array, Saved]:
    """y = function(x), element by element; x of any shape -> y of the same shape.

    leaky_relu x where x > 0, else alpha · x        elu x where x > 0, else alpha · (eˣ − 1)
    selu scale · elu(x)     gelu x · Φ(x)     silu x · σ(x)     softplus log(1 + eˣ)
    Φ is the distribution function of the normal distribution, σ(x) = 1 / (1 + e⁻ˣ).
    """
    positive = x.real > 0
    negative = np.where(positive, 0, x).astype(x.dtype)  # eˣ of large x would overflow
    if function == "leaky_relu":
        y = np.where(positive, x, alpha * x)
    elif function == "elu":
        y = np.where(positive, x, alpha * np.expm1(negative))
    elif function == "selu":
        y = SELU_SCALE * np.where(positive, x, SELU_ALPHA * np.expm1(negative))
    elif function == "gelu":
        y = x * normal_share(x)
    elif function == "silu":
        y = x * activate(x, "sigmoid")
    else:  # softplus
        y = np.where(positive, x, 0) + np.log1p(np.exp(np.where(positive, -x, x)))  # log(1 + eˣ), without overflow
    return y.astype(x.dtype), (x, function, alpha)


def curve_backward(dy: Array, saved: Saved) -> Array:
    """dx = dy · slope, of x's shape.

    leaky_relu 1 or alpha     elu 1 or alpha · eˣ     selu scale · that     gelu Φ(x) + x · φ(x)
    silu σ(x) · (1 + x · (1 − σ(x)))     softplus σ(x)
    """
    x, function, alpha = saved
    positive = x > 0
    power = np.exp(np.minimum(x, 0))  # eˣ where x ≤ 0
    if function == "leaky_relu":
        slope = np.where(positive, 1, alpha)
    elif function == "elu":
        slope = np.where(positive, 1, alpha * power)
    elif function == "selu":
        slope = SELU_SCALE * np.where(positive, 1, SELU_ALPHA * power)
    elif function == "gelu":
        slope = normal_share(x) + x * np.exp(-0.5 * x * x) / sqrt(2 * pi)
    elif function == "silu":
        share = activate(x, "sigmoid")
        slope = share * (1 + x * (1 - share))
    else:  # softplus
        slope = activate(x, "sigmoid")
    return dy * slope.astype(dy.dtype)


def normal_share(x: Array) -> Array:
    """Φ(x) = (1 + erf(x / √2)) / 2, the share of the normal distribution below x, from Python's erf: NumPy has none.

    For complex numbers close to the real axis, Φ(a + ib) = Φ(a) + ib · φ(a).
    """
    share = 0.5 * (1 + np.vectorize(erf, otypes=[float])(x.real / sqrt(2)))
    if np.iscomplexobj(x):
        share = share + 1j * x.imag * np.exp(-0.5 * x.real**2) / sqrt(2 * pi)
    return share.astype(x.dtype)
