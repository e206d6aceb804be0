"""Twins of a minicnn model: the same layers, weights and dropout masks in Keras and in PyTorch.

Both have the same four methods, so that one test works for both. Weights are in Keras's order and layouts.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F

import minicnn
from minicnn.layers import Dropout

torch.set_num_threads(1)  # its waiting threads would take the cores from NumPy and Numba

TOLERANCES = {"float64": 1e-9, "float32": 1e-4}


def assert_close(found, expected, what=""):
    """Equal to the tolerance of their dtype, relative to the largest number in the array."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, what
    assert found.dtype == expected.dtype, what
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    tolerance = TOLERANCES[str(expected.dtype)] * scale
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, err_msg=what)


def randomize(model, generator):
    """New weights of every kind, so that no zero bias and no gamma of one hides a mistake."""
    values = [generator.normal(size=weight.value.shape) * 0.3 for weight in model.weights]
    for weight, value in zip(model.weights, values, strict=True):
        if weight.name.endswith("variance"):
            np.abs(value, out=value)
            value += 0.5
    model.set_weights(values)
    return model


def next_masks(model, samples):
    """The masks that the model's dropout layers will draw in the next training forward, in order."""
    return [
        minicnn.backends.active().dropout(
            np.ones((samples, *layer.output_shape[1:]), model.dtype), layer.rate, layer.seed, layer.calls
        )[0]
        for layer in model.layers
        if isinstance(layer, Dropout)
    ]


class Mask(keras.layers.Layer):
    """Dropout whose mask is given: a variable, but not one of the model's weights."""

    def build(self, input_shape):
        self.mask = tf.Variable(tf.zeros([0, *input_shape[1:]], self.dtype), shape=input_shape, trainable=False)

    def call(self, x, training=False):
        return x * self.mask if training else x


class KerasTwin:
    """The model in Keras, on TensorFlow."""

    def __init__(self, model):
        twins = [self._layer(layer) for layer in model.layers]
        self.model = keras.Sequential([keras.Input(model.input_shape[1:]), *twins])
        self.model.set_weights(model.get_weights())

    @staticmethod
    def _layer(layer):
        return Mask() if isinstance(layer, Dropout) else getattr(keras.layers, type(layer).__name__)(**layer.arguments)

    def gradients(self, x, dy, training, masks=()):
        """y, dx and the gradients with respect to all parameters, for the upstream gradient dy."""
        self._set_masks(masks)
        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = self.model(x, training=training)
            score = tf.reduce_sum(y * dy)
        dx, *grads = tape.gradient(score, [x, *self.model.trainable_variables])
        return y.numpy(), dx.numpy(), [grad.numpy() for grad in grads]

    def compile(self):
        """Adam and categorical cross-entropy, with the defaults."""
        optimizer = keras.optimizers.Adam()
        for name in ("beta_1", "beta_2"):  # Keras rounds Python's numbers to float32, even in float64
            setattr(optimizer, name, tf.constant(getattr(optimizer, name), self.model.variable_dtype))
        self.model.compile(optimizer, "categorical_crossentropy", jit_compile=False)

    def step(self, x, y_true, masks=()):
        """One step of the optimiser; the loss before it."""
        self._set_masks(masks)
        return self.model.train_on_batch(x, y_true)

    def get_weights(self):
        return self.model.get_weights()

    def _set_masks(self, masks):
        layers = [layer for layer in self.model.layers if isinstance(layer, Mask)]
        for layer, mask in zip(layers, masks, strict=bool(masks)):
            layer.mask.assign(mask)


class TorchTwin:
    """The model in PyTorch's functions, channels last outside and channels first inside."""

    def __init__(self, model):
        self.layers = model.layers
        self.weights = {w.name: torch.tensor(w.value, requires_grad=w.trainable) for w in model.weights}
        self.trainable = [self.weights[parameter.name] for parameter in model.parameters()]
        self.order = [weight.name for weight in model.weights]

    def gradients(self, x, dy, training, masks=()):
        """y, dx and the gradients with respect to all parameters, for the upstream gradient dy."""
        x = torch.tensor(x, requires_grad=True)
        y = self._forward(x, training, masks)
        dx, *grads = torch.autograd.grad(y, [x, *self.trainable], torch.tensor(dy))
        return y.detach().numpy(), dx.numpy(), [grad.numpy() for grad in grads]

    def compile(self):
        """Adam and categorical cross-entropy, with Keras's defaults."""
        self.optimizer = torch.optim.Adam(self.trainable, lr=0.001, betas=(0.9, 0.999))
        self.steps = 0

    def step(self, x, y_true, masks=()):
        """One step of the optimiser; the loss before it."""
        self.steps += 1
        for group in self.optimizer.param_groups:  # PyTorch adds epsilon after the bias correction, Keras before it
            group["eps"] = 1e-7 / (1 - 0.999**self.steps) ** 0.5
        self.optimizer.zero_grad()
        p = self._forward(torch.tensor(x), True, masks)
        loss = -(torch.tensor(y_true) * torch.log(p)).sum() / len(x)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def get_weights(self):
        return [self.weights[name].detach().numpy() for name in self.order]

    def _forward(self, x, training, masks):
        masks = iter(masks)
        for layer in self.layers:
            if isinstance(layer, Dropout):
                x = x * torch.tensor(next(masks)) if training else x
            elif isinstance(layer, minicnn.layers.BatchNormalization):
                x = self._batch_norm(layer, x, training and layer.trainable)
            else:
                x = TORCH[type(layer).__name__](layer, x, self._weight(layer, "kernel"), self._weight(layer, "bias"))
        return x

    def _weight(self, layer, name):
        return self.weights.get(f"{layer.name}/{name}")

    def _batch_norm(self, layer, x, training):
        """PyTorch's own moving variance is the unbiased one, so it computes only the batch's statistics here."""
        gamma, beta = self._weight(layer, "gamma"), self._weight(layer, "beta")
        moving = self._weight(layer, "moving_mean"), self._weight(layer, "moving_variance")
        mean, variance = (torch.zeros_like(m) for m in moving) if training else moving
        x = x.movedim(layer.axis, 1)
        y = F.batch_norm(x, mean, variance, gamma, beta, training, momentum=1.0, eps=layer.epsilon)
        if training:
            count = x.numel() // x.shape[1]
            for figure, batch in zip(moving, (mean, variance * (count - 1) / count), strict=True):
                figure.mul_(layer.momentum).add_(batch, alpha=1 - layer.momentum)
        return y.movedim(1, layer.axis)


def _pad(layer, x, fill=0.0):
    """TensorFlow's "same": ceil(length / stride) windows, the odd pixel of padding at the end."""
    if layer.padding == "valid":
        return x
    amounts = []
    for length, window, stride in reversed(list(zip(x.shape[2:], layer.window, layer.strides, strict=True))):
        total = max((-(-length // stride) - 1) * stride + window - length, 0)
        amounts += [total // 2, total - total // 2]
    return F.pad(x, amounts, value=fill)


def _activation(name, x):
    return {
        "linear": lambda z: z,
        "relu": torch.relu,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "softmax": lambda z: torch.softmax(z, -1),
    }[name](x)


def _conv(layer, x, kernel, bias):
    convolve = F.conv1d if x.ndim == 3 else F.conv2d
    kernel = kernel.movedim((-1, -2), (0, 1)).contiguous()  # (window…, C, F) -> (F, C, window…)
    y = convolve(_pad(layer, x.movedim(-1, 1)), kernel, bias, layer.strides)
    return _activation(layer.activation, y.movedim(1, -1))


def _max_pool(layer, x, *_):
    pool = F.max_pool1d if x.ndim == 3 else F.max_pool2d
    return pool(_pad(layer, x.movedim(-1, 1), float("-inf")), layer.window, layer.strides).movedim(1, -1)


def _average_pool(layer, x, *_):
    pool = F.avg_pool1d if x.ndim == 3 else F.avg_pool2d
    x, inside = (_pad(layer, array.movedim(-1, 1)) for array in (x, torch.ones_like(x)))
    return (pool(x, layer.window, layer.strides) / pool(inside, layer.window, layer.strides)).movedim(1, -1)


def _dense(layer, x, kernel, bias):
    return _activation(layer.activation, F.linear(x, kernel.T, bias))


def _relu(layer, x, *_):
    y = torch.where(x > layer.threshold, x, layer.negative_slope * (x - layer.threshold))
    return y if layer.max_value is None else y.clamp(max=layer.max_value)


TORCH = {
    "Activation": lambda layer, x, *_: _activation(layer.activation, x),
    "AveragePooling1D": _average_pool,
    "AveragePooling2D": _average_pool,
    "Conv1D": _conv,
    "Conv2D": _conv,
    "Dense": _dense,
    "Flatten": lambda layer, x, *_: x.flatten(1),
    "GlobalAveragePooling2D": lambda layer, x, *_: x.mean((1, 2), keepdim=layer.keepdims),
    "MaxPooling1D": _max_pool,
    "MaxPooling2D": _max_pool,
    "ReLU": _relu,
    "Softmax": lambda layer, x, *_: torch.softmax(x, layer.axis),
}

TWINS = {"keras": KerasTwin, "torch": TorchTwin}
