"""The dense layer as a convolution of one-pixel images: the same GEMM, blocks and threads."""

from __future__ import annotations

from math import prod

from ..contract import Array, Saved
from . import conv
from .conv import conv2d, conv2d_backward
from .executor import Shape, Stage


def dense(x: Array, kernel: Array, bias: Array | None, activation: str) -> tuple[Array, Saved]:
    """Every output sees every input: y = activation(x · kernel + bias).

    x (..., C), kernel (C, F), bias (F,) or None -> y (..., F)
    """
    C, F = kernel.shape
    y, saved = conv2d(x.reshape(-1, 1, 1, C), kernel.reshape(1, 1, C, F), bias, (1, 1), "valid", activation)
    return y.reshape(*x.shape[:-1], F), saved


def dense_backward(dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
    """z = x·K + b gives dK = xᵀ·dz, db = Σ dz, dx = dz·Kᵀ, with all leading axes taken as one.

    dy (..., F) -> dx (..., C) or None, dkernel (C, F), dbias (F,) or None
    """
    C, F = saved[1].shape[-2:]
    dx, dkernel, dbias = conv2d_backward(dy.reshape(-1, 1, 1, F), saved, need_dx)
    return None if dx is None else dx.reshape(*dy.shape[:-1], C), dkernel.reshape(C, F), dbias


def stages(shape: Shape, itemsize: int, weights: tuple[Shape, ...], activation: str) -> list[Stage]:
    """dense on samples of this shape."""
    N, *leading, C = shape
    kernel = (1, 1, *weights[0])
    made = conv.stages((N, 1, prod(leading), C), itemsize, (kernel,), (1, 1), "valid", activation)
    return [stage._replace(shape=(*leading, stage.shape[-1])) for stage in made]
