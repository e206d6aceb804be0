"""Exercise 7: max pooling.

Max pooling keeps the largest number of each window, for each channel by itself:

    y[n, p, q, c] = max over i, j of x[n, p·S + i, q·S + j, c],    i, j = 0 … size − 1

    x     (N, H, W, C)
    S     the stride; if it is smaller than the size, windows overlap
    y     (N, OH, OW, C)    OH = (H − size) // S + 1, OW = (W − size) // S + 1

The derivation begins like this. Let the winner of a window be the pixel that is its maximum. If the winner changes
a little, y changes by the same; if another pixel changes a little, y does not change at all. So ∂y/∂x is 1 for one
pixel of the window, and 0 for the others.

In what case does a pixel get several terms of the chain rule's sum? And what do you have to keep from the forward?

YOUR TASK: complete both functions. Then run

    python -m minicnn.exercises check max_pooling
"""

import numpy as np


def max_pooling(x, size, stride):
    """x (N, H, W, C) -> y (N, OH, OW, C), and what the backward needs."""
    N, H, W, C = x.shape
    OH, OW = (H - size) // stride + 1, (W - size) // stride + 1
    y = None
    saved = None
    return y, saved


def max_pooling_backward(dy, saved):
    """dy (N, OH, OW, C) -> dx (N, H, W, C)."""
    dx = None
    return dx
