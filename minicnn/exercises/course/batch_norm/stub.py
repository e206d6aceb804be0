"""Exercise 8: batch normalisation.

In training, every channel is shifted to the mean 0 and scaled to the standard deviation 1 over the batch; then the
layer scales and shifts it as it learns to:

    mean[c]          = 1/N · Σ_n x[n, c]
    variance[c]      = 1/N · Σ_n (x[n, c] − mean[c])²
    std[c]           = √(variance[c] + epsilon)
    normalized[n, c] = (x[n, c] − mean[c]) / std[c]
    y[n, c]          = gamma[c] · normalized[n, c] + beta[c]

    x             (N, C)     images (N, H, W, C) would be reshaped to (N·H·W, C)
    gamma, beta   (C,)
    y             (N, C)

The derivation begins like this. gamma and beta are like the weights of a dense layer. But an x[n, c] has an effect
on y along three paths: directly, in the numerator; through the mean, which is in the numerator of every sample; and
through std, which is in every denominator. The chain rule adds up the three. With g = dy · gamma, the gradient of
normalized:

    dx[n, c] = g[n, c] / std[c]  +  dmean[c] · ∂mean[c]/∂x[n, c]  +  dstd[c] · ∂std[c]/∂x[n, c]

What are dmean and dstd? They are sums over all samples. (In dmean, std may be held fixed. Why does the mean inside
of the variance not matter? Its derivative contains Σ_n (x[n, c] − mean[c]).)

YOUR TASK: complete both functions. Then run

    python -m minicnn.exercises check batch_norm
"""

import numpy as np


def batch_norm(x, gamma, beta, epsilon):
    """x (N, C), gamma (C,), beta (C,) -> y (N, C), and what the backward needs."""
    y = None
    saved = None
    return y, saved


def batch_norm_backward(dy, saved):
    """dy (N, C) -> dx (N, C), dgamma (C,), dbeta (C,)."""
    dx = None
    dgamma = None
    dbeta = None
    return dx, dgamma, dbeta
