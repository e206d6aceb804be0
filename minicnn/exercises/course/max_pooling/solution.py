"""A solution of exercise 7, max pooling."""

import numpy as np


def max_pooling(x, size, stride):
    """x (N, H, W, C) -> y (N, OH, OW, C), and what the backward needs."""
    N, H, W, C = x.shape
    OH, OW = (H - size) // stride + 1, (W - size) // stride + 1
    y = np.zeros((N, OH, OW, C))
    winners = np.zeros((N, OH, OW, C), int)
    for p in range(OH):
        for q in range(OW):
            window = x[:, p * stride : p * stride + size, q * stride : q * stride + size, :]
            pixels = window.reshape(N, size * size, C)
            y[:, p, q, :] = pixels.max(axis=1)
            winners[:, p, q, :] = pixels.argmax(axis=1)
    return y, (x.shape, winners, size, stride)


def max_pooling_backward(dy, saved):
    """dy (N, OH, OW, C) -> dx (N, H, W, C)."""
    shape, winners, size, stride = saved
    N, OH, OW, C = dy.shape
    dx = np.zeros(shape)
    for p in range(OH):
        for q in range(OW):
            part = np.zeros((N, size * size, C))
            np.put_along_axis(part, winners[:, p, q, None, :], dy[:, p, q, None, :], axis=1)
            window = part.reshape(N, size, size, C)
            dx[:, p * stride : p * stride + size, q * stride : q * stride + size, :] += window
    return dx
