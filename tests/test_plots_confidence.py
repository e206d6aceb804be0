"""Figures of confidence, of several seeds and of the pixels show the numbers that they get."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn import plots
from minicnn.datasets.statistics import pixel_statistics
from minicnn.evaluation import calibration, cutoff_curve

pytest.importorskip("matplotlib")

NAMES = ["cat", "dog", "mouse"]
Y = np.random.default_rng(1).integers(0, 3, 40)
SEEDS = np.random.default_rng(2).dirichlet((1, 1, 1), (3, 40)) * 0.5 + np.eye(3)[Y] * 0.5
SEEDS[:, ::4] = SEEDS[:, ::4, ::-1]


def lines(axes):
    return {line.get_label(): np.array(line.get_data()) for line in axes.lines}


def edges_of_bands(axes):
    """The lowest and highest y of each band, at each x."""
    bands = []
    for band in axes.collections:
        x, y = band.get_paths()[0].vertices.T
        bands.append([(y[x == at].min(), y[x == at].max()) for at in np.unique(x)])
    return [np.array(band).T for band in bands]


def histories():
    first = {"loss": [3.0, 2, 1, 0], "val_loss": [3.0, 1, 2, 4]}
    second = {"loss": [5.0, 2, 1, 0], "val_loss": [3.0, 1, 4, 4]}
    return [first, second]


def test_learning_curves_are_means_with_a_standard_deviation_to_both_sides():
    (axes,) = plots.plot_learning_curves({"Model 6": histories()}).axes
    drawn = lines(axes)
    np.testing.assert_array_equal(drawn["Model 6: training"], [[1, 2, 3, 4], [4, 2, 1, 0]])
    label = "Model 6: validation, best (ring) 1.0000 in epoch 2, last 4.0000"
    np.testing.assert_array_equal(drawn[label], [[1, 2, 3, 4], [3, 1, 3, 4]])
    training, validation = edges_of_bands(axes)
    np.testing.assert_allclose(training, [[4 - 2**0.5, 2, 1, 0], [4 + 2**0.5, 2, 1, 0]])
    np.testing.assert_allclose(validation, [[3, 1, 3 - 2**0.5, 4], [3, 1, 3 + 2**0.5, 4]])


def test_learning_curves_of_runs_of_different_lengths_and_of_one_seed():
    runs = {"short": [{"loss": [1.0], "accuracy": [0.5]}], "long": histories()}
    loss, accuracy = plots.plot_learning_curves(runs).axes
    assert {label.split(":")[0] for label in lines(loss) if label[0] != "_"} == {"short", "long"}
    assert {label.split(":")[0] for label in lines(accuracy)} == {"short"}


@pytest.mark.parametrize(
    ("runs", "error", "message"),
    [
        ({}, ValueError, "runs: expected at least one entry"),
        (histories(), TypeError, "runs: expected a dict by name, found list"),
        ({"a": []}, ValueError, "plot_learning_curves: a: expected one history per seed"),
        ({"a": [{"loss": [1.0]}, {"loss": [1.0, 2.0]}]}, ValueError, "a: .* as for the first seed"),
        ({"a": [{"loss": [1.0]}, {"loss": [1.0], "val_loss": [1.0]}]}, ValueError, "a: .* as for the first seed"),
        ({"a": [{"accuracy": [1.0]}]}, ValueError, "a: expected a history with a non-empty list 'loss'"),
        ({"a": {"loss": [1.0]}}, TypeError, "a: expected a list of histories"),
    ],
)
def test_learning_curves_refuse_other_histories(runs, error, message):
    with pytest.raises(error, match=message):
        plots.plot_learning_curves(runs)


def test_report_beside_another_shows_both_and_their_difference():
    reference = np.array([[0.5, 0.25, 0.75], [1, 1, 1], [0.5, 0.5, 0.5]])
    figure = plots.plot_classification_report([0, 0, 1, 2], [0, 1, 1, 2], NAMES, reference=reference)
    ours, theirs, difference = ([text.get_text() for text in axes.texts] for axes in figure.axes[:3])
    assert ours[:3] == ["1.000", "0.500", "0.667"]
    assert theirs == [*("0.500", "0.250", "0.750"), *["1.000"] * 3, *["0.500"] * 3, *("0.667", "0.583", "0.750")]
    assert difference[:3] == ["+50.0", "+25.0", "−8.3"]
    assert figure.axes[1].get_title() == "reference"


def test_report_refuses_a_reference_of_another_shape():
    with pytest.raises(ValueError, match=r"reference: expected shape \(3, 3\).*found shape \(4, 3\)"):
        plots.plot_classification_report([0, 1, 2], [0, 1, 2], NAMES, reference=np.ones((4, 3)))


def test_calibration_draws_accuracy_and_its_gap_to_confidence():
    upper, lower = plots.plot_calibration(Y, SEEDS[0], bins=10).axes
    found = calibration(Y, SEEDS[0], bins=10)
    filled = found.samples > 0
    accuracy, gap = (upper.containers[number].patches for number in (0, 1))
    np.testing.assert_allclose([bar.get_x() for bar in accuracy], found.edges[:-1][filled])
    np.testing.assert_allclose([bar.get_height() for bar in accuracy], found.accuracy[filled])
    np.testing.assert_allclose([bar.get_y() + bar.get_height() for bar in gap], found.confidence[filled])
    assert sum(bar.get_height() for bar in lower.patches) == pytest.approx(1)
    assert upper.get_title() == f"expected calibration error {found.error:.4f} on 40 samples"


def test_cutoff_curves_are_means_over_the_seeds():
    cutoffs = [0, 0.5, 0.75, 0.8]
    left, right = plots.plot_cutoff_curves(Y, {"three": SEEDS, "one": SEEDS[0]}, cutoffs=cutoffs).axes
    curves = [cutoff_curve(Y, seed, cutoffs) for seed in SEEDS]
    for axes, key in ((left, "answered"), (right, "accuracy")):
        values = np.array([getattr(curve, key) for curve in curves])
        three, one = (line.get_data() for line in axes.lines)
        np.testing.assert_allclose(three, [cutoffs, values.mean(axis=0)])
        np.testing.assert_allclose(one, [cutoffs, values[0]])
        ((low, high),) = edges_of_bands(axes)
        np.testing.assert_allclose(high - low, 2 * values.std(axis=0, ddof=1), atol=1e-12)
    assert [line.get_label() for line in right.lines] == ["three", "one"]


def test_cutoff_curves_stop_where_a_seed_answers_nothing():
    seeds = [[[0.75, 0.25]], [[0.5, 0.5]]]
    _, right = plots.plot_cutoff_curves([0], {"a": seeds}, cutoffs=[0.5, 0.75]).axes
    np.testing.assert_array_equal(right.lines[0].get_ydata(), [1, np.nan])


def test_class_cutoff_curves_have_a_panel_for_each_class():
    cutoffs = [0, 0.6, 0.7]
    figure = plots.plot_class_cutoff_curves(Y, SEEDS, NAMES, cutoffs=cutoffs)
    assert [axes.get_title() for axes in figure.axes] == NAMES
    curves = [cutoff_curve(Y, seed, cutoffs) for seed in SEEDS]
    for k, axes in enumerate(figure.axes):
        for line, key in zip(axes.lines, ("precision", "recall"), strict=True):
            mean = np.mean([getattr(curve, key)[:, k] for curve in curves], axis=0)
            np.testing.assert_allclose(line.get_data(), [cutoffs, mean])


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.plot_cutoff_curves(Y, {"a": SEEDS[0, 0]}), r"plot_cutoff_curves: a: .*found shape \(3,\)"),
        (lambda: plots.plot_cutoff_curves(Y[:3], {"a": SEEDS}), "expected a row for each of 3 labels"),
        (lambda: plots.plot_class_cutoff_curves(Y, SEEDS, NAMES[:2]), "class_names: expected 3 names, found 2"),
        (lambda: plots.plot_calibration(Y, SEEDS), r"shape \(N, K\), found shape \(3, 40, 3\)"),
    ],
)
def test_confidence_figures_refuse_other_arrays(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_the_most_confident_mistakes_come_first():
    probabilities = np.array([[0.75, 0.25], [0.875, 0.125], [0.9, 0.1], [0.5, 0.5], [0.4, 0.6]])
    images = np.arange(5 * 6, dtype="float64").reshape(5, 3, 2)
    figure = plots.plot_confident_mistakes(images, [1, 1, 0, 1, 0], probabilities, ["cat", "dog"], count=3)
    assert [axes.get_title() for axes in figure.axes] == ["cat 87.5%", "cat 75.0%", "dog 60.0%"]
    assert [axes.texts[0].get_text() for axes in figure.axes] == ["is dog 12.5%", "is dog 25.0%", "is cat 40.0%"]
    for axes, expected in zip(figure.axes, (1, 0, 4), strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), images[expected])
    assert figure.get_supxlabel().startswith("4 of 5 wrong")


def test_a_model_without_mistakes_has_an_empty_figure():
    figure = plots.plot_confident_mistakes(np.zeros((2, 3, 3)), [0, 1], np.eye(2), ["cat", "dog"])
    assert not any(axes.images for axes in figure.axes)
    assert figure.get_supxlabel().startswith("0 of 2 wrong")


def test_comparison_draws_means_deviations_seeds_and_references():
    values = {"Model 5": [0.75, 0.875, 1], "Model 6": [0.5]}
    (axes,) = plots.plot_comparison(values, reference={"Model 6": 0.625}, start=0.25).axes
    assert [bar.get_x() + bar.get_width() for bar in axes.patches] == [0.875, 0.5]
    assert [text.get_text() for text in axes.texts] == ["0.8750 ± 0.1250", "0.5000"]
    error = axes.containers[1].lines[2][0].get_segments()[0]
    np.testing.assert_allclose(error[:, 0], [0.75, 1])
    (reference,) = (line.get_segments() for line in axes.collections if line.get_label() == "reference")
    np.testing.assert_allclose(reference, [[[0.625, 0.58], [0.625, 1.42]]])
    assert axes.get_xlabel().endswith("the axis starts at 0.25")
    assert [label.get_text() for label in axes.get_yticklabels()] == list(values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"values": {"a": []}}, r"a: expected a list of one number per seed, found shape \(0,\)"),
        ({"values": {"a": [1, np.inf]}}, "finite numbers"),
        ({"values": {"a": [0.5]}, "reference": {"b": 1.0}}, "reference: expected names among the values, found b"),
        ({"values": {"a": [0.5]}, "start": 0.6}, "start: expected at most 0.5, the lowest number"),
        ({"values": {"a": [0.5]}, "reference": {"a": 0.1}, "start": 0.3}, "start: expected at most 0.1"),
    ],
)
def test_comparison_refuses_other_numbers(options, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_comparison(**options)


def test_pixel_statistics_by_hand():
    found = pixel_statistics(np.array([[[0, 0], [0, 4]], [[np.nan, np.inf], [np.nan, 1]]]))
    assert found[:4] == (2, 8, 2, 1)
    np.testing.assert_allclose(found[4:], [1, 2.4**0.5, 0, 0, 0, 1, 4, (27 - 3) / 5 / 2.4**1.5])
    assert np.isnan(pixel_statistics(np.full((2, 3, 3), 7, "uint8")).skew)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_pixel_statistics_are_numpys(dtype):
    images = np.random.default_rng(0).integers(0, 256, (20, 6, 5)).astype(dtype)
    found, x = pixel_statistics(images), images.astype("float64")
    z = (x - x.mean()) / x.std()
    np.testing.assert_allclose(found[4:], [x.mean(), x.std(), *np.percentile(x, [0, 25, 50, 75, 100]), (z**3).mean()])


@pytest.mark.parametrize("images", [np.full((2, 2), np.nan), np.zeros((0, 3))])
def test_pixel_statistics_need_finite_pixels(images):
    with pytest.raises(ValueError, match="expected images with finite pixels"):
        pixel_statistics(images)


def test_pixel_summary_shows_missing_values_and_a_histogram_for_each_class():
    images = np.random.default_rng(0).random((6, 4, 4))
    images[3, 0, :2] = np.nan
    figure = plots.plot_pixel_summary(images, [0, 0, 0, 1, 1, 1], NAMES)  # there is no mouse
    table, *histograms = figure.axes
    cells = [text.get_text() for text in table.texts]
    rows = [cells[start : start + 12] for start in range(11, len(cells), 12)]
    assert [row[:3] for row in rows] == [["all classes", "6", "2"], ["cat", "3", "0"], ["dog", "3", "2"]]
    assert rows[1][4] == f"{images[:3].mean():.4g}"
    assert [axes.get_title() for axes in histograms] == ["cat", "dog"]
    for axes in histograms:
        assert axes.patches[0].get_data().values.sum() == pytest.approx(1)
