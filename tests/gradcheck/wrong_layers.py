"""Layers with a mistake in their backward."""

from __future__ import annotations

import numpy as np

from minicnn.layers import Layer


def planted(layer, mistake):
    """The layer with a mistake in its backward, which returns mistake(layer, dy, dx) for the correct dx."""
    right = layer.call_backward

    def call_backward(dy, need_dx):
        return mistake(layer, dy, right(dy, True))

    layer.call_backward = call_backward
    return layer


def grad_of(name, change):
    """A mistake in one parameter's gradient."""

    def mistake(layer, dy, dx):
        parameter = getattr(layer, name)
        parameter.grad = change(parameter.grad)
        return dx

    return mistake


def mean_over_batch(name):
    def mistake(layer, dy, dx):
        parameter = getattr(layer, name)
        parameter.grad = parameter.grad / len(dy)
        return dx

    return mistake


class LoopedDense(Layer):
    """A dense layer whose loop over the samples overwrites the kernel's gradient instead of adding to it."""

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 3)

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], 3), "glorot_uniform")

    def call(self, x, training):
        self.saved = x
        return x @ self.kernel.value

    def call_backward(self, dy, need_dx):
        for n in range(len(dy)):
            self.kernel.grad = np.outer(self.saved[n], dy[n])
        return dy @ self.kernel.value.T


class AccumulatingDense(LoopedDense):
    def call_backward(self, dy, need_dx):
        dkernel = self.saved.T @ dy
        self.kernel.grad = dkernel if self.kernel.grad is None else self.kernel.grad + dkernel
        return dy @ self.kernel.value.T
