"""Exercise 15: a layer of your own.

All layers of minicnn extend one class. A layer has an array of weights, or several, and three methods:

    build(input_shape)           makes the weights: self.beta = self.add_weight(name, shape, initializer)
    call(x, training)            returns y; keeps in self.saved what the backward needs
    call_backward(dy, need_dx)   returns dx; sets the gradient of each weight: self.beta.grad = …

The array of a weight is self.beta.value. The samples are on the first axis of x, the channels on the last; between
them there may be any number of axes.

The formula is up to you: the check takes your forward as the answer key. It wants at least one weight that y
depends on, not only by a sum or a product with a constant. A proposal is Swish, an activation with a slope for each
channel:

    y = x · σ(beta[c] · x),    σ(u) = 1 / (1 + exp(−u)),    beta (C,), in the beginning 1

The derivation begins like this. With s = σ(beta · x), y = x · s is a product in which x is in both factors:

    ∂y/∂x = s + x · ∂s/∂x

What is ∂s/∂x, and what is ∂s/∂beta? Over which axes is the gradient of beta summed?

YOUR TASK: complete the three methods, for Swish or for a layer that nobody has thought of yet. Then run

    python -m minicnn.exercises check own_layer
"""

import numpy as np

from minicnn.layers import Layer


class MyLayer(Layer):
    """x (N, …, C) -> y of the same shape."""

    def build(self, input_shape):
        """Make the weights: input_shape is (N, …, C)."""

    def call(self, x, training):
        """x (N, …, C) -> y (N, …, C)."""
        y = None
        self.saved = ()
        return y

    def call_backward(self, dy, need_dx):
        """dy (N, …, C) -> dx (N, …, C); sets the gradient of each weight."""
        dx = None
        return dx
