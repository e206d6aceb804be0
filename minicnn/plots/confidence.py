"""Confidence: calibration, and cutoff curves of models that answer only if they are confident enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import arguments
from ..backends import to_host
from ..errors import explain
from ..evaluation import CutoffCurve, Labels, calibration, cutoff_curve
from .styles import add_legend, band_of, check_groups, check_names, draw_band, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_calibration(
    y_true: Labels, probabilities: Any, title: str = "Calibration", bins: int = 15, *, style: str = "light"
) -> Figure:
    """Reliability diagram: the accuracy of predictions over the model's confidence in them.

    Bars below the diagonal are overconfidence. The lower panel shows how many samples each bin holds; the heading gives
    the expected calibration error, as `minicnn.evaluation.calibration` defines it.

    Args:
        y_true: class numbers, shape (N,), integers in 0 … K−1.
        probabilities: shape (N, K), in [0, 1].
        bins: number of bins of equal width over (0, 1].

    Raises `ValueError` on arrays of another shape, type or range.
    """
    found = calibration(y_true, probabilities, bins)
    ratios = {"height_ratios": [3, 1]}
    figure, look, (upper, lower) = new_figure(title, 6, 6.8, style, rows=2, sharex=True, gridspec_kw=ratios)
    left, width, filled = found.edges[:-1], np.diff(found.edges), found.samples > 0
    box: dict[str, Any] = {"width": width[filled], "align": "edge", "edgecolor": look.paper}
    gap = (found.confidence - found.accuracy)[filled]
    upper.bar(left[filled], found.accuracy[filled], color=look.curves[5], label="accuracy", **box)
    hatched = {"facecolor": "none", "hatch": "////", "edgecolor": look.curves[1], "linewidth": 0}
    bottom = found.accuracy[filled]
    upper.bar(left[filled], gap, bottom=bottom, label="gap to mean confidence", **(box | hatched))
    upper.plot([0, 1], [0, 1], color=look.ink, linewidth=1, linestyle="--", label="perfect calibration")
    upper.set(ylabel="accuracy (fraction correct)", ylim=(0, 1.02), xlim=(0, 1))
    add_legend(upper, look, loc="upper left")
    lower.bar(left, found.samples / found.samples.sum(), width, align="edge", color=look.faint, edgecolor=look.paper)
    lower.set(xlabel="confidence (largest probability)", ylabel="samples (fraction)")
    for axes in (upper, lower):
        tidy(axes, look)
    upper.set_title(
        f"expected calibration error {found.error:.4f} on {found.samples.sum():,} samples", color=look.faint
    )
    return figure


def plot_cutoff_curves(
    y_true: Labels,
    probabilities: Mapping[str, Any],
    title: str = "Cutoff curves",
    cutoffs: Any = None,
    *,
    style: str = "light",
) -> Figure:
    """The share of samples whose largest score reaches the cutoff, and the accuracy of the answers to these.

    A line is the mean over the seeds, its band one standard deviation to both sides. The line of
    the accuracy ends at the first cutoff at which a seed answers no sample.

    Args:
        y_true: class numbers, shape (N,), integers in 0 … K−1.
        probabilities: for each model's or ensemble's name, shape (N, K), or (S, N, K) for S seeds, in [0, 1].
        cutoffs: shape (C,), in [0, 1], ascending; None: 0, 0.01, …, 1.

    Raises `ValueError` on arrays of another shape, type or range.
    """
    groups = check_groups("plot_cutoff_curves", "probabilities", probabilities, '{"average": probabilities}')
    figure, look, (left, right) = new_figure(title, 12, 5.2, style, columns=2)
    for number, (name, scores) in enumerate(groups.items()):
        curves = _of_seeds(f"plot_cutoff_curves: {name}", y_true, scores, cutoffs)
        answered, accuracy = (band_of([getattr(c, key) for c in curves]) for key in ("answered", "accuracy"))
        draw_band(left, curves[0].cutoffs, answered, look.line(number), linewidth=2)
        draw_band(right, curves[0].cutoffs, accuracy, look.line(number), linewidth=2, label=name)
    left.set(ylabel="answered (fraction of all samples)", ylim=(-0.02, 1.02))
    right.set(ylabel="accuracy (fraction of the answered)")
    for axes in (left, right):
        axes.set(xlabel="cutoff (minimum score to answer)", xlim=(0, 1))
        tidy(axes, look)
    add_legend(right, look, loc="best")
    return figure


def plot_class_cutoff_curves(
    y_true: Labels,
    probabilities: Any,
    class_names: Sequence[str],
    title: str = "Precision and recall over the cutoff",
    cutoffs: Any = None,
    *,
    style: str = "light",
) -> Figure:
    """Precision and recall of each class over the cutoff, one panel per class.

    A model answers only samples whose largest score reaches the cutoff. Precision counts the answers, recall all
    samples of the class: an unanswered sample counts as not found. Mean and standard deviation over the seeds are drawn
    as in `plot_cutoff_curves`.

    Args:
        y_true: class numbers, shape (N,), integers in 0 … K−1.
        probabilities: shape (N, K), or (S, N, K) for S seeds, in [0, 1].
        class_names: the K names.
        cutoffs: shape (C,), in [0, 1], ascending; None: 0, 0.01, …, 1.

    Raises `ValueError` on arrays of another shape, type or range.
    """
    names = check_names("plot_class_cutoff_curves", class_names)
    curves = _of_seeds("plot_class_cutoff_curves: probabilities", y_true, probabilities, cutoffs)
    if (classes := curves[0].recall.shape[1]) != len(names):
        remedy = "Give a name for every column of the probabilities."
        raise ValueError(explain("plot_class_cutoff_curves: class_names", f"{classes} names", len(names), remedy))
    columns = min(len(names), 5)
    rows = -(-len(names) // columns)
    size = (2.7 * columns, 1.3 + 2.5 * rows)
    figure, look, panels = new_figure(title, *size, style, rows, columns, sharex=True, sharey=True)
    for k, axes in enumerate(panels[: len(names)]):
        for number, (key, words) in enumerate({"precision": "answers", "recall": "the class"}.items()):
            band = band_of([getattr(curve, key)[:, k] for curve in curves])
            label = f"{key} (fraction of {words})"
            draw_band(axes, curves[0].cutoffs, band, look.line(number), linewidth=2, label=label)
        axes.set_title(names[k])
        axes.set(xlim=(0, 1), ylim=(-0.02, 1.02))
        tidy(axes, look)
    for unused in panels[len(names) :]:
        unused.set_axis_off()
    figure.supxlabel("cutoff (minimum score to answer)", fontsize=10, color=look.ink)
    figure.supylabel("precision, recall (fraction)", fontsize=10, color=look.ink)
    add_legend(figure, look, *panels[0].get_legend_handles_labels(), loc="outside lower right", ncols=2)
    return figure


def _of_seeds(where: str, y_true: Labels, probabilities: Any, cutoffs: Any) -> list[CutoffCurve]:
    """The cutoff curve of every seed; an array (N, K) holds a single seed."""
    seeds = to_host(arguments.array(where, "probabilities", probabilities))
    if seeds.ndim not in (2, 3) or len(seeds) == 0:
        remedy = "numpy.stack adds the axis of the seeds."
        raise ValueError(explain(where, "shape (N, K) or (S, N, K)", f"shape {seeds.shape}", remedy))
    return [cutoff_curve(y_true, of_seed, cutoffs) for of_seed in seeds.reshape(-1, *seeds.shape[-2:])]
