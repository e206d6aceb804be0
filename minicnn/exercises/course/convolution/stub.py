"""Exercise 4: the convolution, by loops.

A kernel slides over the image. At each position (p, q) it is multiplied with the window of the image below it, and
the products are summed:

    y[n, p, q, f] = bias[f] + Σ_i Σ_j Σ_c x[n, p·S + i, q·S + j, c] · kernel[i, j, c, f]

    x        (N, H, W, C)      images, channels last
    kernel   (KH, KW, C, F)    F filters, each of KH × KW × C weights
    bias     (F,)
    S        the stride: the windows of neighbouring outputs are S pixels apart
    y        (N, OH, OW, F)    OH = (H − KH) // S + 1, OW = (W − KW) // S + 1

The derivation begins like this. A pixel x[n, h, w, c] is in several windows. In the window of (p, q) it lies at the
place i = h − p·S, j = w − q·S, and its factor is kernel[i, j, c, f]. The chain rule adds up all uses. A loop over
the pixels would have to find the windows that a pixel is in. It is easier the other way round: for each output (p,
q), add its part to all pixels of its window,

    dx[window of (p, q)] += Σ_f dy[n, p, q, f] · kernel[:, :, :, f]

Where is kernel[i, j, c, f] used, and with which factor? And bias[f]?

YOUR TASK: complete both functions. Loop over p, q and f; NumPy can do all samples and the whole window at once.
Then run

    python -m minicnn.exercises check convolution
"""

import numpy as np


def convolution(x, kernel, bias, stride):
    """x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) -> y (N, OH, OW, F), and what the backward needs."""
    N, H, W, C = x.shape
    KH, KW, C, F = kernel.shape
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    y = None  # np.zeros((N, OH, OW, F)), then loops that fill it
    return y, (x, kernel, stride)


def convolution_backward(dy, saved):
    """dy (N, OH, OW, F) -> dx (N, H, W, C), dkernel (KH, KW, C, F), dbias (F,)."""
    x, kernel, stride = saved
    KH, KW, C, F = kernel.shape
    N, OH, OW, F = dy.shape
    dx = None
    dkernel = None
    dbias = None
    return dx, dkernel, dbias
