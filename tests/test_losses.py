"""Losses against numbers calculated by hand, at probabilities of 0 and 1, and against each other."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn import losses
from minicnn.layers import Dense, Softmax
from minicnn.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)
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
        (MeanSquaredError(), np.ones((1, 3))),  # NumPy would subtract (1, 3) from (3, 1) and give (3, 3)
        (MeanSquaredError(), np.ones(2)),
        (CategoricalCrossentropy(), np.ones((3, 2))),
        (SparseCategoricalCrossentropy(), np.zeros((3, 2), int)),
    ],
)
def test_targets_are_never_broadcast(backend, loss, y_true):
    with pytest.raises(ValueError, match=r"predictions of shape \(3, 1\), found targets of shape"):
        loss.forward(y_true, np.ones((3, 1)))


def test_targets_of_one_output_may_lack_its_axis(backend):
    loss = MeanSquaredError()
    assert loss(np.array([1.0, 2, 4]), np.array([[1.0], [1], [1]])) == pytest.approx(10 / 3)
    assert loss.backward().shape == (3, 1)


def test_labels_in_a_column_and_as_whole_numbers(backend):
    loss, p = SparseCategoricalCrossentropy(), np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]])
    for labels in ([0, 2], [[0], [2]], [0.0, 2.0], np.array([[0], [2]], np.float32)):
        assert loss(np.array(labels), p) == pytest.approx((LN2 + 2 * LN2) / 2)
    with pytest.raises(TypeError, match="integer labels, found dtype float64 with fractions"):
        loss(np.array([0.5, 1.0]), p)


def test_binary_crossentropy(backend):
    """log ½ for the first sample; −log ¾ and −log ¼ for the second one, whose mean is (4 − log₂ 3) / 2 · log 2."""
    y_true, p = np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[0.5, 0.5], [0.25, 0.75]])
    loss, expected = BinaryCrossentropy(), np.array([LN2, (4 * LN2 - LN3) / 2])
    assert loss(y_true, p) == pytest.approx(expected.mean())
    np.testing.assert_allclose(loss.backward(), [[-0.5, 0.5], [1 / 3, 1]], rtol=1e-12)  # (p − y) / (p (1 − p)) / 4
    np.testing.assert_allclose(losses.binary_crossentropy(y_true, p), expected)
    fused = BinaryCrossentropy(from_logits=True)
    assert fused(y_true, np.log(p / (1 - p))) == pytest.approx(expected.mean())
    np.testing.assert_allclose(fused.backward(), (p - y_true) / 4, rtol=1e-12)
    smoothed = BinaryCrossentropy(label_smoothing=0.5)(np.ones((1, 1)), np.full((1, 1), 0.25))
    assert smoothed == pytest.approx(0.75 * 2 * LN2 + 0.25 * (2 * LN2 - LN3))
    assert np.isfinite(fused(np.array([[1.0, 0.0]]), np.array([[-1e4, 1e4]])))


def test_huber(backend):
    """Errors 0.5, −2 and 3 with delta 1: 0.125, 1.5 and 2.5."""
    loss = losses.Huber()
    y_true, y_pred = np.array([[1.0], [2.0], [0.0]]), np.array([[1.5], [0.0], [3.0]])
    assert loss.forward(y_true, y_pred) == pytest.approx((0.125 + 1.5 + 2.5) / 3)
    np.testing.assert_allclose(loss.backward(), [[0.5 / 3], [-1 / 3], [1 / 3]])
    np.testing.assert_allclose(losses.huber(y_true, y_pred, delta=2), [0.125, 2, 4])
    assert type(losses.get("huber")) is losses.Huber


def test_mean_absolute_error(backend):
    loss = MeanAbsoluteError()
    assert loss(np.array([[1.0, 2.0]]), np.array([[4.0, 0.0]])) == (3 + 2) / 2
    np.testing.assert_array_equal(loss.backward(), [[0.5, -0.5]])


EVERY_LOSS = [
    (MeanSquaredError, np.array([[1.0, 2.0], [3.0, 0.0]])),
    (MeanAbsoluteError, np.array([[1.0, 2.0], [3.0, 0.0]])),
    (BinaryCrossentropy, np.array([[1.0, 0.0], [0.0, 0.5]])),
    (CategoricalCrossentropy, np.array([[1.0, 0.0], [0.25, 0.75]])),
    (SparseCategoricalCrossentropy, np.array([1, 0])),
]
P = np.array([[0.25, 0.75], [0.5, 0.5]])


@pytest.mark.parametrize(("cls", "y_true"), EVERY_LOSS, ids=lambda one: getattr(one, "__name__", ""))
class TestWeights:
    def test_every_reduction_is_made_of_the_losses_of_the_samples(self, backend, cls, y_true):
        each = cls().each(y_true, P)
        np.testing.assert_allclose(each, [cls()(y_true[:1], P[:1]), cls()(y_true[1:], P[1:])], rtol=1e-12)
        for weights in (2.0, [3.0, 0.5], [[3.0], [0.5]]):
            w = np.ravel(weights) * np.ones(2)
            assert cls()(y_true, P, weights) == pytest.approx((w * each).sum() / 2)
            assert cls(reduction="sum")(y_true, P, weights) == pytest.approx((w * each).sum())
            assert cls(reduction="mean_with_sample_weight")(y_true, P, weights) == pytest.approx(w @ each / w.sum())
            np.testing.assert_allclose(cls(reduction=None)(y_true, P, weights), w * each)
        assert cls(reduction="mean")(y_true, P) == cls()(y_true, P)
        with pytest.raises(ValueError, match="sample_weight: expected one weight .*found shape"):
            cls()(y_true, P, [1, 2, 3])

    @pytest.mark.parametrize("from_logits", [False, True])
    def test_the_gradient_of_a_weighted_loss(self, backend, cls, y_true, from_logits):
        """Numerically, and against the gradients of the samples alone."""
        if from_logits and cls in (MeanSquaredError, MeanAbsoluteError):
            return
        loss, w, step = cls(**({"from_logits": True} if from_logits else {})), np.array([3.0, 0.5]), 1e-6
        loss(y_true, P, w)
        gradient = loss.backward()
        for n in range(2):
            for k in range(2):
                moved = [P.copy(), P.copy()]
                moved[0][n, k] -= step
                moved[1][n, k] += step
                low, high = (loss(y_true, y_pred, w) for y_pred in moved)
                assert gradient[n, k] == pytest.approx((high - low) / (2 * step), rel=1e-6, abs=1e-8)
        loss(y_true, P, 1.0)
        equal = loss.backward()
        loss(y_true, P)  # the mean by one operation
        np.testing.assert_allclose(loss.backward(), equal, rtol=1e-12, atol=1e-15)


def test_a_loss_without_a_reduction_has_no_gradient(backend):
    loss = MeanSquaredError(reduction="none")
    loss(np.ones((2, 1)), np.zeros((2, 1)))
    with pytest.raises(RuntimeError, match='no gradient. Use "sum"'):
        loss.backward()


def test_a_function_of_one_s_own_is_explained():
    with pytest.raises(TypeError, match=r"no automatic differentiation: derive a class from minicnn\.losses\.Loss"):
        losses.get(lambda y_true, y_pred: 0)
    for function in (losses.mean_squared_error, losses.sparse_categorical_crossentropy):
        assert losses.get(function).name == function.__name__


class Cubes(losses.Loss):
    """A loss of one's own, which defines the losses of the samples only: the mean of (y_pred − y_true)³."""

    def call_each(self, y_true, y_pred):
        self.saved = y_pred - y_true
        return (self.saved**3).mean(axis=-1)

    def call_each_backward(self, dy):
        return 3 * self.saved**2 / self.saved.shape[-1] * dy[..., None]


def test_a_loss_of_one_s_own_of_the_samples(backend):
    y_true, y_pred = np.zeros((2, 2)), np.array([[1.0, 2.0], [0.0, 1.0]])
    loss = Cubes()
    assert loss(y_true, y_pred) == pytest.approx(10 / 4)
    np.testing.assert_allclose(loss.backward(), np.array([[3, 12], [0, 3]]) / 4)
    assert Cubes(reduction="sum")(y_true, y_pred, [1, 2]) == pytest.approx(9 / 2 + 2 * 1 / 2)


def test_a_call_that_returns_the_losses_of_the_samples_is_explained(backend):
    """Keras's call returns them."""

    class Squares(losses.Loss):
        def call(self, y_true, y_pred):
            return (y_true - y_pred) ** 2

    with pytest.raises(ValueError, match=r"Squares call: .* scalar, found an array of shape \(2, 3\).*call_each"):
        Squares()(np.ones((2, 3)), np.zeros((2, 3)))


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
        ("mae", MeanAbsoluteError),
        ("binary_crossentropy", BinaryCrossentropy),
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


@pytest.mark.parametrize(("outputs", "remedy"), [(1, "sparse_categorical_crossentropy"), (6, "pixels / 255")])
def test_targets_of_binary_crossentropy_above_one(outputs, remedy):
    y_true = np.full((2, outputs), 255.0)
    with pytest.raises(ValueError, match=f"expected targets from 0 to 1, found targets from 255.0 to 255.0.*{remedy}"):
        BinaryCrossentropy().check_targets(y_true, y_true.shape)
