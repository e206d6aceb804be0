"""ROC curves: each class against all others, their macro and their micro average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import arguments
from ..backends import to_host
from ..errors import explain
from ..evaluation import Labels, area_under_curve, check_labels, roc_curve
from .styles import Style, add_legend, check_names, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_roc_curves(
    y_true: Labels,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    title: str = "ROC curves",
    *,
    style: str = "light",
) -> Figure:
    """Each class against all others: the true positive rate over the false positive rate.

    The legend gives the area under each curve (AUC: 1 is perfect, 0.5 is guessing). The macro average is the mean of
    the curves and of their areas; the micro average is one curve of all N·K questions "is sample n of class k?". The
    right panel enlarges the corner where the curves of a good model meet. A class has no curve if `y_true` holds no
    sample of it, or samples of no other class; the legend says so.

    Args:
        y_true: class numbers, shape (N,), integers in 0 … K−1.
        probabilities: shape (N, K), the model's score for each class.
        class_names: the K names, K ≥ 2.

    Raises `ValueError` for labels that `plot_confusion_matrix` refuses, and for scores of another shape or not finite.
    """
    names = check_names("plot_roc_curves", class_names)
    y_true = check_labels("plot_roc_curves: y_true", y_true, len(names))
    scores = _scores(probabilities, (len(y_true), len(names)))
    truth = np.eye(len(names), dtype=bool)[y_true]  # (N, K)

    figure, look, (whole, corner) = new_figure(title, 13, 5.6, style, columns=2)
    curves = []
    for k, name in enumerate(names):
        if 0 < np.count_nonzero(truth[:, k]) < len(truth):
            curves.append(roc_curve(truth[:, k], scores[:, k]))
            _draw(whole, corner, curves[-1], f"{name}  {area_under_curve(*curves[-1]):.4f}", look.line(k))
        else:
            _draw(whole, corner, ([], []), f"{name}  (no curve)", look.line(k))
    if curves:
        grid = np.unique(np.concatenate([false_rate for false_rate, _ in curves]))
        mean = np.mean([np.interp(grid, *curve) for curve in curves], axis=0)
        area = np.mean([area_under_curve(*curve) for curve in curves])
        _draw(whole, corner, (grid, mean), f"macro average  {area:.4f}", {"color": look.ink, "linewidth": 2.6})
    micro = roc_curve(truth.ravel(), scores.ravel())
    label = f"micro average  {area_under_curve(*micro):.4f}"
    _draw(whole, corner, micro, label, {"color": look.ink, "linewidth": 2.6, "linestyle": ":"})
    _finish(figure, whole, corner, look)
    return figure


def _draw(whole: Axes, corner: Axes, curve: Any, label: str, line: dict[str, Any]) -> None:
    for axes in (whole, corner):
        axes.plot(*curve, label=label, **line)


def _finish(figure: Figure, whole: Axes, corner: Axes, style: Style) -> None:
    from matplotlib.patches import Rectangle

    whole.plot([0, 1], [0, 1], color=style.faint, linewidth=0.8, label="guessing  0.5000")
    whole.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015))
    corner.set(xlim=(-0.003, 0.2), ylim=(0.8, 1.003))
    whole.add_patch(Rectangle((-0.005, 0.8), 0.205, 0.205, fill=False, edgecolor=style.faint))
    whole.text(0.22, 0.8, "enlarged on the right", color=style.faint)
    for axes in (whole, corner):
        axes.set_xlabel("false positive rate (fraction of the others)")
        axes.set_ylabel("true positive rate (fraction of the class)")
        axes.set_aspect("equal")
        tidy(axes, style)
    handles = whole.get_legend_handles_labels()
    add_legend(figure, style, *handles, title="class, area under curve", loc="outside right upper")


def _scores(probabilities: Any, expected: tuple[int, int]) -> np.ndarray:
    where, remedy = "plot_roc_curves: probabilities", "Pass the output of model.predict(x)."
    scores = to_host(arguments.array(where, "scores", probabilities, finite=True))
    if scores.shape != expected or expected[1] < 2:
        shape = f"shape {expected}, a score per sample and class" if expected[1] > 1 else "at least two classes"
        raise ValueError(explain(where, shape, scores.shape, remedy))
    return scores
