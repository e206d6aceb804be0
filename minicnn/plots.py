"""Figures of a training run: learning curves, confusion matrix, classification report, ROC curves and sample images.

Each function returns a new `matplotlib.figure.Figure`. pyplot's global state is not used, so figures can be made
without a display and in any thread. `save_figure` writes a figure to a file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import arguments
from .errors import explain
from .files import atomic_writer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Labels = Sequence[int] | np.ndarray

# Colours from Okabe and Ito's palette, distinguishable with every common kind of colour vision.
BLUE, ORANGE = "#0072B2", "#D55E00"
GREY, PALE = "#555555", "#bbbbbb"

# The lower end of a classification report's colour scale; fixed, so that the reports of two models look comparable.
LOWEST_SCORE = 0.5


def plot_history(history: Mapping[str, Sequence[float]], title: str = "Learning curves") -> Figure:
    """Loss and accuracy over the epochs, for training and validation.

    `history` maps metric names to one number per epoch, like `History.history`: `loss` and, if they were measured,
    `accuracy`, `val_loss` and `val_accuracy`. The best epoch of each validation curve is marked.

    Raises `ValueError` if `loss` is missing or empty, or if the lists differ in length.
    """
    if not isinstance(history, Mapping):
        remedy = "model.fit returns a History: plot its .history."
        raise TypeError(explain("plot_history", "a dict of lists", type(history).__name__, remedy))
    for metric, values in history.items():
        if arguments.array("plot_history", metric, values).ndim != 1:
            raise ValueError(explain("plot_history", f"a list {metric}", repr(values), "One number per epoch."))
    lengths = {metric: len(values) for metric, values in history.items()}
    found = f"lists of lengths {lengths}"
    if not lengths.get("loss"):
        raise ValueError(explain("plot_history", "a history with a non-empty list 'loss'", found, "Train first."))
    if len(set(lengths.values())) > 1:
        raise ValueError(explain("plot_history", "one number per epoch for every metric", found, "Make them agree."))

    panels = [metric for metric in ("loss", "accuracy") if metric in history]
    figure = _figure(title, width=5.2 * len(panels), height=4.4)
    for axes, metric in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw_curves(axes, metric, history)
    return figure


def _draw_curves(axes: Axes, metric: str, history: Mapping[str, Sequence[float]]) -> None:
    from matplotlib.ticker import MaxNLocator

    best_of, unit = {"loss": (np.argmin, "mean per sample"), "accuracy": (np.argmax, "fraction correct")}[metric]
    epochs = np.arange(1, len(history[metric]) + 1)
    axes.plot(epochs, history[metric], color=BLUE, marker="o", markersize=4, label="training")
    if (validation := history.get(f"val_{metric}")) is not None:
        best = int(best_of(validation))
        label = f"validation, best {validation[best]:.4f} in epoch {best + 1}"
        axes.plot(epochs, validation, color=ORANGE, linestyle="--", marker="s", markersize=4, label=label)
        axes.plot(epochs[best], validation[best], color=ORANGE, marker="o", markersize=12, fillstyle="none")
    axes.set(xlabel="epoch", ylabel=f"{metric} ({unit})", xlim=(0.5, len(epochs) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _tidy(axes)
    axes.legend(loc="best", frameon=False)


def plot_confusion_matrix(
    y_true: Labels,
    y_pred: Labels,
    class_names: Sequence[str],
    title: str = "Confusion matrix",
) -> Figure:
    """How often each true class (row) was predicted as each class (column): counts, and percentages of the row.

    The diagonal, in blue, holds the correct predictions, so its percentages are the recalls; mistakes are orange.

    Args:
        y_true: class numbers, shape (N,), integers in 0 … K−1.
        y_pred: predicted class numbers, as `y_true`.
        class_names: the K names.

    Raises `ValueError` on labels of another shape or type, out of range, or of different lengths.
    """
    y_true, y_pred = _label_pair("plot_confusion_matrix", y_true, y_pred, class_names)
    classes = len(class_names)
    side = 2.6 + 0.72 * classes
    figure = _figure(title, width=side, height=side)
    axes = figure.add_subplot()

    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(y_true, y_pred, labels=range(classes))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    correct = np.eye(classes, dtype=bool)
    # Two colour scales: with one scale, the few per cent of mistakes would all look white next to the diagonal.
    axes.imshow(np.ma.masked_where(~correct, shares), cmap="Blues", vmin=0, vmax=1.25)
    axes.imshow(np.ma.masked_where(correct | (counts == 0), shares), cmap="Oranges", vmin=0, vmax=0.3)
    for row, column in np.ndindex(counts.shape):
        axes.text(column, row, **_confusion_cell(counts[row, column], shares[row, column], row == column))
    _name_cells(axes, class_names, class_names)
    for label in axes.get_xticklabels():
        label.set(rotation=40, horizontalalignment="right", rotation_mode="anchor")
    axes.set(xlabel="predicted class", ylabel="true class (percentages of its row)")
    axes.set_title(f"{np.mean(y_true == y_pred):.2%} of {len(y_true):,} correct", fontsize=10, color=GREY)
    return figure


def _confusion_cell(count: int, share: float, correct: bool) -> dict[str, Any]:
    """The text of one cell and its style: zeros are pale, text on dark cells is white."""
    if count == 0:
        return {"s": "0", "color": PALE, "fontsize": 8, "ha": "center", "va": "center"}
    ink = "white" if share > (0.7 if correct else 0.2) else "black"
    weight = "bold" if correct else "normal"
    text = f"{count:,}\n{share:.1%}"
    return {"s": text, "color": ink, "fontsize": 8.5, "fontweight": weight, "ha": "center", "va": "center"}


def plot_classification_report(
    y_true: Labels,
    y_pred: Labels,
    class_names: Sequence[str],
    title: str = "Classification report",
) -> Figure:
    """Precision, recall and F1 of each class and their unweighted (macro) averages, as a heat map.

    Arguments and errors as in `plot_confusion_matrix`. An undefined score, such as the precision of a class that was
    never predicted, counts as 0.
    """
    y_true, y_pred = _label_pair("plot_classification_report", y_true, y_pred, class_names)
    figure = _figure(title, width=6.4, height=2.3 + 0.42 * len(class_names))
    axes = figure.add_subplot()

    from sklearn.metrics import precision_recall_fscore_support

    *scores, support = precision_recall_fscore_support(y_true, y_pred, labels=range(len(class_names)), zero_division=0)
    by_class = np.column_stack(scores)
    table = np.vstack([by_class, by_class.mean(axis=0)])
    heat = axes.imshow(table, cmap="Blues", vmin=LOWEST_SCORE, vmax=1, aspect="auto")
    for row, column in np.ndindex(table.shape):
        ink = "white" if table[row, column] > 0.8 else "black"
        axes.text(column, row, f"{table[row, column]:.3f}", color=ink, ha="center", va="center_baseline")
    rows = [f"{name}  ({count:,})" for name, count in zip(class_names, support, strict=True)]
    _name_cells(axes, [*rows, "macro average"], ["precision", "recall", "F1"])
    axes.axhline(len(class_names) - 0.5, color="white", linewidth=6)
    axes.set_ylabel("true class (number of samples)")
    axes.set_title(f"accuracy {np.mean(y_true == y_pred):.4f} on {len(y_true):,} samples", fontsize=10, color=GREY)
    figure.colorbar(heat, ax=axes, label="score (fraction)", extend="min")
    return figure


def plot_roc_curves(
    y_true: Labels,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    title: str = "ROC curves",
) -> Figure:
    """Each class against all others: the true positive rate over the false positive rate.

    The legend gives the area under each curve (AUC: 1 is perfect, 0.5 is guessing). The macro average is the mean of
    the curves and of their areas. The right panel enlarges the corner where the curves of a good model meet. A class
    has no curve if `y_true` contains no sample of it, or only samples of it; the legend says so.

    Args:
        y_true: class numbers, shape (N,), integers in 0 … K−1.
        probabilities: shape (N, K), the model's score for each class.
        class_names: the K names.

    Raises `ValueError` for labels as in `plot_confusion_matrix`, for scores of another shape and non-finite scores.
    """
    y_true = _labels("plot_roc_curves", "y_true", y_true, class_names)
    where, remedy = "plot_roc_curves: probabilities", "Pass the output of model.predict(x)."
    probabilities = arguments.array(where, "scores", probabilities, finite=True)
    if probabilities.shape != (expected := (len(y_true), len(class_names))):
        shape = f"shape {expected}, a score per sample and class"
        raise ValueError(explain(where, shape, probabilities.shape, remedy))

    figure = _figure(title, width=13, height=5.4)
    whole, corner = figure.subplots(1, 2)

    from matplotlib import color_sequences
    from sklearn.metrics import auc, roc_curve

    curves = []
    for k, name in enumerate(class_names):
        if 0 < np.count_nonzero(y_true == k) < len(y_true):
            false_rate, true_rate, _ = roc_curve(y_true == k, probabilities[:, k])
            curves.append((false_rate, true_rate))
            label = f"{name}  {auc(false_rate, true_rate):.4f}"
        else:
            false_rate, true_rate, label = [], [], f"{name}  (no curve)"
        colour = color_sequences["petroff10"][k % 10]  # distinguishable with all kinds of colour vision
        for axes in (whole, corner):
            axes.plot(false_rate, true_rate, label=label, color=colour, linestyle="--" if k % 2 else "-")
    if curves:
        grid = np.unique(np.concatenate([false_rate for false_rate, _ in curves]))
        mean = np.mean([np.interp(grid, *curve) for curve in curves], axis=0)
        area = np.mean([auc(*curve) for curve in curves])
        for axes in (whole, corner):
            axes.plot(grid, mean, label=f"macro average  {area:.4f}", color="black", linewidth=2, linestyle=":")
    _finish_roc(figure, whole, corner)
    return figure


def _finish_roc(figure: Figure, whole: Axes, corner: Axes) -> None:
    from matplotlib.patches import Rectangle

    whole.plot([0, 1], [0, 1], color=PALE, linewidth=1, label="guessing  0.5000")
    whole.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015))
    corner.set(xlim=(-0.003, 0.2), ylim=(0.8, 1.003))
    whole.add_patch(Rectangle((-0.005, 0.8), 0.205, 0.205, fill=False, edgecolor=GREY))
    whole.text(0.22, 0.8, "enlarged on the right", color=GREY)
    for axes in (whole, corner):
        axes.set_xlabel("false positive rate (fraction of the others)")
        axes.set_ylabel("true positive rate (fraction of the class)")
        axes.set_aspect("equal")
        _tidy(axes)
    legend = figure.legend(*whole.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    legend.set(title="class, area under curve", alignment="left")


def plot_samples(
    images: np.ndarray,
    labels: Labels,
    class_names: Sequence[str],
    title: str = "Samples of every class",
    per_class: int = 10,
) -> Figure:
    """The first `per_class` images of every class, one row per class; a class with fewer images has a shorter row.

    Args:
        images: shape (N, H, W) or (N, H, W, 1), grey (drawn dark on white), or (N, H, W, 3), colour.
        labels: class numbers, shape (N,), integers in 0 … K−1.
        class_names: the K names.
        per_class: how many images are in a row.

    Raises `ValueError` for images or labels of another shape, and for labels out of range.
    """
    labels = _labels("plot_samples", "labels", labels, class_names)
    images = arguments.array("plot_samples: images", "images", images, finite=True)
    per_class = arguments.whole("plot_samples: per_class", per_class)
    if images.ndim not in (3, 4) or len(images) != len(labels) or images.shape[3:] not in ((), (1,), (3,)):
        expected = f"shape ({len(labels)}, height, width), with or without a last axis of 1 or 3 channels"
        raise ValueError(explain("plot_samples: images", expected, images.shape, "Give one image per label."))

    figure = _figure(title, width=1.6 + 0.68 * per_class, height=0.7 + 0.68 * len(class_names))
    axes = figure.add_subplot()
    size = 0.92  # of the unit square of an image; the rest is a margin
    for row in range(len(class_names)):
        for column, image in enumerate(images[labels == row][:per_class]):
            place = (column, column + size, row + size, row)
            axes.imshow(image, cmap="gray_r", vmin=images.min(), vmax=images.max(), extent=place)
    axes.set(xlim=(0, per_class), ylim=(len(class_names), 0), aspect="equal", xticks=[])
    axes.set_yticks(np.arange(len(class_names)) + size / 2, class_names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write the figure to `path`, in the format that its ending names (png, pdf, svg …), and return the path.

    A missing folder is made. The file appears complete or not at all, even if the process is killed meanwhile.
    Raises `ValueError` for an ending that matplotlib cannot write.
    """
    path = arguments.path("save_figure path", path)
    with atomic_writer(path) as file:
        figure.savefig(file, format=path.suffix[1:], facecolor="white")
    return path


def _figure(title: str, width: float, height: float) -> Figure:
    """An empty figure. Raises ModuleNotFoundError with an install command if a library is missing."""
    if missing := [name for name in ("matplotlib", "sklearn") if find_spec(name) is None]:
        raise ModuleNotFoundError(
            f"minicnn.plots needs matplotlib and scikit-learn, but {' and '.join(missing)} cannot be imported. "
            "Install them with: pip install 'minicnn[report]'"
        )
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1, hspace=0, wspace=0.02)
    figure = Figure(figsize=(width, height), dpi=150, layout=layout)
    figure.suptitle(title, fontweight="bold")
    return figure


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)


def _name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Names for the rows and columns of a heat map, and white lines between its cells."""
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_xticks(np.arange(1, len(columns)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(rows)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _label_pair(
    function: str, y_true: Labels, y_pred: Labels, class_names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    true = _labels(function, "y_true", y_true, class_names)
    predicted = _labels(function, "y_pred", y_pred, class_names)
    if len(true) != len(predicted):
        expected = f"as many as in y_true ({len(true)})"
        raise ValueError(explain(f"{function}: y_pred", expected, len(predicted), "Give one for each sample."))
    return true, predicted


def _labels(function: str, argument: str, values: Labels, class_names: Sequence[str]) -> np.ndarray:
    where = f"{function}: {argument}"
    labels = arguments.array(where, "class numbers", values)
    class_names = arguments.sequence(f"{function}: class_names", class_names, object, "names")
    if labels.ndim != 1 or labels.size == 0:
        remedy = "For one-hot labels or probabilities, take .argmax(axis=1)."
        raise ValueError(explain(where, "a non-empty 1-D array of class numbers", f"shape {labels.shape}", remedy))
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(explain(where, "class numbers of an integer type", labels.dtype, "Give class numbers."))
    if labels.min() < 0 or labels.max() >= len(class_names):
        expected = f"class numbers from 0 to {len(class_names) - 1}"
        found = f"values from {labels.min()} to {labels.max()}"
        raise ValueError(explain(where, expected, found, "Give a name for every class."))
    return labels
