"""The convolution pair, by one of two algorithms: see `convolution/`.

Winograd's takes kernels of 3 x 3, 1 x 3 and 1 x 2 on batches; the implicit GEMM takes any convolution.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..contract import Array, Pair, Saved
from ..geometry import Windows, windows
from . import activations
from .convolution import implicit_gemm, winograd
from .executor import Shape, Stage, forward
from .gemm.gemm import filled_up
from .gemm.microkernel import MR
from .runtime.threads import MIN_PARALLEL_WORK, thread_count


def conv2d(
    x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, activation: str
) -> tuple[Array, Saved]:
    """Slide F kernels over the image: y = activation(im2col(x) · kernel + bias).

    x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) or None -> y (N, OH, OW, F)
    """
    y = forward(stages, x, [kernel, bias], strides, padding, activation, True)
    return y, (x, kernel, bias, y, strides, padding, activation)


def conv2d_backward(dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
    """The gradients by the same algorithm; relu's derivative is applied on the way.

    dy (N, OH, OW, F) -> dx (N, H, W, C) or None, dkernel (KH, KW, C, F), dbias (F,) or None
    """
    x, kernel, bias, y, strides, padding, activation = saved
    w, relu = _windows(x.shape, kernel.shape, strides, padding), activation == "relu"
    dz = dy if relu else activations.activate_backward(dy, y, activation)
    algorithm, K, threads = _algorithm(w, x.itemsize), w.KH * w.KW * w.C, thread_count()
    dkernels = np.zeros((threads, -(-K // MR) * MR, filled_up(w.F, x.itemsize)), x.dtype)  # one for each thread
    dbiases, dx = np.zeros((threads, w.F)), np.empty(x.shape if need_dx else 0, x.dtype)
    algorithm.backward(
        x.reshape(-1), kernel.reshape(-1), dz.reshape(-1), y.reshape(-1), relu, dx.reshape(-1), dkernels, dbiases, w.N,
        *algorithm.backward_tables(w, x.itemsize), alone=w.N * w.OH * w.OW * K * w.F < MIN_PARALLEL_WORK,
    )  # fmt: skip
    dkernel = np.ascontiguousarray(dkernels.sum(axis=0)[:K, : w.F]).reshape(kernel.shape)  # in the threads' order
    dbias = None if bias is None else dbiases.sum(axis=0).astype(x.dtype)
    return dx if need_dx else None, dkernel, dbias


def stages(
    shape: Shape,
    itemsize: int,
    weights: tuple[Shape, ...],
    strides: Pair,
    padding: str,
    activation: str,
    training: bool = False,
) -> list[Stage]:
    """conv2d of images of this shape: a convolution with relu in its epilogue, or one and its activation."""
    w = _windows(shape, weights[0], strides, padding)
    stage = _algorithm(w, itemsize).stage(w, activation == "relu", itemsize, training)
    if activation in ("relu", "linear"):
        return [stage]
    return [stage, *activations.stages((w.N, *stage.shape), itemsize, (), activation)]


def _windows(shape: Shape, kernel: Shape, strides: Pair, padding: str) -> Windows:
    KH, KW, _, F = kernel
    return windows(shape, (KH, KW), F, strides, padding)


@lru_cache(maxsize=256)
def _algorithm(w: Windows, itemsize: int) -> Any:
    return winograd if winograd.suits(w, itemsize) else implicit_gemm
