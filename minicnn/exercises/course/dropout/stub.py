"""Exercise 9: dropout.

In training, dropout sets each entry to zero with the probability `rate`, and scales the others up so that the mean
stays the same. In inference it does nothing:

    training:    y = x · mask    mask[i] = 0 with the probability rate, else 1 / (1 − rate)
    inference:   y = x

    x, y, mask   of any, but the same shape

Where does the factor come from? The mean of mask[i] over many draws is (1 − rate) · 1 / (1 − rate) + rate · 0.

The derivation begins like this. A mask that is drawn is a constant: in this forward, y[i] is x[i] times a number.
What is ∂y[i]/∂x[i]? Which mask has to be used in the backward?

Draw random numbers from `rng`, a numpy.random.Generator: rng.random(shape) has numbers from 0 to 1 (without 1).

YOUR TASK: complete both functions. Then run

    python -m minicnn.exercises check dropout
"""

import numpy as np


def dropout(x, rate, rng, training):
    """x of any shape -> y of the same shape, and what the backward needs."""
    y = None
    saved = None
    return y, saved


def dropout_backward(dy, saved):
    """dy of y's shape -> dx of x's shape."""
    dx = None
    return dx
