"""Exercise 10: SGD, momentum, Adam.

An optimiser changes the weights w with their gradient dw. A step of each rule:

    SGD         w ← w − learning_rate · dw

    momentum    v ← momentum · v − learning_rate · dw
                w ← w + v

    Adam        t ← t + 1
                m ← beta1 · m + (1 − beta1) · dw
                v ← beta2 · v + (1 − beta2) · dw²
                m̂ = m / (1 − beta1ᵗ),    v̂ = v / (1 − beta2ᵗ)
                w ← w − learning_rate · m̂ / (√v̂ + epsilon)

    w, dw, m, v   of the same shape; m and v start as zeros, t as 0

Why the division by 1 − betaᵗ? After the first step m is (1 − beta1) · dw, much smaller than dw, only because it
started at zero. And after many steps?

`config` is a dict. It has the numbers, config["learning_rate"], config["momentum"], config["beta1"],
config["beta2"], config["epsilon"], config["t"]; and what has to be kept until the next step is stored in it by you,
such as config["v"]. The function returns the new weights and config.

YOUR TASK: complete the three functions. Then run

    python -m minicnn.exercises check optimizers
"""

import numpy as np


def sgd(w, dw, config):
    """-> the new w, config."""
    w = None
    return w, config


def momentum(w, dw, config):
    """-> the new w, config, which now has the velocity in config["v"]."""
    w = None
    return w, config


def adam(w, dw, config):
    """-> the new w, config, which now has config["t"], config["m"], config["v"]."""
    w = None
    return w, config
