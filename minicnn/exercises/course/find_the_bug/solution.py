"""A solution of exercise 13, find the bug: the functions without their bugs."""

import numpy as np


def dense(x, kernel, bias):
    """A dense layer with ReLU: x (N, C), kernel (C, F), bias (F,) -> y (N, F)."""
    z = x @ kernel + bias
    return np.maximum(z, 0), (x, kernel, z)


def dense_backward(dy, saved):
    """dy (N, F) -> dx (N, C), dkernel (C, F), dbias (F,)."""
    x, kernel, z = saved
    dz = dy * (z > 0)
    dx = dz @ kernel.T
    dkernel = x.T @ dz
    dbias = dz.sum(axis=0)
    return dx, dkernel, dbias


def softmax_crossentropy(z, labels):
    """z (N, K), labels (N,) -> the loss, the mean over the samples of −log p[label]."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(z)), labels]).mean()
    return loss, (p, labels)


def softmax_crossentropy_backward(saved):
    """-> dz (N, K)."""
    p, labels = saved
    t = np.zeros_like(p)
    t[np.arange(len(p)), labels] = 1
    dz = (p - t) / len(p)
    return dz


def convolution(x, kernel, bias, stride):
    """x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) -> y (N, OH, OW, F)."""
    N, H, W, C = x.shape
    KH, KW, C, F = kernel.shape
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    y = np.zeros((N, OH, OW, F))
    for p in range(OH):
        for q in range(OW):
            window = x[:, p * stride : p * stride + KH, q * stride : q * stride + KW, :]
            y[:, p, q, :] = np.tensordot(window, kernel, 3) + bias
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
            dx[:, rows, columns, :] += np.tensordot(dy[:, p, q, :], kernel, (1, 3))
            dkernel += np.tensordot(x[:, rows, columns, :], dy[:, p, q, :], (0, 0))
    dbias = dy.sum(axis=(0, 1, 2))
    return dx, dkernel, dbias


def max_pooling(x, size, stride):
    """x (N, H, W, C) -> y (N, OH, OW, C)."""
    N, H, W, C = x.shape
    OH, OW = (H - size) // stride + 1, (W - size) // stride + 1
    y = np.zeros((N, OH, OW, C))
    for p in range(OH):
        for q in range(OW):
            y[:, p, q, :] = x[:, p * stride : p * stride + size, q * stride : q * stride + size, :].max(axis=(1, 2))
    return y, (x, size, stride)


def max_pooling_backward(dy, saved):
    """dy (N, OH, OW, C) -> dx (N, H, W, C)."""
    x, size, stride = saved
    dx = np.zeros_like(x)
    for n, p, q, c in np.ndindex(dy.shape):
        window = x[n, p * stride : p * stride + size, q * stride : q * stride + size, c]
        i, j = np.unravel_index(window.argmax(), window.shape)
        dx[n, p * stride + i, q * stride + j, c] += dy[n, p, q, c]
    return dx


def batch_norm(x, gamma, beta, epsilon):
    """x (N, C), gamma (C,), beta (C,) -> y (N, C)."""
    std = np.sqrt(x.var(axis=0) + epsilon)
    normalized = (x - x.mean(axis=0)) / std
    return gamma * normalized + beta, (normalized, gamma, std)


def batch_norm_backward(dy, saved):
    """dy (N, C) -> dx (N, C), dgamma (C,), dbeta (C,)."""
    normalized, gamma, std = saved
    g = dy * gamma
    dx = (g - g.mean(axis=0) - normalized * (g * normalized).mean(axis=0)) / std
    dgamma = (dy * normalized).sum(axis=0)
    dbeta = dy.sum(axis=0)
    return dx, dgamma, dbeta
