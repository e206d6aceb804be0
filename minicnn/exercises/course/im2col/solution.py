"""A solution of exercise 5, im2col."""

import numpy as np


def im2col(x, KH, KW, stride):
    """x (N, H, W, C) -> columns (N, OH, OW, KH, KW, C)."""
    N, H, W, C = x.shape
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    columns = np.zeros((N, OH, OW, KH, KW, C))
    for i in range(KH):
        for j in range(KW):
            columns[:, :, :, i, j, :] = x[:, i : i + stride * OH : stride, j : j + stride * OW : stride, :]
    return columns


def convolution(x, kernel, bias, stride):
    """x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) -> y (N, OH, OW, F), and what the backward needs."""
    KH, KW, C, F = kernel.shape
    columns = im2col(x, KH, KW, stride)
    N, OH, OW = columns.shape[:3]
    rows = columns.reshape(N * OH * OW, KH * KW * C)
    y = (rows @ kernel.reshape(KH * KW * C, F) + bias).reshape(N, OH, OW, F)
    return y, (columns, kernel)


def convolution_backward(dy, saved):
    """dy (N, OH, OW, F) -> dkernel (KH, KW, C, F), dbias (F,)."""
    columns, kernel = saved
    N, OH, OW, F = dy.shape
    rows, dz = columns.reshape(N * OH * OW, -1), dy.reshape(N * OH * OW, F)
    dkernel = (rows.T @ dz).reshape(kernel.shape)
    dbias = dz.sum(axis=0)
    return dkernel, dbias
