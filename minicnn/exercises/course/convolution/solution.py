"""A solution of exercise 4, the convolution by loops."""

import numpy as np


def convolution(x, kernel, bias, stride):
    """x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) -> y (N, OH, OW, F), and what the backward needs."""
    N, H, W, C = x.shape
    KH, KW, C, F = kernel.shape
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    y = np.zeros((N, OH, OW, F))
    for p in range(OH):
        for q in range(OW):
            window = x[:, p * stride : p * stride + KH, q * stride : q * stride + KW, :]
            for f in range(F):
                y[:, p, q, f] = (window * kernel[:, :, :, f]).sum(axis=(1, 2, 3)) + bias[f]
    return y, (x, kernel, stride)


def convolution_backward(dy, saved):
    """dy (N, OH, OW, F) -> dx (N, H, W, C), dkernel (KH, KW, C, F), dbias (F,)."""
    x, kernel, stride = saved
    KH, KW, C, F = kernel.shape
    N, OH, OW, F = dy.shape
    dx = np.zeros_like(x)
    dkernel = np.zeros_like(kernel)
    for p in range(OH):
        for q in range(OW):
            rows, columns = slice(p * stride, p * stride + KH), slice(q * stride, q * stride + KW)
            window = x[:, rows, columns, :]
            for f in range(F):
                d = dy[:, p, q, f][:, None, None, None]
                dx[:, rows, columns, :] += d * kernel[:, :, :, f]
                dkernel[:, :, :, f] += (window * d).sum(axis=0)
    dbias = dy.sum(axis=(0, 1, 2))
    return dx, dkernel, dbias
