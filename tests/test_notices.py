"""Training points out silent mistakes: each once, and none where nothing is wrong."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import minicnn
from minicnn import losses
from minicnn.layers import BatchNormalization, Conv1D, Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Softmax
from minicnn.optimizers import SGD

RNG = np.random.default_rng(0)
X, Y = RNG.random((64, 12, 10, 1), dtype="float32"), RNG.integers(0, 5, 64)


def image_model(*last, loss="sparse_categorical_crossentropy", optimizer="adam", first=()):
    model = minicnn.Sequential([minicnn.Input((12, 10, 1)), *first, Conv2D(4, 3, activation="relu"), Flatten(), *last])
    model.compile(optimizer, loss)
    return model


def notices_of(model, x=X, y=Y, **options):
    """The texts of what one fit points out."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, y, verbose=0, **options)
    assert {warning.filename for warning in caught} <= {__file__}, "the warning points to the caller of fit"
    return [str(warning.message) for warning in caught if warning.category is minicnn.TrainingWarning]


def test_logits_into_a_loss_of_probabilities(backend):
    (text,) = notices_of(image_model(Dense(5)))
    assert "SparseCategoricalCrossentropy expects probabilities" in text
    assert "the model's outputs range from -" in text


def test_outputs_that_do_not_sum_to_1():
    (text,) = notices_of(image_model(Dense(5, activation="sigmoid")))
    assert "the model's outputs sum to" in text


def test_binary_logits():
    y = RNG.integers(0, 2, (64, 1)).astype("float32")
    (text,) = notices_of(image_model(Dense(1), loss="binary_crossentropy"), X, y)
    assert 'End the model with activation="sigmoid"' in text
    assert not notices_of(image_model(Dense(1, activation="sigmoid"), loss="binary_crossentropy"), X, y)
    assert not notices_of(image_model(Dense(1), loss=losses.BinaryCrossentropy(from_logits=True)), X, y)


def test_softmax_twice(backend):
    from_logits = losses.SparseCategoricalCrossentropy(from_logits=True)
    for model in (
        image_model(Dense(5, activation="softmax"), loss=from_logits),
        image_model(Dense(5), Softmax(), loss=from_logits),
        image_model(Dense(5, activation="softmax"), Softmax()),
    ):
        (text,) = notices_of(model)
        assert "Softmax is applied twice" in text


def test_pixels_from_0_to_255(backend):
    pixels = RNG.integers(0, 256, X.shape)
    last = Dense(5, activation="softmax")
    (text,) = notices_of(image_model(last), pixels.astype("float32"))
    assert "divide by 255" in text
    flat = minicnn.Sequential([minicnn.Input((120,)), Dense(5, activation="softmax")])
    flat.compile("adam", "sparse_categorical_crossentropy")
    assert "pixels" in notices_of(flat, pixels.reshape(64, 120).astype("uint8"))[0]
    assert not notices_of(image_model(Dense(5, activation="softmax"), first=[BatchNormalization()]), pixels)
    assert not notices_of(image_model(Dense(5, activation="softmax")), pixels / 255)


def test_few_whole_numbers_are_no_pixels():
    model = minicnn.Sequential([minicnn.Input((4,)), Dense(1)])
    model.compile(SGD(1e-6), "mse")
    assert not notices_of(model, RNG.integers(0, 256, (64, 4)), Y)


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "mse"])
def test_a_learning_rate_that_explodes(loss, backend):
    if loss == "mse":
        model = minicnn.Sequential([minicnn.Input((12, 10, 1)), Flatten(), Dense(1)])
        model.compile(SGD(0.05), loss)
    else:
        model = image_model(Dense(5, activation="softmax"), optimizer=SGD(20.0))
    texts = notices_of(model, epochs=3, batch_size=16)
    assert len(texts) == 1
    assert "Usually the learning rate is too high" in texts[0]


def test_a_first_loss_far_from_log_k():
    big = Dense(5, activation="softmax", kernel_initializer=minicnn.initializers.RandomNormal(stddev=5.0))
    (text,) = notices_of(image_model(big, optimizer=SGD(1e-4)))
    assert "far from log 5 = 1.61" in text


def test_each_notice_once(backend):
    model = image_model(Dense(5))
    assert len(notices_of(model)) == 1
    assert not notices_of(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.train_on_batch(X, Y)


def test_train_on_batch_points_out_too():
    with pytest.warns(minicnn.TrainingWarning, match="expects probabilities"):
        image_model(Dense(5)).train_on_batch(X, Y)


HEALTHY = {
    "softmax": (lambda: image_model(Dense(5, activation="softmax")), Y),
    "logits": (lambda: image_model(Dense(5), loss=losses.SparseCategoricalCrossentropy(from_logits=True)), Y),
    "smoothed": (
        lambda: image_model(Dense(5, activation="softmax"), loss=losses.CategoricalCrossentropy(label_smoothing=0.2)),
        np.eye(5)[Y],
    ),
    "normalised": (
        lambda: image_model(BatchNormalization(), Dropout(0.5), Dense(5), Softmax(), optimizer=SGD(0.1, momentum=0.9)),
        Y,
    ),
    "one sample": (lambda: image_model(Dense(5, activation="softmax")), Y),
    "regression": (lambda: image_model(Dense(1), loss="mse"), 1000.0 + Y),
    "regression of constants": (lambda: image_model(Dense(1), loss="mse"), np.zeros(64)),
}


@pytest.mark.parametrize("kind", HEALTHY)
def test_no_false_notice(kind):
    make, y = HEALTHY[kind]
    samples = 1 if kind == "one sample" else 64
    for seed in range(3):
        minicnn.set_random_seed(seed)
        assert not notices_of(make(), X[:samples], y[:samples], epochs=3, batch_size=16)


@pytest.mark.parametrize(
    ("body", "shape", "y"),
    [
        ([Conv2D(4, 3), MaxPooling2D(2), Dense(5, activation="softmax")], (12, 10, 1), Y),
        ([Dense(5, activation="softmax")], (12, 10, 1), np.eye(5)[Y]),
        ([Conv1D(5, 3, activation="softmax")], (12, 1), Y[:, None]),
    ],
)
def test_labels_that_need_flatten(body, shape, y):
    model = minicnn.Sequential([minicnn.Input(shape), *body])
    one_hot = y.ndim == 2 and y.shape[1] == 5
    model.compile("adam", "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match=r"one target per sample.*Put Flatten\(\) before the last Dense layer"):
        model.fit(np.zeros((64, *shape), "float32"), y, verbose=0)


def test_a_label_for_every_step_needs_no_flatten():
    model = minicnn.Sequential([minicnn.Input((12, 1)), Conv1D(5, 3, padding="same", activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X[:, :, 0], RNG.integers(0, 5, (64, 12)), verbose=0)
