"""The seven models of the report against Keras and PyTorch: output, every gradient, twenty steps of Adam."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn.layers import (
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    MaxPooling1D,
    MaxPooling2D,
)

from .twins import TOLERANCES, TWINS, assert_close, next_masks

SAMPLES = 4


def rows_model(filters, kernel_size, rate):
    """The image as a sequence of 28 rows."""
    blocks = [
        layer
        for count in filters
        for layer in (
            Conv1D(count, kernel_size, activation="relu"),
            MaxPooling1D(2),
            Dropout(rate),
            BatchNormalization(),
        )
    ]
    return minicnn.Sequential([Input((28, 28)), *blocks, Flatten(), Dense(10, activation="softmax")])


def image_model(filters, units):
    """The image as an image."""
    blocks = [
        layer
        for count in filters
        for layer in (Conv2D(count, (3, 3), activation="relu", padding="same"), MaxPooling2D((2, 2)))
    ]
    head = [Flatten(), Dense(units, activation="relu"), Dropout(0.2), Dense(10, activation="softmax")]
    return minicnn.Sequential([Input((28, 28, 1)), *blocks, *head])


MODELS = {  # name: (builder, number of parameters); Model 6 is Model 5's network, trained longer
    "baseline": (lambda: rows_model((236, 128), 2, 0.2), 83_142),
    "model1": (lambda: rows_model((236, 128, 64), 2, 0.2), 93_446),
    "model2": (lambda: rows_model((256, 128, 64), 2, 0.2), 99_786),
    "model3": (lambda: rows_model((256, 128, 64), 3, 0.3), 147_274),
    "model4": (lambda: image_model((32, 64, 64), 64), 93_322),
    "model5_and_6": (lambda: image_model((32, 64, 128), 128), 241_546),
}

models = pytest.mark.parametrize("name", MODELS)
twins = pytest.mark.parametrize("twin", TWINS)
precisions = pytest.mark.parametrize("precision", ["float64", "float32"], indirect=True)


def prepare(name, twin, precision, seed=0):
    """The model, its twin, and a generator of data."""
    generator = np.random.default_rng(seed)
    model = MODELS[name][0]()
    for weight in model.weights:
        if weight.value.ndim == 1:  # biases and batch norm's: zeros and ones would hide mistakes
            weight.value = weight.value + (generator.random(weight.value.shape) / 10).astype(precision)
    return model, TWINS[twin](model), generator


def images(model, generator, samples=SAMPLES):
    return generator.random((samples, *model.input_shape[1:])).astype(model.dtype)


@models
def test_number_of_parameters(name):
    build, count = MODELS[name]
    assert build().count_params() == count


@models
@twins
@precisions
def test_gradients_in_training(name, twin, precision, backend):
    model, twin, generator = prepare(name, twin, precision)
    x = images(model, generator)
    dy = generator.normal(size=(len(x), 10)).astype(precision)
    masks = next_masks(model, len(x))
    y = model.forward(x, training=True)
    dx = model.backward(dy)

    expected_y, expected_dx, expected_grads = twin.gradients(x, dy, True, masks)
    assert_close(y, expected_y, "y")
    assert_close(dx, expected_dx, "dx")
    for parameter, expected in zip(model.parameters(), expected_grads, strict=True):
        assert_close(parameter.grad, expected, parameter.name)
    for weight, expected in zip(model.weights, twin.get_weights(), strict=True):
        assert_close(weight.value, expected, weight.name)


@models
@twins
def test_twenty_steps_of_adam(name, twin, precision, backend):
    model, twin, generator = prepare(name, twin, precision)
    model.compile("adam", "categorical_crossentropy")
    twin.compile()
    for _ in range(20):
        x = images(model, generator)
        y = np.eye(10, dtype=precision)[generator.integers(10, size=len(x))]
        masks = next_masks(model, len(x))
        assert model.train_on_batch(x, y) == pytest.approx(twin.step(x, y, masks), rel=TOLERANCES[precision])

    for weight, expected in zip(model.weights, twin.get_weights(), strict=True):
        assert_close(weight.value, expected, weight.name)
    expected_y, *_ = twin.gradients(x, np.ones((len(x), 10)), training=False)
    assert_close(model.predict(x), expected_y, "prediction")
