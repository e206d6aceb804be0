"""Confusion matrix, and a report of precision, recall and F1 by class, alone or beside those of another source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import arguments
from ..errors import explain
from ..evaluation import Labels, check_labels, confusion_matrix, scores_by_class
from .styles import Style, add_scale, check_names, ink_on, name_cells, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOWEST_SCORE = 0.5
"""Lowest score with its own colour in a classification report; fixed, so that two reports can be compared by eye."""

LARGEST_DIFFERENCE = 10
"""Largest difference to another source, in percentage points, with its own colour."""

SCORES = ("precision", "recall", "F1")


def plot_confusion_matrix(
    y_true: Labels,
    y_pred: Labels,
    class_names: Sequence[str],
    title: str = "Confusion matrix",
    *,
    style: str = "light",
) -> Figure:
    """Counts of each true class (row) predicted as each class (column), and percentages of the row.

    The diagonal, in blue, holds the correct predictions, so its percentages are the recalls; mistakes are orange.

    Args:
        y_true: class numbers, shape (N,), integers in 0 … K−1.
        y_pred: predicted class numbers, as `y_true`.
        class_names: the K names.

    Raises `ValueError` on labels of another shape or type, out of range, or of different lengths.
    """
    names, y_true, y_pred = _label_pair("plot_confusion_matrix", y_true, y_pred, class_names)
    counts = confusion_matrix(y_true, y_pred, len(names))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    side = 2.6 + 0.72 * len(names)
    figure, look, (axes,) = new_figure(title, side, side, style)
    # Two scales: with one, the few per cent of mistakes would all look white beside the diagonal.
    right, wrong = look.scale(look.right), look.scale(look.wrong)
    correct = np.eye(len(names), dtype=bool)
    axes.imshow(np.ma.masked_where(~correct, shares), cmap=right, vmin=0, vmax=1)
    axes.imshow(np.ma.masked_where(correct | (counts == 0), shares), cmap=wrong, vmin=0, vmax=0.3)
    for row, column in np.ndindex(counts.shape):
        share, hit = shares[row, column], row == column
        ink = ink_on(right(share) if hit else wrong(share / 0.3)) if counts[row, column] else look.faint
        text = f"{counts[row, column]:,}\n{share:.1%}" if counts[row, column] else "0"
        weight = "bold" if hit else "normal"
        axes.text(column, row, text, color=ink, fontsize=8.5, fontweight=weight, ha="center", va="center")
    name_cells(axes, names, names, look)
    for label in axes.get_xticklabels():
        label.set(rotation=40, horizontalalignment="right", rotation_mode="anchor")
    axes.set(xlabel="predicted class", ylabel="true class (percentages of its row)")
    axes.set_title(f"{np.mean(y_true == y_pred):.2%} of {len(y_true):,} correct", color=look.faint)
    return figure


def plot_classification_report(
    y_true: Labels,
    y_pred: Labels,
    class_names: Sequence[str],
    title: str = "Classification report",
    *,
    reference: Any = None,
    reference_name: str = "reference",
    style: str = "light",
) -> Figure:
    """Precision, recall and F1 of each class and their plain (macro) averages, as a heat map.

    With a `reference`, its scores stand beside these, and the differences beside both. An undefined score, such as the
    precision of a class that was never predicted, counts as 0.

    Args:
        y_true: class numbers, shape (N,), integers in 0 … K−1.
        y_pred: predicted class numbers, as `y_true`.
        class_names: the K names.
        reference: precision, recall and F1 of each class from another source, shape (K, 3), in [0, 1].
        reference_name: that source.

    Raises `ValueError` for labels that `plot_confusion_matrix` refuses, and for a reference of another shape.
    """
    names, y_true, y_pred = _label_pair("plot_classification_report", y_true, y_pred, class_names)
    *scores, support = scores_by_class(y_true, y_pred, len(names))
    tables = [np.column_stack(scores)]
    if reference is not None:
        tables.append(_reference(reference, len(names)))
    with_average = [np.vstack([table, table.mean(axis=0)]) for table in tables]

    figure, look, panels = new_figure(
        title, 2.2 + 3.8 * (2 * len(tables) - 1), 2.4 + 0.42 * len(names), style, columns=2 * len(tables) - 1
    )
    headings = [f"accuracy {np.mean(y_true == y_pred):.4f} on {len(y_true):,} samples", reference_name]
    for axes, table, heading in zip(panels, with_average, headings, strict=False):
        heat = _draw_table(axes, table, ".3f", look.right, (LOWEST_SCORE, 1), look)
        axes.set_title(heading, color=look.faint)
    add_scale(figure, heat, panels[: len(tables)], "score (fraction)", look, extend="min")
    if reference is not None:
        difference = 100 * (with_average[0] - with_average[1])
        scale = (look.wrong[-1], look.paper, look.right[-1])
        _draw_table(panels[-1], difference, "+.1f", scale, (-LARGEST_DIFFERENCE, LARGEST_DIFFERENCE), look)
        panels[-1].set_title(f"difference to {reference_name}\n(percentage points)", color=look.faint)
    for number, axes in enumerate(panels):
        rows = [f"{name}  ({count:,})" for name, count in zip(names, support, strict=True)]
        name_cells(axes, [*rows, "macro average"], SCORES, look)
        axes.tick_params(labelleft=number == 0)
    panels[0].set_ylabel("true class (number of samples)")
    return figure


def _draw_table(
    axes: Axes, table: np.ndarray, form: str, colours: Sequence[str], limits: tuple[float, float], style: Style
) -> Any:
    """A heat map with its numbers in the cells; a gap separates the last row, the averages."""
    heat = axes.imshow(table, cmap=style.scale(colours), vmin=limits[0], vmax=limits[1], aspect="auto")
    for row, column in np.ndindex(table.shape):
        ink = ink_on(heat.to_rgba(table[row, column])[:3])
        text = format(table[row, column], form).replace("-", "−")
        axes.text(column, row, text, color=ink, ha="center", va="center_baseline")
    axes.axhline(len(table) - 1.5, color=style.paper, linewidth=6)
    return heat


def _reference(reference: Any, classes: int) -> np.ndarray:
    where = "plot_classification_report: reference"
    reference = arguments.array(where, "scores", reference, finite=True)
    if reference.shape != (classes, 3):
        expected = f"shape ({classes}, 3): precision, recall, F1 of each class"
        raise ValueError(explain(where, expected, f"shape {reference.shape}", "Leave its averages out."))
    return reference


def _label_pair(
    function: str, y_true: Labels, y_pred: Labels, class_names: Sequence[str]
) -> tuple[list[str], np.ndarray, np.ndarray]:
    names = check_names(function, class_names)
    true = check_labels(f"{function}: y_true", y_true, len(names))
    predicted = check_labels(f"{function}: y_pred", y_pred, len(names))
    if len(true) != len(predicted):
        expected = f"as many as in y_true ({len(true)})"
        raise ValueError(explain(f"{function}: y_pred", expected, len(predicted), "Give one for each sample."))
    return names, true, predicted
