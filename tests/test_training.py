"""Training: fit, evaluate, predict, train_on_batch; what they return, that they learn, repeat and refuse."""

from __future__ import annotations

import copy
import gc
import random
import weakref

import numpy as np
import pytest

import minicnn
from minicnn import Input, NonFiniteError, Sequential
from minicnn.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from minicnn.losses import CategoricalCrossentropy
from minicnn.utils import to_categorical


def stripes(samples=120, classes=3, seed=0):
    """Images with a bright row whose position is the class: easy to learn."""
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=samples)
    x = rng.normal(scale=0.1, size=(samples, 6, 5, 1)).astype(np.float32)
    x[np.arange(samples), 2 * y] += 1
    return x, y


def classifier(loss="sparse_categorical_crossentropy", metrics=("accuracy",), optimizer="adam", softmax=True):
    model = Sequential(
        [
            Input((6, 5, 1)),
            Conv2D(4, 3, padding="same", activation="relu"),
            MaxPooling2D((1, 2)),
            BatchNormalization(momentum=0.9),
            Dropout(0.1),
            Flatten(),
            Dense(3, activation="softmax" if softmax else None),
        ]
    )
    model.compile(optimizer, loss, metrics=list(metrics))
    return model


def test_learns_an_easy_task(backend):
    x, y = stripes()
    model = classifier()
    model.fit(x, y, batch_size=16, epochs=15, verbose=0)
    loss, accuracy = model.evaluate(*stripes(seed=1), verbose=0)
    assert accuracy > 0.95
    assert loss < 0.5
    assert (model.predict(x).argmax(axis=1) == y).mean() > 0.95


def test_history_and_evaluate_have_keras_forms(backend):
    x, y = stripes(50)
    model = classifier()
    history = model.fit(x, y, batch_size=16, epochs=3, verbose=0, validation_data=(x, y))
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert history.epoch == [0, 1, 2]
    assert all(len(values) == 3 for values in history.history.values())
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert history.history["val_loss"][-1] == pytest.approx(loss)
    assert history.history["val_accuracy"][-1] == pytest.approx(accuracy)
    assert model.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx({"loss": loss, "accuracy": accuracy})
    assert isinstance(classifier(metrics=()).evaluate(x, y, verbose=0), float)


@pytest.mark.parametrize("batch_size", [1, 7, 50, 64])
def test_metrics_weigh_the_smaller_last_batch_by_its_size(backend, batch_size):
    x, y = stripes(50)
    model = classifier()
    whole = model.evaluate(x, y, batch_size=50, verbose=0)
    assert model.evaluate(x, y, batch_size=batch_size, verbose=0) == pytest.approx(whole, rel=1e-4)


def test_one_hot_and_integer_labels_train_alike(backend):
    x, y = stripes()
    results = []
    for loss, targets in (("sparse_categorical_crossentropy", y), ("categorical_crossentropy", to_categorical(y, 3))):
        minicnn.set_random_seed(5)
        results.append(classifier(loss).fit(x, targets, epochs=2, verbose=0).history)
    for name, value in results[0].items():
        assert value == pytest.approx(results[1][name])


def test_softmax_with_crossentropy_trains_as_logits_do(backend):
    """A final softmax is fused into the cross-entropy: the same numbers as without it and from_logits=True."""
    x, y = stripes()
    results = []
    for softmax in (True, False):
        minicnn.set_random_seed(5)
        model = classifier(CategoricalCrossentropy(from_logits=not softmax), softmax=softmax)
        results.append(model.fit(x, to_categorical(y, 3), epochs=2, verbose=0).history)
    assert results[0] == results[1]


def test_predictions_are_probabilities_after_training(backend):
    x, y = stripes(20)
    model = classifier()
    model.fit(x, y, verbose=0)
    np.testing.assert_allclose(model.predict(x).sum(axis=1), 1, rtol=1e-5)


def test_a_seed_also_seeds_the_generators_of_scripts():
    """Keras's set_random_seed does."""
    drawn = []
    for _ in range(2):
        minicnn.set_random_seed(2**40 + 3)
        drawn.append((np.random.random(), random.random()))
    assert drawn[0] == drawn[1]


def test_a_seed_makes_a_run_repeat_exactly(backend):
    x, y = stripes()
    runs = []
    for seed in (3, 3, 4):
        minicnn.set_random_seed(seed)
        runs.append(classifier().fit(x, y, batch_size=16, epochs=2, verbose=0, validation_split=0.2).history)
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_every_epoch_sees_every_sample_once_in_a_new_order():
    seen: list[np.ndarray] = []

    class Spy(Flatten):
        def call(self, x, training):
            if training:
                seen.append(x[:, 0].copy())
            return super().call(x, training)

    model = Sequential([Input((1,)), Spy(), Dense(1)])
    model.compile("sgd", "mse")
    x = np.arange(10.0)[:, None]
    model.fit(x, x, batch_size=4, epochs=2, verbose=0)
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    assert [len(batch) for batch in seen] == [4, 4, 2] * 2
    np.testing.assert_array_equal(np.sort(first), np.arange(10))
    np.testing.assert_array_equal(np.sort(second), np.arange(10))
    assert (first != second).any()
    model.fit(x, x, batch_size=4, shuffle=False, verbose=0)
    np.testing.assert_array_equal(np.concatenate(seen[6:]), np.arange(10))


def test_validation_split_takes_the_last_samples_before_shuffling():
    x = np.arange(10.0)[:, None]
    y = np.where(x >= 8, 100.0, 0.0)
    model = Sequential([Input((1,)), Dense(1, kernel_initializer="zeros")])
    model.compile(minicnn.optimizers.SGD(0.0), "mse")
    history = model.fit(x, y, validation_split=0.2, verbose=0).history
    assert history == {"loss": [0.0], "val_loss": [10000.0]}


def test_train_on_batch_is_one_step(backend):
    x, y = stripes(16)
    minicnn.set_random_seed(1)
    model = classifier()
    minicnn.set_random_seed(1)
    twin = classifier()
    loss, accuracy = model.train_on_batch(x, y)
    history = twin.fit(x, y, batch_size=16, shuffle=False, verbose=0).history
    assert (loss, accuracy) == pytest.approx((history["loss"][0], history["accuracy"][0]))
    assert model.optimizer.iterations == 1
    for mine, its in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert set(model.train_on_batch(x, y, return_dict=True)) == {"loss", "accuracy"}


def test_the_explicit_loop_is_what_fit_does(backend):
    x, y = stripes(32)
    minicnn.set_random_seed(2)
    model = classifier(softmax=False, loss=minicnn.losses.SparseCategoricalCrossentropy(from_logits=True))
    minicnn.set_random_seed(2)
    twin = classifier(softmax=False, loss=minicnn.losses.SparseCategoricalCrossentropy(from_logits=True))
    twin.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    for batch in (slice(0, 16), slice(16, 32)):
        y_pred = model.forward(x[batch], training=True)
        model.loss.forward(y[batch], y_pred)
        model.backward(model.loss.backward())
        model.optimizer.step(model.parameters())
    for mine, its in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_arguments_are_not_overwritten(backend):
    x, y = stripes(20)
    x_before, y_before = x.copy(), y.copy()
    model = classifier()
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    y_pred = model.forward(x, training=True)
    kept, dy = y_pred.copy(), np.ones_like(y_pred)
    model.backward(dy)
    model.forward(x[::-1].copy(), training=True)
    np.testing.assert_array_equal(x, x_before)
    np.testing.assert_array_equal(y, y_before)
    np.testing.assert_array_equal(y_pred, kept)
    np.testing.assert_array_equal(dy, 1)


def test_one_output_takes_targets_without_its_axis():
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 2)), np.arange(4.0)
    assert model.evaluate(x, y, verbose=0) == model.evaluate(x, y[:, None], verbose=0)


def test_regression(backend):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    y = x @ [[1.0], [-2.0], [0.5]] + 3
    model = Sequential([Input((3,)), Dense(1)])
    model.compile(minicnn.optimizers.SGD(0.1, momentum=0.5), "mse")
    model.fit(x, y, epochs=20, verbose=0)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(kernel[:, 0], [1, -2, 0.5], atol=1e-3)
    np.testing.assert_allclose(bias, [3], atol=1e-3)


class TestProgress:
    @pytest.fixture(autouse=True)
    def _kernels_are_compiled(self, capsys):
        """The first kernels of a machine announce that they are being compiled."""
        model = classifier()
        model.fit(*stripes(20), verbose=0)
        model.predict(stripes(20)[0])
        capsys.readouterr()

    def test_lines_where_there_is_no_terminal(self, capsys):
        x, y = stripes(20)
        classifier().fit(x, y, epochs=2)
        out, err = capsys.readouterr()
        assert [line[:9] for line in out.splitlines()] == ["Epoch 1/2", "Epoch 2/2"]
        assert "loss: " in out
        assert err == ""

    def test_silence(self, capsys):
        x, y = stripes(20)
        model = classifier()
        model.fit(x, y, verbose=0)
        model.evaluate(x, y, verbose=0)
        model.predict(x)
        assert capsys.readouterr() == ("", "")


X, Y = stripes(8)


class TestBadInput:
    @pytest.mark.parametrize(
        ("x", "y", "error", "words"),
        [
            (X[:0], Y[:0], ValueError, ["at least one sample", "empty"]),
            (X, Y[:5], ValueError, ["as many targets as samples, 8", "5"]),
            (X, Y + 1, ValueError, ["labels in 0 … 2", "labels from 1 to 3"]),
            (X, Y - 1, ValueError, ["labels in 0 … 2", "labels from -1"]),
            (X, Y + 0.5, TypeError, ["integer labels", "float64 with fractions"]),
            (X, to_categorical(Y, 3), ValueError, ["integer labels", "categorical_crossentropy"]),
            (np.where(X > 0.9, np.nan, X), Y, ValueError, ["finite x", "NaN", "first at index"]),
            (X[:, 0], Y, ValueError, ["(batch, 6, 5, 1)", "(8, 5, 1)"]),
            (X[:, :5], Y, ValueError, ["(batch, 6, 5, 1)", "(8, 5, 5, 1)"]),
            (np.concatenate([X, X], axis=-1), Y, ValueError, ["(batch, 6, 5, 1)", "(8, 6, 5, 2)"]),
            (X.astype(str), Y, TypeError, ["x of numbers", "<U"]),
            (X.astype(complex), Y, TypeError, ["x of numbers", "complex"]),
            ([[1.0, 2.0], [1.0]], Y[:2], ValueError, ["samples of equal shape"]),
            (np.float32(3), Y, ValueError, ["(samples, …)", "()"]),
            (X, None, ValueError, ["targets y"]),
        ],
    )
    def test_data(self, backend, x, y, error, words):
        model = classifier()
        before = model.get_weights()
        with pytest.raises(error) as raised:
            model.fit(x, y, verbose=0)
        assert all(word in str(raised.value) for word in words), raised.value
        for kept, now in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(kept, now)

    @pytest.mark.parametrize(
        ("y", "error", "words"),
        [
            (Y, ValueError, ["one-hot", "(8, 3)", "sparse_categorical_crossentropy", "to_categorical"]),
            (to_categorical(Y, 4), ValueError, ["(8, 3)", "(8, 4)"]),
            (-to_categorical(Y, 3), ValueError, ["at least 0", "-1"]),
            (np.full((8, 3), np.inf), ValueError, ["finite targets"]),
        ],
    )
    def test_one_hot_targets(self, y, error, words):
        with pytest.raises(error) as raised:
            classifier("categorical_crossentropy").fit(X, y, verbose=0)
        assert all(word in str(raised.value) for word in words), raised.value

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"batch_size": 0}, ["batch_size", "0"]),
            ({"validation_split": 1.0}, ["validation_split", "1.0"]),
            ({"validation_split": 0.99}, ["validation_split", "both sides"]),
            ({"validation_data": X}, ["validation_data", "(x, y)"]),
            ({"verbose": 3}, ["verbose", "3"]),
        ],
    )
    def test_options_of_fit(self, options, words):
        with pytest.raises(ValueError) as raised:
            classifier().fit(X, Y, **options)
        assert all(word in str(raised.value) for word in words), raised.value

    def test_compile(self):
        model = Sequential([Dense(2)])
        for call in (model.fit, model.evaluate, model.train_on_batch):
            with pytest.raises(RuntimeError, match=r"Call compile\("):
                call(X, Y)
        model.compile(loss="mse")
        assert isinstance(model.optimizer, minicnn.optimizers.RMSprop)  # Keras's default
        with pytest.raises(ValueError, match="a loss, found none"):
            model.compile("adam")
        with pytest.raises(ValueError, match="Did you mean 'categorical_crossentropy'"):
            model.compile("adam", "categorical_cross_entropy")
        with pytest.raises(ValueError, match="Did you mean 'accuracy'"):
            model.compile("adam", "mse", metrics=["acuracy"])


def test_the_model_keeps_the_history_of_its_last_fit():
    model = classifier()
    assert not hasattr(model, "history")
    history = model.fit(X, Y, verbose=0)
    assert model.history is history
    assert copy.deepcopy(model).history.history == history.history


def test_a_trained_model_is_freed_at_once():
    """Memory of a GPU that waits for Python's collection of cycles is full too early."""
    model = classifier()
    gc.disable()
    try:
        history, gone = model.fit(X, Y, verbose=0, validation_data=(X, Y)), weakref.ref(model)
        model.evaluate(X, Y, verbose=0)
        model.predict(X)
        del model
        assert gone() is None
    finally:
        gc.enable()
    assert len(history.history["loss"]) == 1


def test_a_clone_has_the_same_layers_and_new_weights():
    model = classifier()
    clone = minicnn.models.clone_model(model)
    assert [layer.name for layer in clone.layers] == [layer.name for layer in model.layers]
    assert not clone.compiled
    assert (clone.get_weights()[0] != model.get_weights()[0]).any()
    with pytest.raises(ValueError, match="Make the other model by hand"):
        minicnn.models.clone_model(model, clone_function=lambda layer: layer)


def test_a_train_step_with_keras_s_arguments_is_refused_at_its_definition():
    with pytest.raises(TypeError, match=r"Mine train_step: expected a function of self, x, y, sample_weight"):

        class Mine(Sequential):
            def train_step(self, data):
                return {}


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_one_target_for_several_sigmoids(shape):
    model = Sequential([Input((2,)), Dense(3, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    with pytest.raises(ValueError, match=r"expected 3 targets .*, found one, .*Dense\(1, activation=\"sigmoid\"\)"):
        model.fit(np.ones((4, 2)), np.ones(shape), verbose=0)


class TestNonFiniteLoss:
    def test_names_the_layer_whose_weights_are_not_finite(self, backend):
        model = classifier()
        weights = model.get_weights()
        weights[-2][0, 0] = np.nan
        model.set_weights(weights)
        with pytest.raises(NonFiniteError, match=r"Dense 'dense': its kernel holds 1 NaN.*learning rate"):
            model.fit(X, Y, verbose=0)

    def test_names_the_layer_that_overflowed(self, backend):
        model = classifier()
        weights = model.get_weights()
        weights[0][:] = 3e38
        model.set_weights(weights)
        with np.errstate(all="ignore"), pytest.raises(NonFiniteError, match="Conv2D 'conv2d': its output holds"):
            model.fit(X, Y, verbose=0)

    def test_names_outputs_that_are_no_probabilities(self, backend):
        model = Sequential([Input((2,)), Dense(3, activation="relu", kernel_initializer="zeros")])
        model.compile("sgd", "categorical_crossentropy")
        with np.errstate(all="ignore"), pytest.raises(NonFiniteError, match="the activation 'relu'.*'softmax'"):
            model.fit(np.ones((3, 2)), np.eye(3), verbose=0)

    def test_changes_no_weight_in_that_step(self, backend):
        model = Sequential([Input((2,)), Dense(1, kernel_initializer="ones")])
        model.compile("sgd", "mse")
        with np.errstate(all="ignore"), pytest.raises(NonFiniteError, match="step 1"):
            model.fit(np.full((4, 2), 1e30), np.zeros((4, 1)), verbose=0)
        np.testing.assert_array_equal(model.get_weights()[0], 1)
