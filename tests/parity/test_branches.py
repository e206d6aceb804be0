"""Models with branches, written once and run in minicnn and in Keras: order of weights, outputs, training."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

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


def two_inputs(framework):
    """Images and numbers; one input begins a longer branch than the other, and goes around it, too."""
    layers = framework.layers
    numbers, images = framework.Input((3,), name="numbers"), framework.Input((6, 5, 2), name="images")
    x = layers.Conv2D(4, 3, activation="relu")(images)
    x = layers.Concatenate()([layers.Flatten()(x), layers.Dense(4, activation="tanh")(numbers), numbers])
    return framework.Model([numbers, images], layers.Dense(3)(x))


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


@pytest.mark.parametrize("by_name", [False, True])
def test_several_inputs(by_name, backend):
    ours, theirs = two_inputs(minicnn), two_inputs(keras)
    ours.set_weights(theirs.get_weights())
    rng = np.random.default_rng(0)
    x, y = [rng.normal(size=(12, 3)), rng.normal(size=(12, 6, 5, 2))], rng.normal(size=(12, 3))
    if by_name:
        x = {"images": x[1], "numbers": x[0]}
    for model, framework in ((ours, minicnn), (theirs, keras)):
        model.compile(framework.optimizers.SGD(0.125, momentum=0.5), "mse")
        model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0, validation_data=(x, y))
    for weight, expected in zip(ours.weights, theirs.get_weights(), strict=True):
        assert_close(weight.value, expected, weight.name)
    assert_close(ours.predict(x), theirs.predict(x, verbose=0), "outputs")
    for name, values in theirs.history.history.items():
        np.testing.assert_allclose(ours.history.history[name], values, rtol=1e-6)


def two_outputs(framework):
    """A class, and a number that is also computed from it."""
    layers = framework.layers
    inputs = framework.Input((6, 5, 2))
    x = layers.Flatten()(layers.Conv2D(4, 3, activation="tanh")(inputs))
    kind = layers.Dense(3, activation="softmax", name="kind")(x)
    return framework.Model(inputs, [kind, layers.Dense(1, name="size")(layers.Concatenate()([x, kind]))])


LOSSES = {"kind": "sparse_categorical_crossentropy", "size": "mse"}


@pytest.mark.parametrize(
    ("options", "weights"),
    [
        ({"loss": LOSSES, "loss_weights": {"kind": 0.5, "size": 2.0}, "metrics": {"size": ["mae"]}}, None),
        ({"loss": list(LOSSES.values()), "metrics": [["accuracy"], ["mae"]]}, "array"),
        ({"loss": list(LOSSES.values()), "loss_weights": [1.0, 0.5]}, "list"),
    ],
)
def test_training_of_several_outputs(options, weights, backend):
    ours, theirs = two_outputs(minicnn), two_outputs(keras)
    ours.set_weights(theirs.get_weights())
    rng = np.random.default_rng(0)
    x, kinds, sizes = rng.normal(size=(12, 6, 5, 2)), np.arange(12) % 3, rng.normal(size=(12, 1))
    y = {"kind": kinds, "size": sizes} if isinstance(options["loss"], dict) else [kinds, sizes]
    w = {None: None, "array": rng.uniform(0.5, 2, 12), "list": [rng.uniform(0.5, 2, 12), rng.uniform(0.5, 2, 12)]}
    for model, framework in ((ours, minicnn), (theirs, keras)):
        model.compile(framework.optimizers.SGD(0.01, momentum=0.5), **options)
        model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0, sample_weight=w[weights])
    for weight, expected in zip(ours.weights, theirs.get_weights(), strict=True):
        assert_close(weight.value, expected, weight.name)
    assert set(ours.history.history) == set(theirs.history.history)
    for name, values in theirs.history.history.items():
        np.testing.assert_allclose(ours.history.history[name], values, rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(ours.evaluate(x, y), theirs.evaluate(x, y, verbose=0), rtol=1e-5)


@networks
def test_the_outputs_of_all_layers(network, backend):
    ours, theirs = network(minicnn), network(keras)
    ours.set_weights(theirs.get_weights())
    x = np.random.default_rng(0).normal(size=(5, *ours.input_shape[1:]))
    found = minicnn.Model(ours.inputs, [layer.output for layer in ours.layers]).predict(x)
    computing = [layer for layer in theirs.layers if type(layer).__name__ != "InputLayer"]
    expected = keras.Model(theirs.inputs, [layer.output for layer in computing]).predict(x, verbose=0)
    for layer, one, other in zip(computing, found, expected, strict=True):
        assert_close(one, other, layer.name)


def part_and_whole(framework):
    """A network with batch norm, and a larger one that calls it with training=False, as for transfer learning."""
    layers = framework.layers
    inputs = framework.Input((6, 5, 2))
    x = layers.BatchNormalization(momentum=0.5)(layers.Conv2D(4, 3)(inputs))
    part = framework.Model(inputs, layers.GlobalAveragePooling2D()(layers.Activation("relu")(x)))
    larger = framework.Input((6, 5, 2))
    return part, framework.Model(larger, layers.Dense(3)(part(larger, training=False)))


def twins_in_inference():
    """These in minicnn and in Keras, with equal weights; the moving statistics are those of another training."""
    (part, ours), (its_part, theirs) = part_and_whole(minicnn), part_and_whole(keras)
    rng = np.random.default_rng(0)
    ours.set_weights([np.abs(rng.normal(size=weight.shape)) + 0.5 for weight in ours.get_weights()])
    theirs.set_weights(ours.get_weights())
    return part, ours, its_part, theirs, rng.normal(size=(12, 6, 5, 2)), rng.normal(size=(12, 3))


def test_gradients_of_a_part_in_inference(backend):
    """Keras's own layers, called in order: Keras's fit would set training=True in a model's call, against its guide."""
    _, ours, its_part, theirs, x, y = twins_in_inference()
    loss = minicnn.losses.MeanSquaredError()
    loss.forward(y, ours.forward(x, training=True))
    dx = ours.backward(loss.backward())
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = tf.reduce_mean((theirs.layers[-1](its_part(inputs, training=False)) - y) ** 2)
    its_dx, *gradients = tape.gradient(value, [inputs, *theirs.trainable_variables])
    assert_close(dx, its_dx.numpy(), "dx")
    for parameter, gradient in zip(ours.parameters(), gradients, strict=True):
        assert_close(parameter.grad, gradient.numpy(), parameter.name)


def test_training_with_a_frozen_part_in_inference(backend):
    part, ours, its_part, theirs, x, y = twins_in_inference()
    part.trainable = its_part.trainable = False
    for model, framework in ((ours, minicnn), (theirs, keras)):
        model.compile(framework.optimizers.SGD(0.03, momentum=0.5), "mse")
        model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    for weight, expected in zip(ours.layers[-1].weights, theirs.layers[-1].get_weights(), strict=True):
        assert_close(weight.value, expected, weight.name)
    for weight, expected in zip(part.weights, its_part.get_weights(), strict=True):
        assert_close(weight.value, expected, weight.name)


def test_unknown_lengths():
    def network(framework):
        layers = framework.layers
        inputs = framework.Input((None, None, 2))
        x = layers.MaxPooling2D(2)(layers.Conv2D(4, 3, padding="same")(inputs))
        return framework.Model(inputs, [x, layers.Dense(3)(layers.GlobalAveragePooling2D()(x))])

    ours, theirs = network(minicnn), network(keras)
    assert ours.output_shape == theirs.output_shape
    ours.set_weights(theirs.get_weights())
    for size in ((6, 5), (4, 9)):
        x = np.random.default_rng(0).normal(size=(3, *size, 2))
        for one, other in zip(ours.predict(x), theirs.predict(x, verbose=0), strict=True):
            assert_close(one, other)
