"""Weights of samples and classes, iterables of batches, steps, and the other ways to train and measure."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn import Input, Sequential
from minicnn.layers import Dense

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 4)).astype("float32"), np.arange(12) % 3
W = np.array([0.5, 1, 2] * 4)
BATCHES = [(X[i : i + 4], Y[i : i + 4]) for i in (0, 4, 8)]


def model(metrics=(), optimizer="sgd"):
    minicnn.set_random_seed(3)
    made = Sequential([Input((4,)), Dense(3, activation="softmax")])
    made.compile(optimizer, "sparse_categorical_crossentropy", metrics=list(metrics))
    return made


def assert_equal(one, other, **tolerance):
    for mine, its in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(mine, its, **(tolerance or {"rtol": 0}))


class TestWeights:
    def test_a_weight_of_two_counts_as_two_samples(self, backend):
        """The mean is over the number of samples, so the learning rate makes up for it."""
        twice = np.concatenate([X, X[:4]])
        weights = np.where(np.arange(12) < 4, 2.0, 1.0)
        one, other = model(optimizer=minicnn.optimizers.SGD(0.12)), model(optimizer=minicnn.optimizers.SGD(0.16))
        one.fit(X, Y, 12, verbose=0, sample_weight=weights)
        other.fit(twice, np.concatenate([Y, Y[:4]]), 16, verbose=0)
        assert_equal(one, other, rtol=1e-5, atol=1e-7)

    @pytest.mark.parametrize("one_hot", [False, True])
    def test_class_weight(self, backend, one_hot):
        y = minicnn.utils.to_categorical(Y, 3) if one_hot else Y
        models = [model(), model()]
        for one in models:
            one.compile("sgd", "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy")
        models[0].fit(X, y, 5, epochs=2, verbose=0, class_weight={0: 0.5, 2: 2})
        models[1].fit(X, y, 5, epochs=2, verbose=0, sample_weight=W)
        assert_equal(*models)

    def test_weights_of_validation_and_evaluation(self, backend):
        one = model()
        each = minicnn.losses.sparse_categorical_crossentropy(Y, one.predict(X))
        expected = (each * W).mean()
        assert one.evaluate(X, Y, sample_weight=W, verbose=0) == pytest.approx(expected, rel=1e-5)
        assert one.test_on_batch(X, Y, W) == pytest.approx(expected, rel=1e-5)
        assert one.train_on_batch(X, Y, W) == pytest.approx(expected, rel=1e-5)
        history = one.fit(X, Y, epochs=1, verbose=0, validation_data=(X, Y, W)).history
        assert history["val_loss"][0] == pytest.approx(one.evaluate(X, Y, sample_weight=W, verbose=0))

    def test_a_split_takes_the_weights_along(self, backend):
        one, other = model(), model()
        one.fit(X, Y, 4, verbose=0, sample_weight=W, validation_split=0.25)
        other.fit(X[:9], Y[:9], 4, verbose=0, sample_weight=W[:9])
        assert_equal(one, other)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"sample_weight": W, "class_weight": {0: 1}}, "sample_weight or class_weight, found both"),
            ({"sample_weight": W[:5]}, "one entry for each of 12 samples, found shape \\(5,\\)"),
            ({"class_weight": [1, 2, 3]}, "class_weight: expected a dict, found list"),
            ({"class_weight": {0: -1}}, "class_weight.*-1"),
        ],
    )
    def test_wrong_weights(self, options, words):
        with pytest.raises((ValueError, TypeError), match=words):
            model().fit(X, Y, verbose=0, **options)


class Sequence:
    """Keras's Sequence: batches by number; its own end is not an IndexError."""

    ended = 0

    def __len__(self):
        return len(BATCHES)

    def __getitem__(self, number):
        return BATCHES[number % len(BATCHES)]

    def on_epoch_end(self):
        self.ended += 1


class Loader:
    """PyTorch's DataLoader: a length, a new iterator for each pass, batches as lists."""

    def __len__(self):
        return len(BATCHES)

    def __iter__(self):
        return ([x, y] for x, y in BATCHES)


def forever():
    while True:
        yield from BATCHES


class TestIterables:
    @pytest.mark.parametrize("make", [lambda: BATCHES, Sequence, Loader], ids=["list", "Sequence", "DataLoader"])
    def test_two_epochs(self, backend, make):
        one, other = model(["accuracy"]), model(["accuracy"])
        history = one.fit(make(), epochs=2, verbose=0, validation_data=make()).history
        expected = other.fit(X, Y, 4, epochs=2, verbose=0, shuffle=False, validation_data=(X, Y)).history
        assert_equal(one, other)
        for name in expected:
            assert history[name] == pytest.approx(expected[name], rel=1e-6)
        assert one.evaluate(make(), verbose=0) == pytest.approx(other.evaluate(X, Y, 4, verbose=0))
        np.testing.assert_array_equal(one.predict(make()), other.predict(X, 4))

    def test_a_generator_goes_on_in_the_next_epoch(self, backend):
        """Two batches an epoch: 0 1, 2 0, 1 2."""
        one, other = model(), model()
        history = one.fit(forever(), epochs=3, steps_per_epoch=2, verbose=0)
        assert history.epoch == [0, 1, 2]
        for number in (0, 1, 2, 0, 1, 2):
            other.train_on_batch(*BATCHES[number])
        assert_equal(one, other)
        assert one.predict(forever(), steps=2).shape == (8, 3)
        assert one.evaluate(forever(), steps=3, verbose=0) == pytest.approx(other.evaluate(X, Y, verbose=0))

    def test_a_generator_that_ends_warns_and_ends_the_training(self, backend):
        one = model()
        with pytest.warns(UserWarning, match="the data ended after 0 of .* read once only"):
            history = one.fit((batch for batch in BATCHES), epochs=3, verbose=0)
        assert history.epoch == [0]
        ended = pytest.warns(UserWarning, match="evaluate: the data ended after 0")
        with pytest.raises(ValueError, match="evaluate: expected at least one batch"), ended:
            one.evaluate(iter([]), verbose=0)

    def test_weights_in_the_batches(self, backend):
        one, other = model(), model()
        one.fit([(*batch, W[:4]) for batch in BATCHES], verbose=0)
        other.fit(X, Y, 4, shuffle=False, verbose=0, sample_weight=np.tile(W[:4], 3))
        assert_equal(one, other)
        one.fit(BATCHES, verbose=0, class_weight={0: 2})

    @pytest.mark.parametrize(
        ("stream", "options", "words"),
        [
            ([(X, Y + 1)], {}, "labels in 0 … 2"),
            ([(X, Y[:5])], {}, "as many targets|labels of shape"),
            ([(X[:, :3], Y)], {}, "input of shape"),
            (iter([X]), {}, "batches \\(x, y\\), found x alone"),
            (iter([(X, Y, W, W)]), {}, "found 4 parts"),
            (BATCHES, {"batch_size": 4}, "batch_size.* An iterable yields whole batches"),
            (BATCHES, {"validation_split": 0.5}, "validation_split: expected arrays"),
        ],
    )
    def test_batches_that_do_not_fit(self, stream, options, words):
        with pytest.raises((ValueError, TypeError), match=words):
            model().fit(stream, verbose=0, **options)


class TestSteps:
    def test_an_epoch_ends_after_so_many_batches(self, backend):
        one = model()
        one.fit(X, Y, 4, epochs=2, steps_per_epoch=2, validation_data=(X, Y), validation_steps=1, verbose=0)
        assert one.optimizer.iterations == 4
        assert one.evaluate(X, Y, 4, steps=1, verbose=0) == pytest.approx(one.evaluate(X[:4], Y[:4], verbose=0))
        assert len(one.predict(X, 4, steps=2)) == 8

    @pytest.mark.parametrize(("frequency", "epochs"), [(1, [1, 2, 3, 4]), (2, [2, 4]), ([1, 4], [1, 4])])
    def test_validation_every_so_many_epochs(self, frequency, epochs):
        seen = []
        spy = minicnn.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append("val_loss" in logs))
        model().fit(X, Y, epochs=4, validation_data=(X, Y), validation_freq=frequency, verbose=0, callbacks=spy)
        assert [epoch + 1 for epoch, validated in enumerate(seen) if validated] == epochs


def test_arguments_at_keras_s_defaults():
    one = model()
    one.compile("sgd", "mse", loss_weights=None, run_eagerly=True, steps_per_execution=10, jit_compile=False)
    with pytest.raises(ValueError, match="loss_weights: expected None, the only value that is offered"):
        one.compile("sgd", "mse", loss_weights=[1.0])


def test_a_sigmoid_with_binary_crossentropy_is_trained_on_logits(backend):
    y, models = (Y > 0).astype(float)[:, None], []
    for activation in ("sigmoid", None):
        minicnn.set_random_seed(3)
        one = Sequential([Input((4,)), Dense(1, activation=activation)])
        one.compile("sgd", minicnn.losses.BinaryCrossentropy(from_logits=activation is None))
        one.fit(X, y, 4, epochs=2, verbose=0)
        models.append(one)
    assert_equal(*models)


@pytest.mark.parametrize("x", [{}, {0: X}, "abc"], ids=["no batches", "a dict", "text"])
def test_a_dict_or_a_text_is_no_iterable_of_batches(x):
    with pytest.raises(
        (TypeError, ValueError), match="predict: expected (x of numbers, found str|a dict with 'input')"
    ):
        model().predict(x)
