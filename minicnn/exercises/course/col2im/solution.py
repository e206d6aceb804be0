"""A solution of exercise 6, col2im."""

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


def col2im(dcolumns, shape, stride):
    """dcolumns (N, OH, OW, KH, KW, C), the shape of x -> dx (N, H, W, C)."""
    N, OH, OW, KH, KW, C = dcolumns.shape
    dx = np.zeros(shape)
    for i in range(KH):
        for j in range(KW):
            dx[:, i : i + stride * OH : stride, j : j + stride * OW : stride, :] += dcolumns[:, :, :, i, j, :]
    return dx


def convolution(x, kernel, bias, stride):
    """x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) -> y (N, OH, OW, F)."""
    KH, KW, C, F = kernel.shape
    columns = im2col(x, KH, KW, stride)
    N, OH, OW = columns.shape[:3]
    rows = columns.reshape(N * OH * OW, KH * KW * C)
    y = (rows @ kernel.reshape(KH * KW * C, F) + bias).reshape(N, OH, OW, F)
    return y, (x.shape, columns, kernel, stride)


def convolution_backward(dy, saved):
    """dy (N, OH, OW, F) -> dx (N, H, W, C), dkernel (KH, KW, C, F), dbias (F,)."""
    shape, columns, kernel, stride = saved
    KH, KW, C, F = kernel.shape
    N, OH, OW, F = dy.shape
    rows, dz = columns.reshape(N * OH * OW, KH * KW * C), dy.reshape(N * OH * OW, F)
    dkernel = (rows.T @ dz).reshape(kernel.shape)
    dbias = dz.sum(axis=0)
    drows = dz @ kernel.reshape(KH * KW * C, F).T
    dx = col2im(drows.reshape(N, OH, OW, KH, KW, C), shape, stride)
    return dx, dkernel, dbias
