"""A solution of exercise 2, ReLU."""

import numpy as np


def relu(x):
    """x of any shape -> y of the same shape, and what the backward needs."""
    y = np.maximum(x, 0)
    saved = x > 0
    return y, saved


def relu_backward(dy, saved):
    """dy of y's shape -> dx of x's shape."""
    dx = dy * saved
    return dx
