"""Whole training steps on the GPU against the textbook: the weights after fit, for all seven example models."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

import minicnn
from minicnn import Input, NonFiniteError, Sequential
from minicnn.layers import (
    Activation,
    AveragePooling1D,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    ReLU,
    Softmax,
)
from minicnn.losses import SparseCategoricalCrossentropy
from minicnn.optimizers import SGD, Adam, AdamW

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MODELS = ("baseline", "model1", "model2", "model3", "model4", "model5", "model6")


def example(name):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["build_model"]()


def batch(shape, samples, classes=10, seed=5):
    rng = np.random.default_rng(seed)
    return rng.random((samples, *shape)), np.eye(classes)[rng.integers(classes, size=samples)]


@pytest.fixture
def in_float64():
    """Models made here compute in float64: two backends then agree to many digits, and on every ReLU's mask."""
    minicnn.config.set_floatx("float64")
    yield
    minicnn.config.set_floatx("float32")


def trained(backend, make, samples, optimizer, loss="categorical_crossentropy", epochs=2, **options):
    """Metrics, weights and outputs after some epochs of training on a backend."""
    with minicnn.use_backend(backend):
        minicnn.set_random_seed(3)
        model = make()
        model.compile(optimizer(), loss, metrics=["accuracy"])
        x, y = batch(model.input_shape[1:], samples, model.output_shape[-1])
        if loss == "sparse_categorical_crossentropy":
            y = y.argmax(axis=-1)
        history = model.fit(x, y, batch_size=3, epochs=epochs, validation_data=(x, y), verbose=0, **options)
        assert model.evaluate(x, y, batch_size=3, return_dict=True)["loss"] == history.history["val_loss"][-1]
        return [*history.history.values(), *model.get_weights(), *model.optimizer.get_state(), model.predict(x)]


def assert_trained_alike(*arguments, tolerance=1e-7, **options):
    found, expected = (trained(backend, *arguments, **options) for backend in ("cupy", "numpy"))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, (list, np.ndarray))
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * max(np.abs(other).max(), 1e-3))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.usefixtures("order", "in_float64")
def test_example_models_learn_as_in_the_textbook(name, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    assert_trained_alike(lambda: example(name), 5, Adam, epochs=1)


def test_a_step_in_float32(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    assert_trained_alike(lambda: example("model5"), 6, lambda: SGD(0.1, momentum=0.9), epochs=1, tolerance=2e-5)


def every_layer():
    return Sequential(
        [
            Input((9, 8, 2)),
            Conv2D(5, 3, strides=2, padding="same", activation="tanh"),
            BatchNormalization(),
            MaxPooling2D(2, strides=1),
            Conv2D(4, 2, use_bias=False, activation="sigmoid"),
            ReLU(max_value=0.7, negative_slope=0.1, threshold=0.2),
            BatchNormalization(axis=1, center=False),
            GlobalAveragePooling2D(keepdims=True),
            Flatten(),
            Dropout(0.25),
            Dense(4),
            Softmax(),
        ]
    )


def along_one_axis():
    return Sequential(
        [
            Input((12, 3)),
            Conv1D(6, 3, activation="softmax"),
            AveragePooling1D(3, strides=2, padding="same"),
            Flatten(),
            Activation("tanh"),
            Dense(4, activation="softmax"),
        ]
    )


@pytest.mark.parametrize("conditions", ["guarded", "lazily"])
@pytest.mark.parametrize("make", [every_layer, along_one_axis])
@pytest.mark.usefixtures("in_float64")
def test_every_layer_under_all_conditions(make, conditions, request):
    request.getfixturevalue(conditions)
    assert_trained_alike(make, 8, AdamW)


@pytest.mark.parametrize("loss", ["mean_squared_error", "sparse_categorical_crossentropy", "categorical_crossentropy"])
@pytest.mark.parametrize("optimizer", [Adam, AdamW, lambda: SGD(0.05, 0.9, nesterov=True)])
@pytest.mark.usefixtures("in_float64")
def test_every_loss_and_optimizer(loss, optimizer):
    assert_trained_alike(along_one_axis, 7, optimizer, loss)


@pytest.mark.usefixtures("in_float64")
def test_more_arrays_than_one_launch_moves():
    def deep():  # 82 arrays
        return Sequential([Input((4,)), *(Dense(3, activation="tanh") for _ in range(40)), Dense(2)])

    assert_trained_alike(deep, 5, Adam, "mse")


def test_the_same_run_gives_the_same_bits(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    for one, other in zip(*(trained("cupy", lambda: example("model2"), 6, Adam) for _ in range(2)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_train_on_batch_and_the_explicit_loop_agree():
    x, y = batch((12, 3), 6, 4)
    with minicnn.use_backend("cupy"):
        one, other = along_one_axis(), along_one_axis()
        other.set_weights(one.get_weights())
        for model in (one, other):
            model.compile(Adam(), "sparse_categorical_crossentropy")
        labels = y.argmax(axis=-1)
        one.train_on_batch(x, labels)
        loss = SparseCategoricalCrossentropy()
        loss.forward(labels, other.forward(x, training=True))
        other.backward(loss.backward(), need_dx=False)
        other.optimizer.step(other.parameters())
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=2e-6)


def test_a_label_of_no_class_is_an_error_in_the_explicit_loop_too():
    loss = SparseCategoricalCrossentropy(from_logits=True)
    with minicnn.use_backend("cupy"):
        scores = minicnn.to_device(np.zeros((2, 3), np.float32))
        for labels in (np.array([0, 3]), [-1, 0]):
            with pytest.raises(ValueError, match=r"labels in 0 … 2 for 3 outputs"):
                loss.forward(labels, scores)
        unchecked = minicnn.to_device(np.array([0, 3]))  # a check on the device would synchronise
        assert np.isnan(minicnn.to_host(loss.forward(unchecked, scores)))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_turns_nan_ends_the_epoch_with_a_diagnosis():
    with minicnn.use_backend("cupy"):
        minicnn.set_random_seed(0)
        model = Sequential([Input((4,)), Dense(8, activation="relu"), Dense(2)])
        model.compile(SGD(1e30), "mse")
        x, y = batch((4,), 12, 2)
        with pytest.raises(NonFiniteError, match=r"after an epoch that ended with step 6: Dense .* NaN or infinite"):
            model.fit(x, y, batch_size=2, epochs=3, verbose=0)
