"""Exercise 2: ReLU, the rectified linear unit.

An activation acts on every number by itself:

    y = max(x, 0)          x, y of any shape

The derivation begins like this. Each y[i] depends on one x[i] only, so the sum of the chain rule has a single term:

    dx[i] = dy[i] · ∂y[i]/∂x[i]

What is ∂y/∂x where x > 0, and where x < 0? (At x = 0 there is a kink and no derivative; 0 is the usual choice.)

The forward returns y and `saved`: whatever the backward will need. It may be an array or a tuple of arrays.

YOUR TASK: replace the None in both functions. Then run

    python -m minicnn.exercises check relu
"""

import numpy as np


def relu(x):
    """x of any shape -> y of the same shape, and what the backward needs."""
    y = None
    saved = None
    return y, saved


def relu_backward(dy, saved):
    """dy of y's shape -> dx of x's shape."""
    dx = None
    return dx
