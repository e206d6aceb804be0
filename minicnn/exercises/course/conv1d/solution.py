"""A solution of exercise 12, a Conv1D network."""

import numpy as np


def conv1d(x, kernel, bias):
    """x (N, L, C), kernel (K, C, F), bias (F,) -> y (N, OL, F), and what the backward needs."""
    N, L, C = x.shape
    K, C, F = kernel.shape
    OL = L - K + 1
    y = np.zeros((N, OL, F)) + bias
    for i in range(K):
        y += x[:, i : i + OL, :] @ kernel[i]
    saved = x, kernel
    return y, saved


def conv1d_backward(dy, saved):
    """dy (N, OL, F) -> dx (N, L, C), dkernel (K, C, F), dbias (F,)."""
    x, kernel = saved
    OL = dy.shape[1]
    dx, dkernel = np.zeros_like(x), np.zeros_like(kernel)
    for i in range(len(kernel)):
        dx[:, i : i + OL, :] += dy @ kernel[i].T
        dkernel[i] = np.einsum("npc,npf->cf", x[:, i : i + OL, :], dy)
    dbias = dy.sum(axis=(0, 1))
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
    z, saved1 = conv1d(x, kernel1, bias1)
    a, saved2 = relu(z)
    logits, saved3 = dense(a.mean(axis=1), kernel2, bias2)
    saved = saved1, saved2, saved3
    return logits, saved


def network_backward(dlogits, saved):
    """dlogits (N, classes) -> dx, dkernel1, dbias1, dkernel2, dbias2."""
    saved1, saved2, saved3 = saved
    dm, dkernel2, dbias2 = dense_backward(dlogits, saved3)
    OL = saved2.shape[1]
    da = np.repeat(dm[:, None, :] / OL, OL, axis=1)
    dz = relu_backward(da, saved2)
    dx, dkernel1, dbias1 = conv1d_backward(dz, saved1)
    return dx, dkernel1, dbias1, dkernel2, dbias2
