"""Convolution as one matrix product: lay every window out as a row (im2col), multiply by the kernel."""

from __future__ import annotations

from ..contract import Array, Pair, Saved
from .activations import activate, activate_backward
from .windows import col2im, im2col


def conv2d(
    x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, activation: str
) -> tuple[Array, Saved]:
    """Slide F kernels over the image: y = activation(im2col(x) · kernel + bias).

    z[n, p, q, f] = bias[f] + Σ_ijc x[n, p·SH + i, q·SW + j, c] · kernel[i, j, c, f]

    x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) or None -> y (N, OH, OW, F)
    """
    KH, KW, C, F = kernel.shape
    columns = im2col(x, (KH, KW), strides, padding)  # (N, OH, OW, KH, KW, C)
    N, OH, OW = columns.shape[:3]
    rows = columns.reshape(N * OH * OW, KH * KW * C)  # one row per window
    z = rows @ kernel.reshape(KH * KW * C, F)  # (N·OH·OW, KH·KW·C) · (KH·KW·C, F) -> (N·OH·OW, F)
    if bias is not None:
        z = z + bias  # (N·OH·OW, F) + (F,)
    y = activate(z, activation).reshape(N, OH, OW, F)
    return y, (x, kernel, bias, y, strides, padding, activation)


def conv2d_backward(dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
    """The same product, differentiated: z = R·K + b gives dK = Rᵀ·dz, db = Σ dz, dR = dz·Kᵀ; col2im makes dR dx.

    dy (N, OH, OW, F) -> dx (N, H, W, C) or None, dkernel (KH, KW, C, F), dbias (F,) or None
    """
    x, kernel, bias, y, strides, padding, activation = saved
    KH, KW, C, F = kernel.shape
    N, OH, OW, _ = dy.shape
    dz = activate_backward(dy, y, activation).reshape(N * OH * OW, F)
    rows = im2col(x, (KH, KW), strides, padding).reshape(N * OH * OW, KH * KW * C)  # again: cheaper than keeping it
    dkernel = (rows.T @ dz).reshape(kernel.shape)  # (KH·KW·C, N·OH·OW) · (N·OH·OW, F) -> (KH·KW·C, F)
    dbias = None if bias is None else dz.sum(axis=0)  # (F,)
    if not need_dx:
        return None, dkernel, dbias
    drows = dz @ kernel.reshape(KH * KW * C, F).T  # (N·OH·OW, F) · (F, KH·KW·C) -> (N·OH·OW, KH·KW·C)
    dx = col2im(drows.reshape(N, OH, OW, KH, KW, C), x.shape, strides, padding)
    return dx, dkernel, dbias
