"""Penalties on weights: values and gradients worked out by hand, in the loss that is reported and in the update."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn import Input, Sequential, load_model, regularizers
from minicnn.gradcheck import check_model
from minicnn.layers import BatchNormalization, Conv2D, Dense, Flatten
from minicnn.optimizers import SGD
from minicnn.regularizers import L1, L1L2, L2


@pytest.mark.parametrize(
    ("regularizer", "penalty", "gradient"),
    [
        (L1(0.5), 0.5 * 6, [-0.5, 0, 0.5]),
        (L2(0.25), 0.25 * 20, [-1, 0, 2]),
        (L1L2(0.5, 0.25), 8, [-1.5, 0, 2.5]),
        (L1L2(), 0, [0, 0, 0]),
    ],
)
def test_penalty_and_gradient(backend, regularizer, penalty, gradient):
    value, grad = np.array([-2.0, 0.0, 4.0]), np.array([1.0, 2.0, 3.0])
    assert regularizer.add_penalty(np.array(1.0), value) == 1 + penalty
    np.testing.assert_array_equal(regularizer.add_gradient(grad, value), grad + gradient)
    np.testing.assert_array_equal(grad, [1, 2, 3])


def one_weight(**options):
    """y = 2 · x, so that the squared error of y = 2 at x = 1 is zero and only the penalty moves the weight."""
    model = Sequential([Input((1,)), Dense(1, use_bias=False, **options)])
    model.set_weights([[[2.0]]])
    model.compile(SGD(0.5), "mse")
    return model, np.ones((4, 1), np.float32), np.full((4, 1), 2, np.float32)


def test_fit_and_evaluate_report_the_penalty_and_minimise_it(backend):
    model, x, y = one_weight(kernel_regularizer=L2(0.25))
    assert model.evaluate(x, y, verbose=0) == 0.25 * 4
    history = model.fit(x, y, verbose=0, validation_data=(x, y)).history
    assert history["loss"] == [1.0]
    assert model.get_weights()[0] == 2 - 0.5 * (2 * 0.25 * 2)
    assert history["val_loss"] == [(1.5 - 2) ** 2 + 0.25 * 1.5**2]


def test_a_frozen_layer_has_no_penalty(backend):
    model, x, y = one_weight(kernel_regularizer="l2", trainable=False)
    assert model.evaluate(x, y, verbose=0) == 0


def test_the_backward_of_a_model_has_no_penalty_until_it_is_added(backend):
    model, x, _ = one_weight(kernel_regularizer=L2(0.25))
    y = model.forward(x, training=True)
    model.backward(np.zeros_like(y))
    (kernel,) = model.parameters()
    assert kernel.grad == 0
    model.add_penalty_gradients()
    assert kernel.grad == 1


@pytest.mark.parametrize("method", ["complex", "central"])
def test_gradients(backend, method):
    model = Sequential(
        [
            Input((4, 3, 2)),
            Conv2D(3, 2, activation="tanh", kernel_regularizer=L1L2(0.125, 0.5), bias_regularizer="l1"),
            BatchNormalization(gamma_regularizer=L2(0.25), beta_regularizer=L1(0.25)),
            Flatten(),
            Dense(3, activation="softmax", kernel_regularizer=L1(0.5), bias_regularizer=L2(0.5)),
        ]
    )
    model.compile("adam", "categorical_crossentropy")
    x, y = np.random.default_rng(0).normal(size=(3, 4, 3, 2)), np.eye(3)[[2, 0, 1]]
    check_model(model, x, y, method=method).raise_if_wrong()
    without = Sequential([Input((2,)), Dense(2, activation="softmax")])
    without.compile("adam", "categorical_crossentropy")
    assert without.add_penalties(3.0) == 3.0


def test_a_saved_model_keeps_its_penalties(backend, tmp_path):
    model, x, y = one_weight(kernel_regularizer=L1L2(0.5, 0.25))
    model.save(tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0) == 0.5 * 2 + 0.25 * 4
    loaded.fit(x, y, verbose=0)
    model.fit(x, y, verbose=0)
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_a_regularizer_of_one_s_own(backend):
    class Toward(regularizers.Regularizer):
        """½ Σ (value − 1)²"""

        def add_penalty(self, loss, value):
            return loss + ((value - 1) ** 2).sum() / 2

        def add_gradient(self, grad, value):
            return grad + (value - 1)

    model, x, y = one_weight(kernel_regularizer=Toward())
    assert model.fit(x, y, verbose=0).history["loss"] == [0.5]
    assert model.get_weights()[0] == 2 - 0.5 * 1


def test_names_and_mistakes():
    assert [type(regularizers.get(name)) for name in ("l1", "l2", "l1_l2", "L2")] == [L1, L2, L1L2, L2]
    with pytest.raises(ValueError, match="regularizer: .*'l3'.*Known: L1"):
        Dense(3, kernel_regularizer="l3")
    with pytest.raises(ValueError, match="L2 l2: expected a finite number of at least 0, found -1"):
        minicnn.regularizers.L2(-1)


def test_the_penalty_of_an_array_and_of_a_parameter(backend):
    layer = Dense(2, kernel_initializer="ones")
    layer.build((None, 3))
    assert L1L2(0.5, 0.25)([[-2, 0], [4, 0]]) == 8
    assert L2(0.5)(layer.kernel) == 3
