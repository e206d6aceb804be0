"""The figures show the numbers that they get, and raise errors for input that they cannot draw."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from minicnn import plots
from minicnn.evaluation import roc_curve

pytest.importorskip("matplotlib")
metrics = pytest.importorskip("sklearn.metrics")

NAMES = ["cat", "dog", "mouse"]
Y_TRUE = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
Y_PRED = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 0])
HISTORY = {
    "loss": [1.5, 0.75, 0.5, 0.25],
    "accuracy": [0.25, 0.5, 0.625, 0.75],
    "val_loss": [1.25, 0.875, 0.625, 0.8125],
    "val_accuracy": [0.375, 0.5, 0.4375, 0.25],
}


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def curves(axes) -> dict[str, np.ndarray]:
    """The labelled lines of a panel: label (up to its number) → points of shape (2, n)."""
    lines = [line for line in axes.lines if not line.get_label().startswith("_")]
    return {line.get_label().split(",")[0].split("  ")[0]: np.array(line.get_data()) for line in lines}


def test_history_draws_every_metric_over_whole_epochs():
    figure = plots.plot_history(HISTORY, "Model 5")
    assert figure.get_suptitle() == "Model 5"
    for axes, metric in zip(figure.axes, ("loss", "accuracy"), strict=True):
        drawn = curves(axes)
        np.testing.assert_array_equal(drawn["training"], [[1, 2, 3, 4], HISTORY[metric]])
        np.testing.assert_array_equal(drawn["validation"], [[1, 2, 3, 4], HISTORY[f"val_{metric}"]])
        assert axes.get_ylabel().startswith(metric)


def test_history_names_the_best_validation_epoch():
    loss, accuracy = plots.plot_history(HISTORY).axes
    assert "best 0.6250 in epoch 3" in loss.get_legend_handles_labels()[1][1]
    assert "best 0.5000 in epoch 2" in accuracy.get_legend_handles_labels()[1][1]


@pytest.mark.parametrize("epochs", [1, 2, 25])
def test_history_ticks_are_whole_epochs(epochs):
    figure = plots.plot_history({"loss": np.linspace(1, 0.5, epochs), "val_loss": np.linspace(1, 0.6, epochs)})
    figure.draw_without_rendering()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert ticks
    assert all(tick == round(tick) and 1 <= tick <= epochs for tick in ticks)


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({}, "'loss'"),
        ({"loss": []}, "'loss'"),
        ({"accuracy": [0.5]}, "'loss'.*'accuracy': 1"),
        ({"loss": [1.0, 0.5], "val_loss": [1.0]}, "'loss': 2, 'val_loss': 1"),
        ({"loss": [1.0], "accuracy": [0.5, 0.6]}, "'accuracy': 2"),
    ],
)
def test_history_refuses_what_it_cannot_draw(history, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_history(history)


def test_confusion_matrix_shows_counts_and_shares_of_the_row():
    (axes,) = plots.plot_confusion_matrix(Y_TRUE, Y_PRED, NAMES).axes
    assert texts(axes) == [
        *("3\n75.0%", "1\n25.0%", "0"),
        *("0", "2\n66.7%", "1\n33.3%"),
        *("1\n33.3%", "0", "2\n66.7%"),
    ]
    assert [label.get_text() for label in axes.get_xticklabels()] == NAMES
    assert [label.get_text() for label in axes.get_yticklabels()] == NAMES
    assert axes.get_title() == "70.00% of 10 correct"


def test_confusion_matrix_has_a_row_for_a_class_without_samples():
    (axes,) = plots.plot_confusion_matrix([0, 0], [0, 1], NAMES).axes
    assert texts(axes)[3:] == ["0"] * 6


def test_classification_report_shows_scikit_learns_scores():
    axes = plots.plot_classification_report(Y_TRUE, Y_PRED, NAMES).axes[0]
    report = metrics.classification_report(Y_TRUE, Y_PRED, target_names=NAMES, output_dict=True)
    rows = [report[name] for name in [*NAMES, "macro avg"]]
    assert texts(axes) == [f"{row[score]:.3f}" for row in rows for score in ("precision", "recall", "f1-score")]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        *("cat  (4)", "dog  (3)", "mouse  (3)"),
        "macro average",
    ]


def test_classification_report_counts_a_class_never_predicted_as_zero():
    axes = plots.plot_classification_report([0, 1, 2], [0, 1, 1], NAMES).axes[0]
    assert texts(axes)[6:9] == ["0.000"] * 3


@pytest.fixture
def probabilities() -> np.ndarray:
    scores = np.random.default_rng(5).random((len(Y_TRUE), 3)) + np.eye(3)[Y_TRUE] * 0.4
    return scores / scores.sum(axis=1, keepdims=True)


def test_roc_areas_are_scikit_learns(probabilities):
    figure = plots.plot_roc_curves(Y_TRUE, probabilities, NAMES)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    areas = [metrics.roc_auc_score(np.equal(Y_TRUE, k), probabilities[:, k]) for k in range(3)]
    macro = metrics.roc_auc_score(Y_TRUE, probabilities, multi_class="ovr", average="macro")
    assert legend[:3] == [f"{name}  {area:.4f}" for name, area in zip(NAMES, areas, strict=True)]
    assert legend[3] == f"macro average  {macro:.4f}"
    micro = metrics.roc_auc_score(np.eye(3)[Y_TRUE], probabilities, average="micro")
    assert legend[4] == f"micro average  {micro:.4f}"
    assert 0.5 < macro < 1


def test_roc_panels_show_the_same_curves(probabilities):
    whole, corner = (curves(axes) for axes in plots.plot_roc_curves(Y_TRUE, probabilities, NAMES).axes)
    for k, name in enumerate(NAMES):
        expected = roc_curve(np.equal(Y_TRUE, k), probabilities[:, k])
        np.testing.assert_array_equal(whole[name], expected)
        np.testing.assert_array_equal(corner[name], expected)


@pytest.mark.parametrize(("y_true", "without"), [([0, 1, 1], ["mouse"]), ([2, 2, 2], NAMES)])
def test_roc_says_which_class_has_no_curve(y_true, without):
    figure = plots.plot_roc_curves(y_true, np.full((3, 3), 1 / 3), NAMES)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [label for label in legend if "no curve" in label] == [f"{name}  (no curve)" for name in without]


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.ones((10, 2)), r"\(10, 3\).*\(10, 2\)"),
        (np.ones(10), r"\(10, 3\).*\(10,\)"),
        (np.full((10, 3), np.nan), "NaN"),
    ],
)
def test_roc_refuses_wrong_scores(scores, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_roc_curves(Y_TRUE, scores, NAMES)


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_samples_stand_in_the_row_of_their_class(channels):
    labels = np.array([2, 0, 0, 2, 2, 0])
    images = np.random.default_rng(0).random((6, 5, 4, *channels))
    (axes,) = plots.plot_samples(images, labels, NAMES, per_class=2).axes
    drawn = [(picture.get_extent()[3], picture.get_extent()[0], picture.get_array()) for picture in axes.images]
    expected = [(0, 0, images[1]), (0, 1, images[2]), (2, 0, images[0]), (2, 1, images[3])]
    for (row, column, pixels), (true_row, true_column, image) in zip(drawn, expected, strict=True):
        assert (row, column) == (true_row, true_column)
        np.testing.assert_array_equal(np.squeeze(pixels), np.squeeze(image))
    assert [label.get_text() for label in axes.get_yticklabels()] == NAMES


@pytest.mark.parametrize("shape", [(5, 8, 8), (6, 8), (6, 8, 8, 2), (6, 8, 8, 1, 1)])
def test_samples_refuse_images_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"plot_samples: images: expected shape \(6, height, width\)"):
        plots.plot_samples(np.zeros(shape), [0, 1, 2, 0, 1, 2], NAMES)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], r"non-empty.*\(0,\)"),
        (np.eye(3, dtype=int), r"\(3, 3\).*argmax"),
        ([0.0, 1.0, 2.0], "float64"),
        ([0, 1, 3], "0 to 2, found values from 0 to 3"),
        ([-1, 1, 2], "from -1 to 2"),
    ],
)
@pytest.mark.parametrize(
    "draw",
    [
        lambda labels: plots.plot_confusion_matrix(labels, [0, 1, 2], NAMES),
        lambda labels: plots.plot_classification_report([0, 1, 2], labels, NAMES),
        lambda labels: plots.plot_roc_curves(labels, np.full((3, 3), 1 / 3), NAMES),
        lambda labels: plots.plot_samples(np.zeros((3, 8, 8)), labels, NAMES),
    ],
    ids=["confusion matrix", "classification report", "ROC curves", "samples"],
)
def test_labels_must_be_class_numbers(draw, labels, message):
    with pytest.raises(ValueError, match=message):
        draw(labels)


def test_predictions_must_be_as_many_as_labels():
    with pytest.raises(ValueError, match=r"y_pred: expected as many as in y_true \(3\), found 2"):
        plots.plot_confusion_matrix([0, 1, 2], [0, 1], NAMES)


@pytest.mark.parametrize(("ending", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_figures_are_written_in_the_format_of_the_ending(tmp_path, ending, magic):
    path = tmp_path / "new folder" / f"history.{ending}"
    assert plots.save_figure(plots.plot_history(HISTORY), path) == path
    assert path.read_bytes().startswith(magic)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["history", "history.doc"])
def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, name):
    path = tmp_path / name
    path.write_text("precious")
    with pytest.raises(ValueError, match="not supported"):
        plots.save_figure(plots.plot_history(HISTORY), path)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_matplotlib_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r"matplotlib, which cannot be imported.*minicnn-edu\[report\]"):
        plots.plot_confusion_matrix(Y_TRUE, Y_PRED, NAMES)
