"""Metrics against numbers calculated by hand, and how compile finds them."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn import Input, Sequential, metrics
from minicnn.layers import Dense

CASES = [
    # metric, y_true, y_pred, result, weights, weighted result
    (metrics.Accuracy(), [[1], [2], [3], [4]], [[0], [2], [3], [4]], 0.75, [1, 1, 0, 0], 0.5),
    (metrics.BinaryAccuracy(), [[1], [1], [0], [0]], [[0.9], [1], [0], [0.6]], 0.75, [1, 0, 0, 1], 0.5),
    (metrics.BinaryAccuracy(threshold=0.7), [1, 1, 0, 0], [[0.9], [0.7], [0], [0.6]], 0.75, [1, 3, 0, 0], 0.25),
    (metrics.CategoricalAccuracy(), [[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0, 1, 0]], 0.5, [0.75, 0.25], 0.25),
    (metrics.SparseCategoricalAccuracy(), [2, 1], [[0.1, 0.9, 0.8], [0, 1, 0]], 0.5, [0.75, 0.25], 0.25),
    (metrics.SparseCategoricalAccuracy(), [[2.0], [1.0]], [[0.1, 0.9, 0.8], [0, 1, 0]], 0.5, [0.75, 0.25], 0.25),
    (metrics.TopKCategoricalAccuracy(k=2), [[0, 0, 1], [1, 0, 0]], [[0.1, 0.9, 0.8], [0, 1, 0.5]], 0.5, [3, 1], 0.75),
    (metrics.SparseTopKCategoricalAccuracy(2), [2, 0], [[0.1, 0.9, 0.8], [0, 1, 0.5]], 0.5, [3, 1], 0.75),
    (metrics.MeanSquaredError(), [[0, 1], [0, 0]], [[1, 1], [0, 2]], 1.25, [1, 0], 0.5),
    (metrics.RootMeanSquaredError(), [[0, 1], [0, 0]], [[1, 1], [0, 2]], 1.25**0.5, [1, 0], 0.5**0.5),
    (metrics.RootMeanSquaredError(), [0, 1, 0], [1, 1, 2], (5 / 3) ** 0.5, [1, 1, 0], 0.5**0.5),
    (metrics.MeanAbsoluteError(), [[0, 1], [0, 0]], [[1, 1], [0, 2]], 0.75, [1, 0], 0.5),
    (metrics.BinaryCrossentropy(), [[0], [1]], [[0.5], [0.25]], 1.5 * np.log(2), [1, 0], np.log(2)),
    (
        metrics.CategoricalCrossentropy(),
        [[0, 1], [1, 0]],
        [[0.5, 0.5], [0.25, 0.75]],
        1.5 * np.log(2),
        [1, 0],
        np.log(2),
    ),
    (metrics.SparseCategoricalCrossentropy(), [1, 0], [[0.5, 0.5], [0.25, 0.75]], 1.5 * np.log(2), [1, 0], np.log(2)),
    (metrics.TruePositives(), [0, 1, 1, 1], [1, 0, 1, 1], 2.0, [0, 1, 2, 4], 6.0),
    (metrics.TrueNegatives(), [0, 1, 0, 0], [1, 0, 0, 0.5], 2.0, [1, 1, 2, 4], 6.0),
    (metrics.FalsePositives(), [0, 1, 0, 0], [1, 0, 1, 1], 3.0, [1, 8, 2, 4], 7.0),
    (metrics.FalseNegatives(), [1, 1, 0, 1], [0, 0, 1, 1], 2.0, [3, 1, 2, 4], 4.0),
    (metrics.Precision(), [0, 1, 1, 1], [1, 0, 1, 1], 2 / 3, [0, 0, 1, 0], 1.0),
    (metrics.Recall(), [0, 1, 1, 1], [1, 0, 1, 1], 2 / 3, [0, 0, 1, 0], 1.0),
    (metrics.Precision(top_k=1), [[0, 1, 0], [1, 0, 0]], [[0.2, 0.3, 0.1], [0.1, 0.9, 0.8]], 0.5, [3, 1], 0.75),
    (metrics.Recall(class_id=1), [[0, 1], [1, 1]], [[0.9, 0.8], [0.9, 0.1]], 0.5, [3, 1], 0.75),
    # thresholds 0, 0.5 and 1: TP 2, 1, 0 of 2 and FP 2, 0, 0 of 2; with weights TP 7, 4, 0 of 7 and FP 3, 0, 0 of 3
    (metrics.AUC(3), [0, 0, 1, 1], [0, 0.5, 0.3, 0.9], 0.75, [1, 2, 3, 4], (1 + 4 / 7) / 2),
    (metrics.AUC(3, summation_method="minoring"), [0, 0, 1, 1], [0, 0.5, 0.3, 0.9], 0.5, [1, 2, 3, 4], 4 / 7),
    (metrics.AUC(3, "PR", "majoring"), [0, 0, 1, 1], [0, 0.5, 0.3, 0.9], 1, [1, 2, 3, 4], 1),
    # TP = ⅓ p + ⅔ from p = 1 to 4: ⅓ (1 + ⅔ log 4) / 2; then precision 1 over a recall of ½
    (
        metrics.AUC(3, "PR"),
        [0, 0, 1, 1],
        [0, 0.5, 0.3, 0.9],
        (1 + 2 / 3 * np.log(4)) / 6 + 0.5,
        [1, 1, 1, 1],
        (1 + 2 / 3 * np.log(4)) / 6 + 0.5,
    ),
    # class 0: precision 1, recall ½; class 1: precision ½, recall 1. Weights: recall ¼ and precision ¼
    (metrics.F1Score("macro"), [[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]], 2 / 3, [1, 3, 1], 0.4),
    (
        metrics.FBetaScore("micro", 2.0, threshold=0.5),
        [[1, 0], [1, 1]],
        [[0.9, 0.6], [0.2, 0.1]],
        5 * 1 / (4 * 3 + 2),
        [1, 0],
        5 * 1 / (4 * 1 + 2),
    ),
]


@pytest.mark.parametrize(
    ("metric", "y_true", "y_pred", "result", "weights", "weighted"), CASES, ids=lambda v: getattr(v, "name", "")
)
def test_results(backend, metric, y_true, y_pred, result, weights, weighted):
    y_true, y_pred = np.array(y_true), np.array(y_pred, float)
    fresh = metric.fresh()
    assert fresh(y_true, y_pred) == pytest.approx(result, rel=1e-6)
    fresh.reset_state()
    for part in (slice(0, 1), slice(1, None)):
        fresh.update_state(y_true[part], y_pred[part])
    assert fresh.result() == pytest.approx(result, rel=1e-6)
    assert metric.fresh()(y_true, y_pred, sample_weight=weights) == pytest.approx(weighted, rel=1e-6)
    again = metrics.get(metrics.describe(metric))
    assert (type(again), again.name, again.arguments) == (type(metric), metric.name, metric.arguments)


def test_no_batch_and_no_positive_decision():
    for cls in metrics.CLASSES.values():
        assert np.all(cls().result() == 0)
    assert metrics.Precision()([0, 1], [0.1, 0.2]) == 0


def test_weights_of_decisions():
    for weights in ([3, 1], [[3], [1]]):
        assert metrics.Recall(class_id=1)([[0, 1], [0, 1]], [[0, 0.9], [0, 0.1]], sample_weight=weights) == 0.75
    with pytest.raises(ValueError, match=r"recall sample_weight: expected weights for decisions of shape \(2,\)"):
        metrics.Recall()([1, 1], [0.5, 0.7], sample_weight=[1, 2, 3])


def test_several_thresholds():
    recall = metrics.Recall(thresholds=[0.2, 0.6])
    np.testing.assert_array_equal(recall([1, 1], [0.5, 0.7]), [1, 0.5])
    with pytest.raises(ValueError, match="Recall thresholds: expected numbers from 0 to 1"):
        metrics.Recall(thresholds=2)


def test_a_prediction_equal_to_the_threshold_is_no_decision():
    """0.3 in float32 is larger than 0.3 in float64."""
    for dtype in (np.float32, np.float64):
        positives = metrics.TruePositives(thresholds=[0.2, 0.3, 0.4])
        positives.update_state([1, 1], np.array([0.3, 0.4], dtype))
        assert positives.result().tolist() == [2, 1, 0]
        area = metrics.AUC(num_thresholds=11)
        area.update_state([1, 0], np.array([0.3, 0.3], dtype))
        assert area.true_positives[:, 0].tolist() == [1] * 3 + [0] * 8
        score = metrics.FBetaScore(threshold=0.3)
        score.update_state([[1.0, 0.0]], np.array([[0.3, 0.0]], dtype))
        assert score.decided.tolist() == [0, 0]
    positives.update_state([1], [1])  # integers are compared with thresholds as they are
    assert positives.result().tolist() == [3, 2, 1]


def test_scores_of_classes_and_the_weighted_mean():
    y_true, y_pred = [[1, 0, 0], [1, 0, 0], [0, 1, 0]], [[0.9, 0.1, 0], [0.2, 0.8, 0], [0.4, 0.6, 0]]
    np.testing.assert_allclose(metrics.F1Score()(y_true, y_pred), [2 / 3, 2 / 3, 0])
    assert metrics.F1Score("weighted")(y_true, y_pred) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match=r"f1_score: expected y_true and y_pred of one shape .*one-hot"):
        metrics.F1Score()([0, 1], y_pred[:2])
    by_decision = metrics.F1Score("micro")
    assert by_decision([[1, 0], [1, 0]], [[0.9, 0.1], [0.2, 0.8]], sample_weight=[[1, 1], [0, 0]]) == 1
    with pytest.raises(ValueError, match="f1_score sample_weight: expected weights for decisions"):
        metrics.F1Score()(y_true, y_pred, sample_weight=[1, 2])
    with pytest.raises(ValueError, match="FBetaScore beta: expected a number above 0"):
        metrics.FBetaScore(beta=0)


def test_areas_of_several_labels_of_logits_and_of_wrong_thresholds():
    y_true, y_pred = np.array([[0, 1], [1, 0], [1, 1]]), np.array([[0.1, 0.2], [0.9, 0.6], [0.8, 0.7]])
    assert metrics.AUC(multi_label=True)(y_true, y_pred) == pytest.approx((1 + 0.5) / 2)
    logits = np.log(y_pred / (1 - y_pred))
    assert metrics.AUC(from_logits=True)(y_true, logits) == pytest.approx(metrics.AUC()(y_true, y_pred))
    assert metrics.AUC(thresholds=[0.5]).thresholds == [0, 0.5, 1]
    with pytest.raises(ValueError, match=r"auc: expected probabilities, found .* AUC\(from_logits=True\)"):
        metrics.AUC()([0, 1], [-1.0, 2.0])
    with pytest.raises(ValueError, match="precision class_id: expected more than 2 classes"):
        metrics.Precision(class_id=2)([[0, 1]], [[0.5, 0.7]])


def test_mean_and_sum():
    mean = metrics.Mean()
    mean.update_state([1, 3])
    mean.update_state(8.0)
    assert mean.result() == 4
    mean.reset_state()
    mean.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    assert mean.result() == 2
    mean.reset_state()
    mean.update_state([[1, 3], [5, 7]], sample_weight=[1, 3])
    assert mean.result() == (2 + 18) / 4
    assert metrics.Sum(name="total")([1, 3, 5, 7], [1, 1, 0, 0]) == 4


@pytest.mark.parametrize(
    ("metric", "y_true", "y_pred"),
    [
        (metrics.CategoricalAccuracy(), np.zeros((3, 2)), np.zeros((2, 3))),
        (metrics.SparseCategoricalAccuracy(), np.zeros(4, int), np.zeros((3, 2))),
        (metrics.BinaryAccuracy(), np.zeros(4), np.zeros((3, 1))),
        (metrics.Precision(), np.zeros((3, 2)), np.zeros((3, 1))),
        (metrics.SparseTopKCategoricalAccuracy(), np.zeros((3, 2)), np.zeros((3, 5))),
    ],
)
def test_shapes_that_do_not_fit(metric, y_true, y_pred):
    with pytest.raises(ValueError, match=r"predictions of shape \(.*\), found y_true of shape"):
        metric.update_state(y_true, y_pred)


def model(outputs=3, activation="softmax"):
    return Sequential([Input((4,)), Dense(outputs, activation=activation)])


X, LABELS = np.random.default_rng(0).normal(size=(9, 4)), np.arange(9) % 3


class TestCompile:
    def test_names_objects_functions_and_classes(self, backend):
        def largest(y_true, y_pred):
            return y_pred.max(axis=-1)

        given = [
            "acc",
            metrics.SparseCategoricalAccuracy(name="mine"),
            metrics.sparse_categorical_crossentropy,
            largest,
        ]
        one = model()
        one.compile("sgd", "sparse_categorical_crossentropy", metrics=[*given, metrics.SparseTopKCategoricalAccuracy])
        names = ["loss", "acc", "mine", "sparse_categorical_crossentropy", "largest"]
        assert one.metrics_names == [*names, "sparse_top_k_categorical_accuracy"]
        found = one.evaluate(X, LABELS, verbose=0, return_dict=True)
        assert list(found) == one.metrics_names
        assert found["acc"] == found["mine"] == (one.predict(X).argmax(axis=1) == LABELS).mean()
        assert found["loss"] == pytest.approx(found["sparse_categorical_crossentropy"])
        assert found["largest"] == pytest.approx(one.predict(X).max(axis=1).mean())
        history = one.fit(X, LABELS, epochs=2, verbose=0, validation_split=0.5).history
        assert set(history) == {*one.metrics_names, *(f"val_{name}" for name in one.metrics_names)}

    def test_accuracy_of_one_output_is_binary(self, backend):
        one = model(1, "sigmoid")
        one.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
        one.set_weights([np.array([[0.3], [0], [0], [0]]), [0]])  # logits below 0.5: no decision on them is a yes
        y = X[:, 0] > 0
        assert one.evaluate(X, y, verbose=0)[1] == 1
        assert one.train_on_batch(X, y)[1] == 1

    def test_weighted_metrics(self, backend):
        one, weights = model(), np.array([0, 1, 2] * 3)
        one.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["acc"])
        _, plain, weighted = one.evaluate(X, LABELS, sample_weight=weights, batch_size=4, verbose=0)
        right = one.predict(X).argmax(axis=1) == LABELS
        assert plain == right.mean()
        assert weighted == pytest.approx((right * weights).sum() / weights.sum())

    def test_a_model_keeps_its_metrics(self, backend, tmp_path):
        one = model()
        chosen = ["accuracy", metrics.SparseTopKCategoricalAccuracy(k=2, name="top2")]
        one.compile("sgd", "sparse_categorical_crossentropy", metrics=chosen, weighted_metrics=["mae"])
        one.save(tmp_path / "model.safetensors")
        again = minicnn.load_model(tmp_path / "model.safetensors")
        assert again.metrics_names == ["loss", "accuracy", "top2", "mae"]
        assert again.compiled_metrics[1].k == 2

    def test_unknown_and_equal_names(self):
        with pytest.raises(ValueError, match="Did you mean 'accuracy'"):
            model().compile("sgd", "mse", metrics=["acuracy"])
        with pytest.raises(TypeError, match="names, Metric objects or functions, found 3"):
            model().compile("sgd", "mse", metrics=[3])
        with pytest.raises(ValueError, match="different names, found loss, mae, mae"):
            model().compile("sgd", "mse", metrics=["mae", metrics.MeanAbsoluteError(name="mae")])

    def test_a_metric_of_one_s_own(self, backend):
        class Largest(metrics.Metric):
            def reset_state(self):
                self.value = 0.0

            def update_state(self, y_true, y_pred, sample_weight=None):
                self.value = max(self.value, float(minicnn.to_host(y_pred).max()))

            def result(self):
                return self.value

        one = model()
        one.compile("sgd", "sparse_categorical_crossentropy", metrics=[Largest()])
        assert one.evaluate(X, LABELS, verbose=0, return_dict=True)["largest"] == one.predict(X).max()
