"""fit, evaluate and predict compared with Keras: the same metrics in every epoch, and the same weights at the end."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import minicnn

from .twins import TOLERANCES, assert_close

pytestmark = pytest.mark.usefixtures("precision")


def network(framework, last_activation="softmax"):
    layers = framework.layers
    return framework.Sequential(
        [
            framework.Input((8, 6, 2)),
            layers.Conv2D(4, 3, activation="relu", padding="same"),
            layers.BatchNormalization(momentum=0.75),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(3, activation=last_activation),
        ]
    )


def pair(optimizer, loss, metrics=("accuracy",), last_activation="softmax"):
    """Two models of equal weights, minicnn's and Keras's, compiled with equal arguments."""
    ours, theirs = network(minicnn, last_activation), network(keras, last_activation)
    theirs.set_weights(ours.get_weights())
    ours.compile(optimizer, loss, metrics=list(metrics))
    theirs.compile(optimizer, loss, metrics=list(metrics), jit_compile=False)
    for beta in ("beta_1", "beta_2"):  # Keras rounds Python's numbers to float32, even in float64
        if hasattr(theirs.optimizer, beta):
            setattr(theirs.optimizer, beta, tf.constant(getattr(theirs.optimizer, beta), "float64"))
    return ours, theirs


def samples(count=23, one_hot=False):
    generator = np.random.default_rng(0)
    x, labels = generator.normal(size=(count, 8, 6, 2)), generator.integers(3, size=count)
    return x, np.eye(3)[labels] if one_hot else labels


def check_same(ours, theirs, x, y, **options):
    histories = [model.fit(x, y, shuffle=False, verbose=0, **options) for model in (ours, theirs)]
    assert histories[0].epoch == histories[1].epoch
    assert set(histories[0].history) == set(histories[1].history)
    for name, values in histories[1].history.items():
        np.testing.assert_allclose(histories[0].history[name], values, rtol=1e-8, err_msg=name)
    for weight, expected in zip(ours.weights, theirs.get_weights(), strict=True):
        assert_close(weight.value, expected, weight.name)
    assert_close(ours.predict(x, batch_size=5), theirs.predict(x, batch_size=5, verbose=0), "predict")
    assert ours.evaluate(x, y, verbose=0) == pytest.approx(theirs.evaluate(x, y, verbose=0), rel=TOLERANCES["float64"])


@pytest.mark.parametrize(
    ("optimizer", "loss", "one_hot", "last_activation"),
    [
        ("adam", "sparse_categorical_crossentropy", False, "softmax"),
        ("sgd", "categorical_crossentropy", True, "softmax"),
        ("adamw", "mse", True, "sigmoid"),
    ],
)
def test_epochs_with_a_ragged_last_batch(backend, optimizer, loss, one_hot, last_activation):
    check_same(
        *pair(optimizer, loss, last_activation=last_activation), *samples(one_hot=one_hot), batch_size=5, epochs=3
    )


def test_validation_split(backend):
    models = pair("adam", "sparse_categorical_crossentropy")
    check_same(*models, *samples(), batch_size=4, epochs=3, validation_split=0.3)


def test_validation_data_and_initial_epoch():
    models = pair("adam", "sparse_categorical_crossentropy", metrics=["acc"])
    check_same(*models, *samples(), epochs=4, initial_epoch=2, validation_data=samples(7))


def test_training_goes_on_in_a_second_fit():
    ours, theirs = pair("adam", "sparse_categorical_crossentropy")
    check_same(ours, theirs, *samples(), batch_size=8, epochs=1)
    check_same(ours, theirs, *samples(), batch_size=8, epochs=2)


def test_labels_in_a_column():
    x, y = samples()
    check_same(*pair("adam", "sparse_categorical_crossentropy"), x, y[:, None], batch_size=8, epochs=1)


@pytest.mark.parametrize(("patience", "restore_best_weights"), [(0, False), (1, True), (2, True)])
def test_early_stopping(patience, restore_best_weights):
    models = pair("adam", "sparse_categorical_crossentropy")
    for model in models:
        model.optimizer.learning_rate = 0.25  # so high that the loss rises and falls
    x, y = samples()
    lengths = []
    for model, framework in zip(models, (minicnn, keras), strict=True):
        stop = framework.callbacks.EarlyStopping(
            "val_loss", patience=patience, restore_best_weights=restore_best_weights
        )
        history = model.fit(
            x, y, batch_size=8, epochs=12, shuffle=False, verbose=0, validation_split=0.3, callbacks=[stop]
        )
        lengths.append((len(history.epoch), stop.stopped_epoch, stop.best_epoch))
    assert lengths[0] == lengths[1]
    for weight, expected in zip(models[0].weights, models[1].get_weights(), strict=True):
        np.testing.assert_allclose(weight.value, expected, rtol=1e-6, atol=1e-6, err_msg=weight.name)


def test_learning_rate_schedule():
    ours, theirs = pair("sgd", "sparse_categorical_crossentropy")
    x, y = samples()
    for model, framework in ((ours, minicnn), (theirs, keras)):
        halve = framework.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else 0.125)
        history = model.fit(x, y, epochs=3, shuffle=False, verbose=0, callbacks=[halve])
        assert history.history["learning_rate"] == [0.125, 0.0625, 0.03125]
        assert float(model.optimizer.learning_rate) == 0.03125
    for weight, expected in zip(ours.weights, theirs.get_weights(), strict=True):
        assert_close(weight.value, expected, weight.name)


def test_a_schedule_over_steps_with_decoupled_weight_decay():
    ours, theirs = pair("sgd", "sparse_categorical_crossentropy")
    for model, framework in ((ours, minicnn), (theirs, keras)):
        rates = framework.optimizers.schedules.PiecewiseConstantDecay([1, 4], [0.125, 0.0625, 0.03125])
        decaying = framework.optimizers.SGD(rates, momentum=0.5, weight_decay=0.25)
        model.compile(decaying, "sparse_categorical_crossentropy", metrics=["accuracy"])
    check_same(ours, theirs, *samples(), batch_size=8, epochs=3)


def test_penalties_on_weights():
    models = []
    for framework in (minicnn, keras):
        layers, regularizers = framework.layers, framework.regularizers
        model = framework.Sequential(
            [
                framework.Input((8, 6, 2)),
                layers.Conv2D(4, 3, activation="relu", kernel_regularizer=regularizers.L2(0.0625)),
                layers.BatchNormalization(gamma_regularizer="l1", beta_regularizer=regularizers.L1L2(0.25, 0.125)),
                layers.Dense(2, kernel_regularizer="l2", trainable=False),
                layers.Flatten(),
                layers.Dense(3, "softmax", kernel_regularizer=regularizers.L1(0.03125), bias_regularizer="l2"),
            ]
        )
        options = {"jit_compile": False} if framework is keras else {}
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
        models.append(model)
    ours, theirs = models
    theirs.set_weights(ours.get_weights())
    x, y = samples()
    histories = [model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0).history for model in models]
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-6)  # Keras's 0.01 is float32
    for weight, expected in zip(ours.weights, theirs.get_weights(), strict=True):
        np.testing.assert_allclose(weight.value, expected, atol=1e-7, err_msg=weight.name)
    assert ours.evaluate(x, y, verbose=0) == pytest.approx(theirs.evaluate(x, y, verbose=0), rel=1e-6)


@pytest.mark.parametrize("options", [{"patience": 1}, {"patience": 2, "cooldown": 1, "min_delta": 0.1, "min_lr": 0.05}])
def test_reduce_lr_on_plateau(options):
    rates = []
    for model, framework in zip(pair("sgd", "sparse_categorical_crossentropy"), (minicnn, keras), strict=True):
        model.optimizer.learning_rate = 0.5  # so high that the loss rises and falls
        plateau = framework.callbacks.ReduceLROnPlateau("loss", factor=0.5, **options)
        history = model.fit(*samples(), batch_size=8, epochs=9, shuffle=False, verbose=0, callbacks=[plateau])
        rates.append(history.history["learning_rate"])
    assert rates[0] == rates[1]
    assert rates[0][0] > rates[0][-1]


def test_a_callback_without_a_list():
    for model, framework in zip(pair("sgd", "mse", last_activation="relu"), (minicnn, keras), strict=True):
        stop = framework.callbacks.EarlyStopping("loss", min_delta=9.0)
        history = model.fit(*samples(one_hot=True), epochs=5, verbose=0, callbacks=stop)
        assert len(history.epoch) == 2


def test_a_frozen_layer():
    ours, theirs = pair("adam", "sparse_categorical_crossentropy")
    for model in (ours, theirs):
        for layer in model.layers[:2]:
            layer.trainable = False
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    check_same(ours, theirs, *samples(), batch_size=8, epochs=2)


@pytest.mark.parametrize("return_dict", [False, True])
@pytest.mark.parametrize("metrics", [[], ["accuracy"]])
def test_the_forms_of_results(metrics, return_dict):
    x, y = samples()
    for method in ("evaluate", "train_on_batch"):
        ours, theirs = pair("sgd", "sparse_categorical_crossentropy", metrics)
        options = {"verbose": 0} if method == "evaluate" else {}
        found, expected = (getattr(model, method)(x, y, return_dict=return_dict, **options) for model in (ours, theirs))
        assert isinstance(found, type(expected) if isinstance(expected, (dict, list)) else float)
        if isinstance(expected, (dict, list)):
            assert len(found) == len(expected)
        assert found == pytest.approx(expected, rel=1e-6)
