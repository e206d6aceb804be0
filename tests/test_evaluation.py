"""Metrics of predictions: answers calculated by hand, scikit-learn's, and properties that hold for all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.evaluation import area_under_curve, calibration, confusion_matrix, cutoff_curve, roc_curve, scores_by_class

Y_TRUE = [0, 0, 1, 1, 2]
PROBABILITIES = np.array([[5, 2, 1], [2, 4, 2], [1, 6, 1], [1, 1, 6], [0, 0, 8]]) / 8


@st.composite
def predictions(draw):
    """Labels and rows of probabilities in eighths, so that ties occur and sums are exact."""
    samples, classes = draw(st.integers(1, 12)), draw(st.integers(2, 4))
    y_true = draw(st.lists(st.integers(0, classes - 1), min_size=samples, max_size=samples))
    row = st.lists(st.integers(0, 8), min_size=classes, max_size=classes)
    return np.array(y_true), np.array(draw(st.lists(row, min_size=samples, max_size=samples))) / 8


def test_confusion_matrix_counts_true_rows_and_predicted_columns():
    counts = confusion_matrix([0, 0, 0, 2, 2], [0, 1, 1, 2, 0], 4)
    np.testing.assert_array_equal(counts, [[1, 2, 0, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])


def test_scores_by_class_by_hand():
    scores = scores_by_class([0, 0, 0, 2, 2], [0, 1, 1, 2, 0], 4)
    np.testing.assert_allclose(scores.precision, [1 / 2, 0, 1, 0])
    np.testing.assert_allclose(scores.recall, [1 / 3, 0, 1 / 2, 0])
    np.testing.assert_allclose(scores.f1, [2 / 5, 0, 2 / 3, 0])
    np.testing.assert_array_equal(scores.support, [3, 0, 2, 0])


@given(predictions())
@settings(max_examples=50, deadline=None)
def test_scores_and_counts_are_scikit_learns(sample):
    metrics = pytest.importorskip("sklearn.metrics")
    y_true, probabilities = sample
    y_pred, classes = probabilities.argmax(axis=1), range(probabilities.shape[1])
    counts = confusion_matrix(y_true, y_pred, len(classes))
    np.testing.assert_array_equal(counts, metrics.confusion_matrix(y_true, y_pred, labels=classes))
    expected = metrics.precision_recall_fscore_support(y_true, y_pred, labels=classes, zero_division=0)
    for found, right in zip(scores_by_class(y_true, y_pred, len(classes)), expected, strict=True):
        np.testing.assert_allclose(found, right)


def test_roc_curve_by_hand():
    """Descending scores: + (0.75), then + and − together (0.5), then − (0.25)."""
    false_rate, true_rate = roc_curve([True, False, True, False], [0.75, 0.5, 0.5, 0.25])
    np.testing.assert_array_equal(false_rate, [0, 0, 0.5, 1])
    np.testing.assert_array_equal(true_rate, [0, 0.5, 1, 1])
    assert area_under_curve(false_rate, true_rate) == 0.875


@given(predictions())
@settings(max_examples=50, deadline=None)
def test_roc_curve_is_scikit_learns(sample):
    metrics = pytest.importorskip("sklearn.metrics")
    y_true, probabilities = sample
    positive = y_true == 0
    if positive.all() or not positive.any():
        with pytest.raises(ValueError, match="some positive, some not"):
            roc_curve(positive, probabilities[:, 0])
        return
    false_rate, true_rate = roc_curve(positive, probabilities[:, 0])
    every_false, every_true, _ = metrics.roc_curve(positive, probabilities[:, 0], drop_intermediate=False)
    way = false_rate + true_rate  # both rates ascend, so their sum says how far along the curve a point is
    np.testing.assert_allclose(np.interp(every_false + every_true, way, false_rate), every_false)
    np.testing.assert_allclose(np.interp(every_false + every_true, way, true_rate), every_true)
    assert set(way) <= set(every_false + every_true)
    assert area_under_curve(false_rate, true_rate) == pytest.approx(
        metrics.roc_auc_score(positive, probabilities[:, 0])
    )


def test_calibration_by_hand():
    """Confidences 5, 4, 6, 6 and 8 eighths in four bins: (¼, ½] has one, right: no; (½, ¾] three; (¾, 1] one."""
    found = calibration(Y_TRUE, PROBABILITIES, bins=4)
    np.testing.assert_array_equal(found.edges, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_array_equal(found.samples, [0, 1, 3, 1])
    np.testing.assert_allclose(found.confidence, [np.nan, 4 / 8, 17 / 24, 1])
    np.testing.assert_allclose(found.accuracy, [np.nan, 0, 2 / 3, 1])
    assert found.error == pytest.approx((1 / 2 + 3 * (17 / 24 - 2 / 3)) / 5)


@given(predictions(), st.integers(1, 20))
@settings(max_examples=50, deadline=None)
def test_calibration_keeps_totals(sample, bins):
    y_true, probabilities = sample
    found = calibration(y_true, probabilities, bins)
    assert found.samples.sum() == len(y_true)
    correct = probabilities.argmax(axis=1) == y_true
    assert np.nansum(found.accuracy * found.samples) == pytest.approx(correct.sum())
    assert np.nansum(found.confidence * found.samples) == pytest.approx(probabilities.max(axis=1).sum())
    assert abs(correct.mean() - probabilities.max(axis=1).mean()) - 1e-12 <= found.error <= 1


def test_cutoff_curve_by_hand():
    found = cutoff_curve(Y_TRUE, PROBABILITIES, [0, 0.625, 0.75, 1])
    np.testing.assert_array_equal(found.answered, [1, 0.8, 0.6, 0.2])
    np.testing.assert_allclose(found.accuracy, [3 / 5, 3 / 4, 2 / 3, 1])
    nan = np.nan
    np.testing.assert_allclose(found.precision, [[1, 1 / 2, 1 / 2], [1, 1, 1 / 2], [nan, 1, 1 / 2], [nan, nan, 1]])
    np.testing.assert_allclose(found.recall, [[1 / 2, 1 / 2, 1], [1 / 2, 1 / 2, 1], [0, 1 / 2, 1], [0, 0, 1]])


@given(predictions(), st.lists(st.integers(0, 16), min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_cutoff_curve_is_what_a_loop_over_samples_finds(sample, sixteenths):
    y_true, probabilities = sample
    cutoffs = np.sort(sixteenths) / 16
    found = cutoff_curve(y_true, probabilities, cutoffs)
    assert (np.diff(found.answered) <= 0).all()
    assert not (np.diff(found.recall, axis=0) > 0).any()
    for c, cutoff in enumerate(cutoffs):
        given_by = [(t, int(np.argmax(p))) for t, p in zip(y_true, probabilities, strict=True) if max(p) >= cutoff]
        right = [t == answer for t, answer in given_by]
        assert found.answered[c] == pytest.approx(len(given_by) / len(y_true))
        np.testing.assert_allclose(found.accuracy[c], np.mean(right) if right else np.nan)
        for k in range(probabilities.shape[1]):
            of_k = [t == k for t, answer in given_by if answer == k]
            np.testing.assert_allclose(found.precision[c, k], np.mean(of_k) if of_k else np.nan)
            support = np.count_nonzero(y_true == k)
            np.testing.assert_allclose(found.recall[c, k], sum(of_k) / support if support else np.nan)


def test_a_cutoff_of_zero_is_plain_accuracy_and_the_defaults_are_hundredths():
    found = cutoff_curve(Y_TRUE, PROBABILITIES)
    assert (found.answered[0], found.accuracy[0]) == (1, 0.6)
    np.testing.assert_allclose(found.cutoffs, np.arange(101) / 100)
    y_pred = PROBABILITIES.argmax(axis=1)
    np.testing.assert_allclose(found.recall[0], scores_by_class(Y_TRUE, y_pred, 3).recall)


def test_softmax_in_float32_may_exceed_one_by_its_rounding():
    slightly_more = np.nextafter(np.float32(1), np.float32(2))
    assert calibration([0], [[slightly_more, 0]]).error == 0


@pytest.mark.parametrize("function", [calibration, cutoff_curve])
@pytest.mark.parametrize(
    ("y_true", "probabilities", "message"),
    [
        ([0, 1], np.ones((3, 2)) / 2, r"probabilities: expected a row for each of 2 labels, found shape \(3, 2\)"),
        ([0, 2], np.ones((2, 2)) / 2, "y_true: expected class numbers from 0 to 1, found values from 0 to 2"),
        ([0], [0.5, 0.5], r"shape \(N, K\), found shape \(2,\)"),
        ([0], [[2.5, -1.0]], "from 0 to 1, found values from -1 to 2.5. Take the softmax"),
        ([0], [[np.nan, 1.0]], "finite probabilities"),
        ([], np.ones((0, 2)), r"non-empty array of shape \(N, K\)"),
    ],
)
def test_wrong_predictions_are_named(function, y_true, probabilities, message):
    with pytest.raises(ValueError, match=message):
        function(y_true, probabilities)


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="calibration bins: expected a positive whole number, found 0"):
        calibration(Y_TRUE, PROBABILITIES, bins=0)
    with pytest.raises(
        ValueError, match="cutoff_curve: cutoffs: expected cutoffs from 0 to 1, found values from 0 to 2"
    ):
        cutoff_curve(Y_TRUE, PROBABILITIES, [0, 2])
    with pytest.raises(ValueError, match=r"y_pred: expected as many as in y_true \(1\), found 2"):
        confusion_matrix([0], [0, 1], 2)
