"""The convolution pair: two ways to compute it, and which one a convolution takes.

`direct.py` multiplies by every window and takes any convolution; `winograd.py` takes kernels of 3 x 3 and 1 x 3 on
batches and needs fewer multiplications: 36 instead of 144 for 4 x 4 outputs of a 3 x 3 kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import textbook
from ..contract import Array, Pair, Saved
from ..textbook.activations import activate, activate_backward
from . import activations, direct, winograd
from .kernels import compilable, plain
from .stages import Shape, Stage


def conv2d(
    x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, activation: str
) -> tuple[Array, Saved]:
    """Slide F kernels over the image: y = activation(im2col(x) · kernel + bias).

    x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) or None -> y (N, OH, OW, F)
    """
    if not compilable(x, kernel, bias):
        return textbook.conv2d(x, kernel, bias, strides, padding, activation)
    x, kernel = plain(x), plain(kernel)
    w = direct.windows(x.shape, kernel.shape, strides, padding)
    added = np.zeros(w.F, x.dtype) if bias is None else plain(bias)
    floor = 0.0 if activation == "relu" else -np.inf
    method = winograd if winograd.suits(w, x.itemsize) else direct
    y = method.forward(x, kernel, added, floor, w)
    if activation != "relu":
        y = activate(y, activation)
    return y, (x, kernel, bias, y, strides, padding, activation)


def stages(
    samples: int, shape: Shape, itemsize: int, weights: Sequence[Array | None], options: tuple[Any, ...]
) -> list[Stage]:
    """conv2d in inference, on samples of this shape."""
    kernel, bias = weights
    strides, padding, activation = options
    H, W, C = (1, *shape)[-3:]
    kernel = kernel.reshape((1, *kernel.shape)[-4:])
    w = direct.windows((samples, H, W, C), kernel.shape, strides, padding)
    if bias is None:
        bias = np.zeros(w.F, kernel.dtype)
    method = winograd if winograd.suits(w, itemsize) else direct
    stage = method.stage(samples, w, kernel, bias, activation == "relu")
    stage = stage._replace(shape=stage.shape[-len(shape) :])
    rest = (
        []
        if activation in ("relu", "linear")
        else activations.stages(samples, stage.shape, itemsize, (), (activation,))
    )
    return [stage, *rest]


def conv2d_backward(dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
    """The adjoint of the same method; relu's derivative is applied on the way.

    dy (N, OH, OW, F) -> dx (N, H, W, C) or None, dkernel (KH, KW, C, F), dbias (F,) or None
    """
    x, kernel, bias, y, strides, padding, activation = saved
    if not compilable(dy, x, kernel):
        return textbook.conv2d_backward(dy, saved, need_dx)
    w = direct.windows(x.shape, kernel.shape, strides, padding)
    relu = activation == "relu"
    dz = plain(dy if relu else activate_backward(dy, y, activation))
    method = winograd if winograd.suits(w, x.itemsize) else direct
    dx, dkernel, dbias = method.backward(x, kernel, dz, y, relu, need_dx, w)
    return dx, dkernel, None if bias is None else dbias
