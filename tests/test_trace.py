"""The trace of a step: its numbers, its remarks on networks with a known defect, and none on healthy ones."""

from __future__ import annotations

import json

import numpy as np
import pytest

import minicnn
from minicnn.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D, ReLU

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(32, 8, 6, 2)).astype("float32"), RNG.integers(0, 3, 32)


def compiled(*body, optimizer="adam"):
    model = minicnn.Sequential([minicnn.Input((8, 6, 2)), *body, Flatten(), Dense(3, activation="softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def kinds(model):
    return [(remark.kind, remark.layer) for remark in minicnn.trace(model, X, Y).remarks]


def test_numbers_of_the_table(backend):
    model = compiled(Conv2D(4, 3, activation="relu"), MaxPooling2D(2), optimizer=minicnn.optimizers.SGD(0.5))
    traced = minicnn.trace(model, X, Y)
    before, kernel = model.get_weights(), model.layers[0].kernel
    y = model.layers[0].forward(X)
    model.train_on_batch(X, Y)
    row = traced.to_dict()["layers"][0]
    assert row["output_shape"] == [32, 6, 4, 4]
    assert row["mean"] == pytest.approx(y.mean(), rel=1e-5)
    assert row["spread"] == pytest.approx(y.std(), rel=1e-5)
    assert row["zeros"] == (y == 0).mean()
    np.testing.assert_array_equal(traced["conv2d"].gradients["kernel"], kernel.grad)
    np.testing.assert_array_equal(traced["conv2d"].updates["kernel"], kernel.value - before[0])
    change = [after - old for after, old in zip(model.get_weights()[:2], before[:2], strict=True)]
    length = np.sqrt(sum((array**2).sum() for array in before[:2]))
    assert row["update_ratio"] == pytest.approx(np.sqrt(sum((array**2).sum() for array in change)) / length, rel=1e-4)
    assert row["gradient_norm"] == pytest.approx(np.sqrt((traced["max_pooling2d"].dx ** 2).sum()), rel=1e-5)


def test_a_healthy_network_has_no_remarks():
    body = [Conv2D(8, 3, activation="relu"), BatchNormalization(), MaxPooling2D(2), Dropout(0.2, seed=1)]
    traced = minicnn.trace(compiled(*body), X, Y)
    assert not traced.remarks
    assert "update/weight" in str(traced)
    assert traced._repr_html_().count("<tr>") == 7


def test_dead_units_are_counted():
    model = compiled(Conv2D(5, 3, activation="relu"), Conv2D(4, 2), ReLU())
    model.layers[0].bias.value[[1, 3]] = -100
    model.layers[1].bias.value[:1] = -100
    traced = minicnn.trace(model, X, Y)
    assert [remark.text.split(" units")[0] for remark in traced.remarks] == [
        "Conv2D 'conv2d': 2 of 5",
        "ReLU 're_lu': 1 of 4",
    ]


def test_one_sample_is_not_enough_for_dead_units():
    model = compiled(Dense(8, activation="relu"), Flatten(), Dense(40, activation="relu"))
    assert not minicnn.trace(model, X[:1], Y[:1]).remarks


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_saturation(activation):
    model = compiled(Dense(8, activation=activation))
    assert not kinds(model)
    model.layers[0].kernel.value[:] *= 40
    assert ("saturation", "dense") in kinds(model)


def test_gradients_that_vanish_explode_or_stop():
    deep = [Dense(6, activation="sigmoid") for _ in range(12)]
    assert ("vanishing gradient", "dense") in kinds(compiled(*deep))
    loud = [Dense(6, kernel_initializer=minicnn.initializers.RandomNormal(stddev=10.0)) for _ in range(6)]
    found = kinds(compiled(*loud))
    assert ("exploding gradient", "dense") in found
    model = compiled(Dense(6, activation="relu"), Dense(6, activation="relu"))
    model.layers[1].bias.value[:] = -100
    assert kinds(model) == [("no gradient", "dense"), ("dead units", "dense_1")]


def test_a_step_that_is_too_large():
    model = compiled(optimizer=minicnn.optimizers.SGD(100.0))
    assert kinds(model) == [("large step", "dense")]


def test_the_first_array_that_is_not_finite():
    model = compiled(Dense(6), Dense(6))
    model.layers[1].kernel.value[0, 0] = np.nan
    traced = minicnn.trace(model, X, Y)
    assert [(remark.kind, remark.layer) for remark in traced.remarks] == [("NaN", "dense_1")]
    assert "its kernel has 1 NaN" in str(traced)
    data = json.loads(json.dumps(traced.to_dict(), allow_nan=False))
    assert data["loss"] == "NaN"
    assert data["remarks"][0]["kind"] == "NaN"


def test_layers_by_name_and_index():
    traced = minicnn.trace(compiled(Conv2D(4, 3)), X, Y)
    assert traced["conv2d"] is traced[0]
    assert traced[-1].y.shape == (32, 3)
    with pytest.raises(ValueError, match="Did you mean 'conv2d'"):
        traced["conv"]
