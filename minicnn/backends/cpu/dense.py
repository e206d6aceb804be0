"""The dense layer as a convolution of one-pixel images: the same tiles, blocks and threads."""

from __future__ import annotations

from math import prod

from ..contract import Array, Saved, Step
from ..textbook.dense import dense as small_dense
from ..textbook.dense import dense_backward as small_dense_backward
from . import conv, direct
from .conv import conv2d, conv2d_backward
from .stages import Shape, Stage, check_vectors

SMALL = 2**18
"""Products of fewer multiplications are NumPy's: they cannot pay for the panels. From this size on, NumPy's OpenBLAS
would wake threads of its own, which spin for a tenth of a second after each product and take the processor from the
kernels'."""


def dense(x: Array, kernel: Array, bias: Array | None, activation: str) -> tuple[Array, Saved]:
    """Every output sees every input: y = activation(x · kernel + bias).

    x (..., C), kernel (C, F), bias (F,) or None -> y (..., F)
    """
    C, F = kernel.shape
    if x.size * F < SMALL:
        return small_dense(x, kernel, bias, activation)
    y, saved = conv2d(x.reshape(-1, 1, 1, x.shape[-1]), kernel.reshape(1, 1, C, F), bias, (1, 1), "valid", activation)
    return y.reshape(*x.shape[:-1], F), saved


def stages(samples: int, shape: Shape, itemsize: int, step: Step) -> list[Stage]:
    """dense in inference, on samples of this shape."""
    _, (kernel, bias), options = step
    C, F = kernel.shape
    w = direct.windows((samples, 1, prod(shape[:-1]), shape[-1]), (1, 1, C, F), (1, 1), "valid")
    check_vectors("dense", [bias], F)
    return [stage._replace(shape=(*shape[:-1], F)) for stage in conv.stages_of(w, itemsize, *options)]


def dense_backward(dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
    """z = x·K + b gives dK = xᵀ·dz, db = Σ dz, dx = dz·Kᵀ, with all leading axes taken as one.

    dy (..., F) -> dx (..., C) or None, dkernel (C, F), dbias (F,) or None
    """
    x, kernel, *_ = saved
    C, F = kernel.shape[-2:]
    if x.size * F < SMALL:
        return small_dense_backward(dy, saved, need_dx)
    dx, dkernel, dbias = conv2d_backward(dy.reshape(-1, 1, 1, F), saved, need_dx)
    return None if dx is None else dx.reshape(*dy.shape[:-1], C), dkernel.reshape(C, F), dbias
