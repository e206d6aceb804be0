"""The convolution pair: two ways to compute it, and which one a convolution takes.

`direct.py` multiplies by every window and takes any convolution; `winograd.py` takes kernels of 3 x 3, 1 x 3 and
1 x 2 on batches and needs fewer multiplications: 36 instead of 144 for 4 x 4 outputs of a 3 x 3 kernel.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..contract import Array, Pair, Saved, Step
from ..textbook.activations import activate, activate_backward
from . import activations, direct, winograd
from .blank import clear_blank
from .direct import Windows
from .program import Program, addresses_of
from .runtime.threads import thread_count
from .stages import Shape, Stage, check_vectors


def conv2d(
    x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, activation: str
) -> tuple[Array, Saved]:
    """Slide F kernels over the image: y = activation(im2col(x) · kernel + bias).

    x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) or None -> y (N, OH, OW, F)
    """
    w = direct.windows(x.shape, kernel.shape, strides, padding)
    y = _program(w, activation == "relu", x.dtype).run(x, addresses_of([kernel, bias]))
    if _method(w, x.itemsize) is winograd:
        clear_blank(x, bias, activation == "relu", y, w)
    if activation != "relu":
        y = activate(y, activation)
    return y, (x, kernel, bias, y, strides, padding, activation)


@lru_cache(maxsize=256)
def _program(w: Windows, relu: bool, dtype: np.dtype) -> Program:
    """The forward alone; the threads share out its samples and nothing else, so it is made as for one thread."""
    stage = _method(w, dtype.itemsize).stage(w, relu, dtype.itemsize)
    return Program([stage], w.N, w.H * w.W * w.C, dtype, threads=1)


@lru_cache(maxsize=256)
def _method(w: Windows, itemsize: int) -> Any:
    return winograd if winograd.suits(w, itemsize) else direct


def stages(samples: int, shape: Shape, itemsize: int, step: Step) -> list[Stage]:
    """conv2d in inference, on samples of this shape."""
    _, (kernel, bias), (strides, padding, activation) = step
    w = direct.windows((samples, *(1, *shape)[-3:]), (1, *kernel.shape)[-4:], strides, padding)
    check_vectors("conv2d", [bias], w.F)
    return [stage._replace(shape=stage.shape[-len(shape) :]) for stage in stages_of(w, itemsize, activation)]


def stages_of(w: Windows, itemsize: int, activation: str) -> list[Stage]:
    """A convolution and its activation. Threads can share one image's windows, but not its tiles."""
    method = direct if thread_count() > w.N else _method(w, itemsize)
    stage = method.stage(w, activation == "relu", itemsize)
    return [stage] if activation in ("relu", "linear") else [stage, activations.stage(stage.shape, activation)]


def conv2d_backward(dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
    """The adjoint of the same method; relu's derivative is applied on the way.

    dy (N, OH, OW, F) -> dx (N, H, W, C) or None, dkernel (KH, KW, C, F), dbias (F,) or None
    """
    x, kernel, bias, y, strides, padding, activation = saved
    w = direct.windows(x.shape, kernel.shape, strides, padding)
    relu = activation == "relu"
    dz = dy if relu else activate_backward(dy, y, activation)
    method = _method(w, x.itemsize)
    dx, dkernel, dbias = method.backward(x, kernel, dz, y, relu, need_dx, w)
    return dx, dkernel, None if bias is None else dbias
