"""A solution of exercise 15, a layer of your own: Swish with a slope for each channel."""

import numpy as np

from minicnn.layers import Layer


class MyLayer(Layer):
    """y = x · σ(beta · x): x (N, …, C) -> y of the same shape."""

    def build(self, input_shape):
        """Make the weights: input_shape is (N, …, C)."""
        self.beta = self.add_weight("beta", (input_shape[-1],), "ones")

    def call(self, x, training):
        """x (N, …, C) -> y (N, …, C)."""
        s = 1 / (1 + np.exp(-self.beta.value * x))
        self.saved = x, s
        return x * s

    def call_backward(self, dy, need_dx):
        """dy (N, …, C) -> dx (N, …, C); sets the gradient of each weight."""
        x, s = self.saved
        beta = self.beta.value
        self.beta.grad = (dy * x * x * s * (1 - s)).reshape(-1, beta.size).sum(axis=0)
        return dy * (s + beta * x * s * (1 - s))
