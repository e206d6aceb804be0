"""The dense layer as a convolution: the rows are the pixels of one image, the window is one pixel."""

from __future__ import annotations

from ..contract import Array, Saved
from .conv import conv2d, conv2d_backward


def dense(x: Array, kernel: Array, bias: Array | None, activation: str) -> tuple[Array, Saved]:
    """Every output sees every input: y = activation(x · kernel + bias), in one launch.

    x (..., C), kernel (C, F), bias (F,) or None -> y (..., F)
    """
    C, F = kernel.shape
    y, saved = conv2d(x.reshape(1, 1, -1, C), kernel.reshape(1, 1, C, F), bias, (1, 1), "valid", activation)
    return y.reshape(*x.shape[:-1], F), saved


def dense_backward(dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
    """z = x·K + b gives dK = xᵀ·dz, db = Σ dz, dx = dz·Kᵀ, with all leading axes taken as one: two launches.

    dy (..., F) -> dx (..., C) or None, dkernel (C, F), dbias (F,) or None
    """
    dx, dkernel, dbias = conv2d_backward(dy.reshape(1, 1, -1, dy.shape[-1]), saved, need_dx)
    C, F = dkernel.shape[2:]
    return None if dx is None else dx.reshape(*dy.shape[:-1], C), dkernel.reshape(C, F), dbias
