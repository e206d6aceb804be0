"""Many threads predict on one model, while one trains it or others set its weights: every answer belongs to one set."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from threading import Event
from time import sleep

import numpy as np
import pytest

import minicnn
from minicnn import Input, Model, Sequential
from minicnn.callbacks import Callback
from minicnn.layers import (
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPooling2D,
)

SECONDS = 1.0
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(48, 6, 5, 2)).astype("float32"), rng.integers(0, 3, 48)


class Scale(Layer):
    """A custom layer: only its `call` knows what it computes."""

    def build(self, input_shape):
        self.scale = self.add_weight("scale", input_shape[-1:], "ones")

    def call(self, x, training):
        self.saved = x
        return x * self.scale.value

    def call_backward(self, dy, need_dx):
        self.scale.grad = (dy * self.saved).reshape(-1, dy.shape[-1]).sum(0)
        return dy * self.scale.value


class Halved(Sequential):
    """A custom model: only its `forward` knows what it computes."""

    def forward(self, x, training=False):
        return super().forward(x, training) / 2

    def backward(self, dy, need_dx=True):
        return super().backward(dy / 2, need_dx)


def with_branches(x):
    """A residual connection, and two kinds of pooling side by side."""
    y = Conv2D(2, 3, padding="same", activation="relu")(x)
    x = Add()([x, y])
    return Concatenate()([MaxPooling2D(3, 1, "same")(x), AveragePooling2D(3, 1, "same")(x)])


class Branched(Sequential):
    """A model with branches before its layers."""

    def __init__(self, layers):
        first, *others = layers
        super().__init__([Model(first, with_branches(first)), *others])


KINDS = {
    "compiled": (Sequential, []),
    "own layer": (Sequential, [Scale]),
    "own model": (Halved, []),
    "branches": (Branched, []),
}


def make(kind="compiled"):
    """A small CNN with everything that changes in training: weights, moving statistics, masks; it ends in a softmax."""
    minicnn.set_random_seed(3)
    cls, own = KINDS[kind]
    layers = [Conv2D(4, 3, activation="relu"), BatchNormalization(momentum=0.5), MaxPooling2D(2), Dropout(0.3)]
    end = [Flatten(), Dense(3, activation="softmax")]
    model = cls([Input((6, 5, 2)), *layers, *(layer() for layer in own), *end])
    model.compile(minicnn.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    return model


@contextmanager
def asking(*questions):
    """A thread for each question asks it again and again while the block runs; yields the lists of answers."""
    stop, answers = Event(), [[] for _ in questions]

    def ask(question, mine):
        while not stop.is_set():
            mine.append(question())

    with ThreadPoolExecutor(len(questions)) as pool:
        asked = [pool.submit(ask, question, mine) for question, mine in zip(questions, answers, strict=True)]
        try:
            yield answers
        finally:
            stop.set()
        for one in asked:
            one.result()


class Record(Callback):
    """Records the weights before training and after each step."""

    def __init__(self):
        self.sets = []

    def on_train_begin(self, logs=None):
        self.sets.append(self.model.get_weights())

    def on_train_batch_end(self, batch, logs):
        self.sets.append(self.model.get_weights())


def by_fit(model, record, epochs):
    model.fit(X, Y, batch_size=8, epochs=epochs, callbacks=[record], verbose=0)


def by_hand(model, record, epochs):
    """The README's loop: only the optimiser's step ends a training step."""
    loss, optimizer = minicnn.losses.SparseCategoricalCrossentropy(), minicnn.optimizers.Adam(0.05)
    record.set_model(model)
    record.on_train_begin()
    for step in range(6 * epochs):
        batch = slice(step % 6 * 8, step % 6 * 8 + 8)
        loss.forward(Y[batch], model.forward(X[batch], training=True))
        model.backward(loss.backward(), need_dx=False)
        optimizer.step(model.parameters())
        record.on_train_batch_end(step, {})


def outputs_of(kind, sets, x):
    model = make(kind)
    outputs = []
    for weights in sets:
        model.set_weights(weights)
        outputs.append(model.predict(x))
    return np.array(outputs)


def distance(answer, outputs):
    """The distance from an answer to the nearest of the outputs."""
    return np.abs(outputs - answer).reshape(len(outputs), -1).max(axis=1).min()


@pytest.mark.parametrize(
    ("train", "kind"),
    [(train, kind) for train in (by_fit, by_hand) for kind in KINDS if train is by_fit or kind != "branches"],
)
def test_predicting_while_one_trains(backend, train, kind):
    """Every answer is that of the weights after some step, and training is not affected."""
    epochs, record, alone = 12, Record(), Record()
    train(make(kind), alone, epochs)
    model = make(kind)
    model.predict(X)  # compiled before the threads start
    with asking(*[lambda: model.predict(X[:9], batch_size=4), lambda: model.infer(X[:9])] * 2) as answers:
        train(model, record, epochs)
    for one, other in zip(record.sets[-1], alone.sets[-1], strict=True):
        np.testing.assert_array_equal(one, other)
    outputs = outputs_of(kind, record.sets, X[:9])
    assert np.abs(np.diff(outputs, axis=0)).max(axis=(1, 2)).min() > 1e-4  # no two sets look alike
    for mine in answers:
        assert len(mine) > 1
        assert max(distance(answer, outputs) for answer in mine) < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_predicting_while_another_sets_the_weights(backend, kind):
    """Every answer is bit-identical to that of one set. Freed weights are overwritten at once."""
    model, x = make(kind), X[:7]
    model.add(Dense(20_000))  # weights that go back to the system when they are freed
    sets = [[rng.random(w.shape, dtype="float32") for w in model.get_weights()] for _ in range(2)]
    expected = []
    for weights in sets:
        model.set_weights(weights)
        expected.append(model.predict(x, batch_size=4))

    def set_weights():
        for weights in sets:
            model.set_weights(weights)
            np.full(3 * 20_000, np.nan, "float32")

    with asking(set_weights, *[lambda: model.predict(x, batch_size=4)] * 3) as (_, *answers):
        sleep(SECONDS)
    for answer in chain(*answers):
        assert any(np.array_equal(answer, one) for one in expected)


@pytest.mark.parametrize("kind", KINDS)
def test_many_threads_give_what_one_gives(backend, kind):
    model = make(kind)
    batches = [X[:n] for n in (1, 2, 7, 33)]
    expected = [model.infer(x) for x in batches]
    with asking(*[lambda x=x: model.infer(x) for x in batches]) as answers:
        sleep(SECONDS / 2)
    for mine, one in zip(answers, expected, strict=True):
        assert mine
        for answer in mine:
            np.testing.assert_array_equal(answer, one)


@pytest.mark.parametrize("kind", KINDS)
def test_inference_between_forward_and_backward_changes_nothing(backend, kind):
    def gradients(meanwhile):
        model = make(kind)
        dy = model.forward(X[:8], training=True)
        meanwhile(model)
        return [model.backward(dy), *(parameter.grad for parameter in model.parameters())]

    def everything(model):
        model.infer(X[:3])
        model.predict(X[:5], batch_size=2)
        model.predict_on_batch(X[:2])
        model.evaluate(X[:6], Y[:6], verbose=0)

    for one, other in zip(gradients(everything), gradients(lambda model: None), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_layer_s_forward_that_is_replaced_stays_replaced(backend):
    model = make()
    layer, seen = model.layers[0], []
    call = layer.call
    layer.call = lambda x, training: seen.append(len(x)) or call(x, training)
    dy = model.forward(X[:8], training=True)
    expected = model.backward(dy)
    model.predict(X[:3])
    np.testing.assert_array_equal(model.backward(dy), expected)
    assert seen == [8, 3]


def test_evaluating_between_a_loss_and_its_backward_changes_nothing(backend):
    model = make()
    model.loss.forward(Y[:8], model.forward(X[:8], training=True))
    expected = model.loss.backward()
    model.evaluate(X, Y, verbose=0)
    np.testing.assert_array_equal(model.loss.backward(), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_other_threads_see_a_step_when_it_is_complete(backend, kind):
    """Batch norm updates its statistics in the forward: the training thread sees them at once, others after a step."""
    model = make(kind)
    with ThreadPoolExecutor(1) as pool:

        def seen_by_another():
            return pool.submit(model.predict, X).result()

        before = model.predict(X)
        dy = model.forward(X, training=True)
        np.testing.assert_array_equal(seen_by_another(), before)
        model.backward(dy)
        np.testing.assert_array_equal(seen_by_another(), before)
        model.optimizer.step(model.parameters())
        after = seen_by_another()
        np.testing.assert_array_equal(after, model.predict(X))
        assert np.abs(after - before).max() > 1e-3

        model.forward(X, training=True)  # statistics alone, without a step: the training thread sees them
        own = model.predict(X)
        assert np.abs(own - after).max() > 1e-4
        np.testing.assert_array_equal(seen_by_another(), own)


def test_weights_set_in_the_middle_of_a_step_are_seen_at_once(backend):
    model, other = make(), make()
    other.set_weights([weight + 0.1 for weight in other.get_weights()])
    with ThreadPoolExecutor(1) as pool:
        model.forward(X, training=True)
        pool.submit(model.set_weights, other.get_weights()).result()
        np.testing.assert_array_equal(pool.submit(model.predict, X).result(), other.predict(X))


def test_a_snapshot_does_not_change(backend):
    model = make()
    snapshot, expected = model.snapshot(), model.predict(X)
    model.fit(X, Y, epochs=1, verbose=0)
    np.testing.assert_array_equal(snapshot.predict(X), expected)
    assert np.abs(model.predict(X) - expected).max() > 1e-3


def test_fit_evaluate_and_predict_at_once(backend):
    alone, model = make(), make()
    alone.fit(X, Y, batch_size=8, epochs=20, verbose=0)
    questions = lambda: model.evaluate(X, Y, verbose=0), lambda: model.predict_on_batch(X), model.get_weights
    with asking(*questions) as answers:
        model.fit(X, Y, batch_size=8, epochs=20, verbose=0)
    assert all(len(mine) > 1 for mine in answers)
    assert np.isfinite(answers[0]).all()
    for one, other in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_two_threads_that_build_a_model_build_one(backend):
    for _ in range(5):
        model = Sequential([Conv2D(4, 3, activation="relu"), Flatten(), Dense(3)])
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _, model=model: model.predict(X), range(4)))
        for answer in found:
            np.testing.assert_array_equal(answer, found[0])
