"""Exercise 3: softmax and cross-entropy.

A network for K classes ends in K numbers for each sample, the logits z. Softmax makes probabilities of each row,
and the loss asks how probable the right class was:

    p[n, k] = exp(z[n, k]) / Σ_j exp(z[n, j])
    loss    = −1/N · Σ_n log p[n, labels[n]]

    z        (N, K)    logits
    labels   (N,)      the right class of each sample, whole numbers from 0 to K − 1
    p        (N, K)    each row sums to 1
    loss     a number

exp(1000) is infinite, so the fraction must not be computed as it stands. Subtract the row's largest logit from all
logits of the row first: why does p stay the same?

The derivation begins like this. The loss of one sample with the label k is

    −log p[k] = −z[k] + log Σ_j exp(z[j])

What is its derivative with respect to z[j]? There are two cases: j is the label, or it is not. The logarithm's
derivative contains a fraction that you know. This is the end of the network, so the backward gets no dy: it begins
here.

YOUR TASK: replace the None in the three functions. Then run

    python -m minicnn.exercises check softmax
"""

import numpy as np


def softmax(z):
    """z (N, K) -> p (N, K)."""
    p = None
    return p


def softmax_crossentropy(z, labels):
    """z (N, K), labels (N,) -> the loss, a number, and what the backward needs."""
    p = softmax(z)
    loss = None
    saved = None
    return loss, saved


def softmax_crossentropy_backward(saved):
    """-> dz (N, K), the gradient of the loss with respect to the logits."""
    dz = None
    return dz
