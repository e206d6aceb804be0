"""Exercise 12: a Conv1D network.

A one-dimensional convolution slides over a sequence instead of an image, such as an image that is read row by row:

    y[n, p, f] = bias[f] + Σ_i Σ_c x[n, p + i, c] · kernel[i, c, f]

    x        (N, L, C)     N sequences of L steps, each of C channels
    kernel   (K, C, F)     F filters over K steps
    y        (N, OL, F)    OL = L − K + 1

The network classifies sequences of any length:

    z       = conv1d(x, kernel1, bias1)      (N, OL, F)
    a       = relu(z)                        (N, OL, F)
    m       = mean of a over the positions   (N, F)       m[n, f] = 1/OL · Σ_p a[n, p, f]
    logits  = dense(m, kernel2, bias2)       (N, classes)

The derivation begins like this. The chain rule goes from the end to the beginning: each function's backward gets
the gradient of its output and returns that of its input, which is the output of the function before it. So the
whole is

    dlogits → dm → da → dz → dx

and on the way each layer returns the gradients of its weights. For relu and dense you have written the backwards.
What is da, if m is a mean?

YOUR TASK: complete conv1d and its backward, then network and its backward. The others are given. Then run

    python -m minicnn.exercises check conv1d
"""

import numpy as np


def conv1d(x, kernel, bias):
    """x (N, L, C), kernel (K, C, F), bias (F,) -> y (N, OL, F), and what the backward needs."""
    N, L, C = x.shape
    K, C, F = kernel.shape
    OL = L - K + 1
    y = None
    saved = None
    return y, saved


def conv1d_backward(dy, saved):
    """dy (N, OL, F) -> dx (N, L, C), dkernel (K, C, F), dbias (F,)."""
    dx = None
    dkernel = None
    dbias = None
    return dx, dkernel, dbias


def relu(x):
    """This function is given."""
    return np.maximum(x, 0), x > 0


def relu_backward(dy, saved):
    """This function is given."""
    return dy * saved


def dense(x, kernel, bias):
    """This function is given."""
    return x @ kernel + bias, (x, kernel)


def dense_backward(dy, saved):
    """This function is given."""
    x, kernel = saved
    return dy @ kernel.T, x.T @ dy, dy.sum(axis=0)


def network(x, kernel1, bias1, kernel2, bias2):
    """x (N, L, C), kernel1 (K, C, F), bias1 (F,), kernel2 (F, classes), bias2 (classes,) -> logits, saved."""
    logits = None
    saved = None
    return logits, saved


def network_backward(dlogits, saved):
    """dlogits (N, classes) -> dx, dkernel1, dbias1, dkernel2, dbias2."""
    dx = dkernel1 = dbias1 = dkernel2 = dbias2 = None
    return dx, dkernel1, dbias1, dkernel2, dbias2
