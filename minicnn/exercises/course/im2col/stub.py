"""Exercise 5: im2col, the convolution as one matrix product.

Loops in Python are slow. im2col ("image to columns") copies every window of the image into a row of a matrix:

    columns[n, p, q, i, j, c] = x[n, p·S + i, q·S + j, c]

    x         (N, H, W, C)
    columns   (N, OH, OW, KH, KW, C)     OH = (H − KH) // S + 1, OW = (W − KW) // S + 1

With (p, q) the output's position and (i, j) the place in the window, the sum of the convolution has one factor with
the indices i, j, c in columns and one in the kernel:

    y[n, p, q, f] = bias[f] + Σ_ijc columns[n, p, q, i, j, c] · kernel[i, j, c, f]

If i, j, c are written as one index, and n, p, q as another, what is this? You know its backward already.

YOUR TASK: complete the three functions. The last one returns dkernel and dbias only: dx is the next exercise. Then
run

    python -m minicnn.exercises check im2col
"""

import numpy as np


def im2col(x, KH, KW, stride):
    """x (N, H, W, C) -> columns (N, OH, OW, KH, KW, C)."""
    N, H, W, C = x.shape
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    columns = None  # np.zeros((N, OH, OW, KH, KW, C)), then a loop over i and j that fills it
    return columns


def convolution(x, kernel, bias, stride):
    """x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) -> y (N, OH, OW, F), and what the backward needs."""
    KH, KW, C, F = kernel.shape
    columns = im2col(x, KH, KW, stride)
    y = None  # no loop: reshape, one product, reshape
    return y, (columns, kernel)


def convolution_backward(dy, saved):
    """dy (N, OH, OW, F) -> dkernel (KH, KW, C, F), dbias (F,)."""
    columns, kernel = saved
    dkernel = None
    dbias = None
    return dkernel, dbias
