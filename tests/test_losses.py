"""Losses against numbers calculated by hand, at probabilities of 0 and 1, and against each other."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn import losses
from minicnn.layers import Dense, Softmax
from minicnn.losses import CategoricalCrossentropy, MeanSquaredError, SparseCategoricalCrossentropy
from minicnn.utils import to_categorical

LN2, LN3 = np.log(2), np.log(3)


def test_crossentropy_of_probabilities(backend):
    loss = CategoricalCrossentropy()
    p = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]])
    assert loss.forward(to_categorical([0, 2], 3), p) == pytest.approx((LN2 + 2 * LN2) / 2)
    # −target / p / N, and the other classes' share of the normalisation
    np.testing.assert_allclose(loss.backward(), [[-0.5, 0.5, 0.5], [0.5, 0.5, -1.5]], atol=1e-12)


def test_crossentropy_of_logits(backend):
    loss = SparseCategoricalCrossentropy(from_logits=True)
    assert loss.forward(np.array([1]), np.array([[5.0, 5.0, 5.0]])) == pytest.approx(LN3)
    np.testing.assert_allclose(loss.backward(), [[1 / 3, -2 / 3, 1 / 3]])


def test_label_smoothing(backend):
    """ε = 0.4 over four classes: (0, 1, 0, 0) becomes (0.1, 0.7, 0.1, 0.1)."""
    smoothed, target = np.array([[0.1, 0.7, 0.1, 0.1]]), to_categorical([1], 4)
    fused = CategoricalCrossentropy(from_logits=True, label_smoothing=0.4)
    assert fused.forward(target, np.zeros((1, 4))) == pytest.approx(2 * LN2)
    np.testing.assert_allclose(fused.backward(), 0.25 - smoothed, atol=1e-15)  # p − y, with the smoothed y
    p = np.array([[0.125, 0.5, 0.25, 0.125]])
    value = CategoricalCrossentropy(label_smoothing=0.4).forward(target, p)
    assert value == pytest.approx((0.1 * 3 + 0.7 + 0.1 * 2 + 0.1 * 3) * LN2)
    with pytest.raises(ValueError, match=r"label_smoothing: expected a number from 0 up to, .* 1, found 1\.5"):
        CategoricalCrossentropy(label_smoothing=1.5)


def test_a_model_keeps_its_label_smoothing(backend, tmp_path):
    """Softmax is fused into the loss during training, and the model is saved and loaded."""
    model = minicnn.Sequential([minicnn.Input((3,)), Dense(4, activation="softmax")])
    model.compile("sgd", CategoricalCrossentropy(label_smoothing=0.4))
    x, y = np.ones((2, 3), np.float32), to_categorical([1, 3], 4)
    model.set_weights([np.zeros((3, 4)), np.log([0.125, 0.5, 0.25, 0.125])])
    expected = (1.5 + 0.7 * (1 + 3) / 2 - 0.1 * (1 + 3) / 2 - 0.6) * LN2
    model.save(tmp_path / "model.safetensors")
    for one in (model, minicnn.load_model(tmp_path / "model.safetensors")):
        assert one.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-6)
        assert one.train_on_batch(x, y) == pytest.approx(expected, rel=1e-6)


def test_sparse_is_categorical_with_integer_labels(backend):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(5, 4)), rng.integers(4, size=5)
    for from_logits in (True, False):
        p = logits if from_logits else Softmax(dtype="float64").forward(logits)
        sparse, dense = SparseCategoricalCrossentropy(from_logits), CategoricalCrossentropy(from_logits)
        assert sparse.forward(labels, p) == dense.forward(to_categorical(labels, 4), p)
        np.testing.assert_array_equal(sparse.backward(), dense.backward())


@pytest.mark.parametrize("shape", [(1, 2), (6, 10), (3, 4, 5)])
def test_fused_gradient_equals_crossentropy_through_softmax(backend, shape):
    rng = np.random.default_rng(1)
    logits = 2 * rng.normal(size=shape)
    target = rng.dirichlet(np.ones(shape[-1]), size=shape[:-1])
    softmax, chain, fused = (
        Softmax(dtype="float64"),
        CategoricalCrossentropy(),
        CategoricalCrossentropy(from_logits=True),
    )
    assert chain.forward(target, softmax.forward(logits)) == pytest.approx(fused.forward(target, logits), rel=1e-12)
    np.testing.assert_allclose(softmax.backward(chain.backward()), fused.backward(), atol=1e-14)


def test_huge_logits_neither_overflow_nor_saturate(backend):
    loss = SparseCategoricalCrossentropy(from_logits=True)
    logits = np.array([[1e4, 0.0], [0.0, 1e4]], np.float32)
    assert loss.forward(np.array([1, 1]), logits) == pytest.approx(1e4 / 2)
    np.testing.assert_array_equal(loss.backward(), [[0.5, -0.5], [0, 0]])


def test_a_probability_of_zero_is_clipped_to_keras_epsilon(backend):
    value = CategoricalCrossentropy().forward(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    assert value == pytest.approx(-np.log(1e-7))


def test_nan_is_passed_on(backend):
    for from_logits in (True, False):
        value = CategoricalCrossentropy(from_logits).forward(np.array([[1.0, 0.0]]), np.array([[np.nan, 1.0]]))
        assert np.isnan(value)


def test_mean_squared_error(backend):
    loss = MeanSquaredError()
    assert loss.forward(np.array([[1.0, 2.0]]), np.array([[4.0, 0.0]])) == (9 + 4) / 2
    np.testing.assert_array_equal(loss.backward(), [[3, -2]])


@pytest.mark.parametrize(
    ("loss", "y_true"),
    [
        (MeanSquaredError(), np.ones(3)),  # NumPy would subtract (3,) from (3, 1) and give (3, 3)
        (CategoricalCrossentropy(), np.ones((3, 2))),
        (SparseCategoricalCrossentropy(), np.zeros((3, 1), int)),
    ],
)
def test_targets_are_never_broadcast(backend, loss, y_true):
    with pytest.raises(ValueError, match=r"predictions of shape \(3, 1\), found targets of shape"):
        loss.forward(y_true, np.ones((3, 1)))


def test_losses_keep_the_predictions_dtype(backend):
    target = to_categorical([0, 1], 3)
    for dtype in (np.float32, np.float64):
        for loss in (CategoricalCrossentropy(), CategoricalCrossentropy(True), MeanSquaredError()):
            value = loss(target, np.full((2, 3), 0.3, dtype))
            assert value.dtype == dtype
            assert loss.backward().dtype == dtype


@pytest.mark.parametrize(
    ("identifier", "cls"),
    [
        ("mse", MeanSquaredError),
        ("mean_squared_error", MeanSquaredError),
        ("categorical_crossentropy", CategoricalCrossentropy),
        ("SparseCategoricalCrossentropy", SparseCategoricalCrossentropy),
        (CategoricalCrossentropy(), CategoricalCrossentropy),
    ],
)
def test_names(identifier, cls):
    assert isinstance(losses.get(identifier), cls)


def test_unknown_name():
    with pytest.raises(ValueError, match="Did you mean 'categorical_crossentropy'"):
        losses.get("categorical_crossentrop")
    with pytest.raises(TypeError, match="from_logits"):
        CategoricalCrossentropy(logits=True)
