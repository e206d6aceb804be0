"""Exercise 6: col2im, the backward of im2col.

im2col copies pixels: a pixel that lies in several windows is copied several times. In the backward, a gradient
arrives for each copy, dcolumns, and the gradient of the pixel is wanted:

    columns[n, p, q, i, j, c] = x[n, p·S + i, q·S + j, c]

The derivation begins like this. Each entry of columns is one entry of x, with the factor 1. So the chain rule

    dx[n, h, w, c] = Σ dcolumns[n, p, q, i, j, c]

sums over all (p, q, i, j) that are copies of the pixel (h, w): those with p·S + i = h and q·S + j = w. Do not
search for them: go through im2col's loops, and let each copy find its pixel.

With col2im, the convolution's dx is short. As matrices y = rows · K + bias, rows being the columns with two axes.
That is a dense layer: what is drows?

YOUR TASK: complete col2im, and dx in convolution_backward; the rest is given. Then run

    python -m minicnn.exercises check col2im
"""

import numpy as np


def im2col(x, KH, KW, stride):
    """x (N, H, W, C) -> columns (N, OH, OW, KH, KW, C). This function is given."""
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
    dx = None
    return dx


def convolution(x, kernel, bias, stride):
    """x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) -> y (N, OH, OW, F). This function is given."""
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
    dx = None  # two lines: drows, then col2im
    return dx, dkernel, dbias
