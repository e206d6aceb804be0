"""The dense layer's map: one matrix product over the last axis."""

from __future__ import annotations

from ..contract import Array, Saved
from .activations import activate, activate_backward


def dense(x: Array, kernel: Array, bias: Array | None, activation: str) -> tuple[Array, Saved]:
    """Every output sees every input: y = activation(x · kernel + bias).

    x (..., C), kernel (C, F), bias (F,) or None -> y (..., F)
    """
    z = x @ kernel  # (..., C) · (C, F) -> (..., F)
    if bias is not None:
        z = z + bias
    y = activate(z, activation)
    return y, (x, kernel, bias, y, activation)


def dense_backward(dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
    """z = x·K + b gives dK = xᵀ·dz, db = Σ dz, dx = dz·Kᵀ, with all leading axes taken as one.

    dy (..., F) -> dx (..., C) or None, dkernel (C, F), dbias (F,) or None
    """
    x, kernel, bias, y, activation = saved
    C, F = kernel.shape
    dz = activate_backward(dy, y, activation)
    rows, drows = x.reshape(-1, C), dz.reshape(-1, F)
    dkernel = rows.T @ drows  # (C, N) · (N, F) -> (C, F)
    dbias = None if bias is None else drows.sum(axis=0)  # (F,)
    dx = dz @ kernel.T if need_dx else None  # (..., F) · (F, C) -> (..., C)
    return dx, dkernel, dbias
