"""Layers inside a layer of one's own, and a model with Keras's call: what works, and what the errors say."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn


class Block(minicnn.layers.Layer):
    """Layers inside a layer: an affine one that may be trained, and two that do other things in training."""

    def __init__(self, trained, **options):
        super().__init__(**options)
        self.dense = minicnn.layers.Dense(3, trainable=trained)
        self.others = [minicnn.layers.Dropout(0.5), minicnn.layers.BatchNormalization(center=False, scale=False)]

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.others[1].build((*input_shape[:-1], 3))

    def call(self, x, training):
        x = self.dense(x)
        for layer in self.others:
            x = layer(x, training=training)
        self.saved = ()
        return x

    def call_backward(self, dy, need_dx):
        for layer in reversed(self.others):
            dy = layer.backward(dy)
        return self.dense.backward(dy)


def test_training_is_passed_to_layers_inside_a_layer(backend):
    block = Block(trained=False)
    model = minicnn.Sequential([minicnn.Input((3,)), block, minicnn.layers.Dense(2)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    np.testing.assert_array_equal(model.predict(x), model.predict(x))  # inference draws no mask
    kernel, calls = block.dense.get_weights(), block.others[0].calls
    model.fit(x, x[:, :2], epochs=2, verbose=0)
    assert block.others[0].calls == calls + 2
    assert minicnn.to_host(block.others[1].moving_mean.value).any()
    assert all(map(np.array_equal, kernel, block.dense.get_weights()))


def test_a_layer_inside_a_layer_that_would_not_be_trained_is_refused(backend):
    model = minicnn.Sequential([minicnn.Input((3,)), Block(trained=True)])
    model.compile("sgd", "mse")
    x = np.ones((4, 3), "float32")
    assert model.predict(x).shape == (4, 3)
    with pytest.raises(
        TypeError, match=r"Block 'block': expected parameters of its own, .*Dense 'dense' inside.*def block"
    ):
        model.fit(x, x, verbose=0)


def test_a_model_with_keras_s_call_is_refused():
    class MyModel(minicnn.Model):
        def __init__(self):
            super().__init__()

        def call(self, x):
            return x

    with pytest.raises(TypeError, match="expected inputs and outputs, found none.*a function that calls layers"):
        MyModel()


def test_a_layer_inside_a_layer_that_is_not_built_is_refused():
    class Unbuilt(Block):
        def build(self, input_shape):
            pass

    words = r"Unbuilt 'unbuilt': expected a method build that builds Dense 'dense' inside it, found none.*inner.build"
    with pytest.raises(TypeError, match=words):
        minicnn.Sequential([minicnn.Input((3,)), Unbuilt(trained=False)])
