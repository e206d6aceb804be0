"""Models with branches, written once and run in minicnn and in Keras: order of weights, outputs, training."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import minicnn

from .twins import assert_close

pytestmark = pytest.mark.usefixtures("precision")


def residual(framework):
    """A shortcut that is shorter than its branch, and one that is not; pooling side by side."""
    layers = framework.layers
    inputs = framework.Input((6, 5, 2))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.5)(x))
    short = layers.Conv2D(3, 1, strides=2, name="short")(x)
    x = layers.Conv2D(3, 3, strides=2, padding="same", activation="tanh")(x)
    x = layers.Conv2D(3, 3, padding="same")(x)
    x = layers.Activation("relu")(layers.add([short, x]))
    x = layers.Concatenate()([layers.MaxPooling2D(2)(x), layers.AveragePooling2D(2)(x)])
    return framework.Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))


def joins(framework):
    """All ways to join values, of two and of three."""
    layers = framework.layers
    inputs = framework.Input((5, 4))
    a, b, c = (layers.Dense(4, activation="tanh")(inputs) for _ in range(3))
    parts = [
        layers.Add()([a, b, c]),
        layers.Subtract()([a, b]),
        layers.Multiply()([a, b, c]),
        layers.Average()([a, b, c]),
        layers.Maximum()([a, b, c]),
        layers.Minimum()([a, inputs]),
    ]
    x = layers.Concatenate(axis=1)([layers.Concatenate()(parts), layers.concatenate(parts)])
    return framework.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


def two_dense(framework):
    """Branches of equal and of different lengths, whose layers are in an order that is not that of the calls."""
    layers = framework.layers
    inputs = framework.Input((4,))
    short, other = layers.Dense(3)(inputs), layers.Dense(3, use_bias=False)(inputs)
    long = layers.Dense(3)(layers.Dense(2)(inputs))
    return framework.Model(inputs, layers.Add()([other, short, long]))


networks = pytest.mark.parametrize("network", [residual, joins, two_dense])


@networks
def test_order_of_weights(network):
    ours, theirs = network(minicnn), network(keras)
    assert [weight.shape for weight in ours.get_weights()] == [weight.shape for weight in theirs.get_weights()]
    kinds = [type(layer).__name__ for layer in theirs.layers if type(layer).__name__ != "InputLayer"]
    assert [type(layer).__name__ for layer in ours.layers] == kinds
    assert ours.output_shape == theirs.output_shape


@networks
def test_outputs_and_training(network, backend):
    ours, theirs = network(minicnn), network(keras)
    ours.set_weights(theirs.get_weights())
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, *ours.input_shape[1:])), rng.normal(size=(12, 3))
    assert_close(ours.predict(x), theirs.predict(x, verbose=0), "outputs")
    for model, framework in ((ours, minicnn), (theirs, keras)):
        model.compile(framework.optimizers.SGD(0.125, momentum=0.5), "mse")
        model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    for weight, expected in zip(ours.weights, theirs.get_weights(), strict=True):
        assert_close(weight.value, expected, weight.name)
