"""Learning curves: of one run, and of several over their seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import arguments
from ..errors import explain
from .styles import Style, add_legend, band_of, check_groups, draw_band, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curves = Mapping[str, Sequence[float]]

UNITS = {"loss": "mean per sample", "accuracy": "fraction correct"}
BEST: dict[str, Any] = {"loss": np.argmin, "accuracy": np.argmax}


def plot_history(history: Curves, title: str = "Learning curves", *, style: str = "light") -> Figure:
    """Loss and accuracy over the epochs, for training and validation.

    `history` maps metric names to one number per epoch, as `History.history` does: `loss`, and where they were
    measured `accuracy`, `val_loss` and `val_accuracy`. The best epoch of each validation curve is marked.

    Raises `ValueError` if `loss` is missing or empty, or if the lists differ in length.
    """
    _check_history("plot_history", history)
    metrics = [metric for metric in UNITS if metric in history]
    figure, look, panels = new_figure(title, 5.2 * len(metrics), 4.4, style, columns=len(metrics))
    for axes, metric in zip(panels, metrics, strict=True):
        epochs = np.arange(1, len(history[metric]) + 1)
        axes.plot(epochs, history[metric], color=look.curves[0], marker="o", markersize=4, label="training")
        if (validation := history.get(f"val_{metric}")) is not None:
            best = int(BEST[metric](validation))
            label = f"validation, best {validation[best]:.4f} in epoch {best + 1}"
            dashed: dict[str, Any] = {"color": look.curves[1], "linestyle": "--"}
            axes.plot(epochs, validation, **dashed, marker="s", markersize=4, label=label)
            axes.plot(epochs[best], validation[best], color=look.curves[1], marker="o", markersize=12, fillstyle="none")
        _finish(axes, metric, len(epochs), look)
        add_legend(axes, look, loc="best")
    return figure


def plot_learning_curves(
    runs: Mapping[str, Sequence[Curves]], title: str = "Learning curves", *, style: str = "light"
) -> Figure:
    """Loss and accuracy of several runs over the epochs: thin lines for training, thick ones for validation.

    A line is the mean over the seeds, its band one standard deviation to both sides. A ring marks the best epoch of the
    validation, and the legend gives its best and its last mean. If the training loss keeps falling after the ring while
    the validation loss rises, the model overfits.

    Args:
        runs: for each run's name one history per seed, each as `History.history`, all of a run equally long.

    Raises `ValueError` for histories that `plot_history` refuses, and where those of a run differ in length or metrics.
    """
    example = '{"Model 6": [model.fit(…).history]}'
    for name, histories in check_groups("plot_learning_curves", "runs", runs, example).items():
        _check_seeds(f"plot_learning_curves: {name}", histories)
    metrics = [metric for metric in UNITS if any(metric in histories[0] for histories in runs.values())]
    figure, look, panels = new_figure(title, 6.2 * len(metrics), 5.4, style, columns=len(metrics))
    for axes, metric in zip(panels, metrics, strict=True):
        for number, (name, histories) in enumerate(runs.items()):
            _draw_run(axes, metric, name, histories, look.line(number))
        _finish(axes, metric, max(len(histories[0]["loss"]) for histories in runs.values()), look)
        add_legend(axes, look, loc="upper center", bbox_to_anchor=(0.5, -0.14), fontsize=8.5)
    return figure


def _draw_run(axes: Axes, metric: str, name: str, histories: Sequence[Curves], line: dict[str, Any]) -> None:
    for key in (metric, f"val_{metric}"):
        if key not in histories[0]:
            continue
        mean, deviation = band_of([history[key] for history in histories])
        epochs = np.arange(1, len(mean) + 1)
        if key == metric:
            draw_band(axes, epochs, (mean, deviation), line, linewidth=1, label=f"{name}: training")
            continue
        best = int(BEST[metric](mean))
        label = f"{name}: validation, best (ring) {mean[best]:.4f} in epoch {best + 1}, last {mean[-1]:.4f}"
        draw_band(axes, epochs, (mean, deviation), line, linewidth=2.6, label=label)
        axes.plot(epochs[best], mean[best], color=line["color"], marker="o", markersize=12, fillstyle="none")


def _finish(axes: Axes, metric: str, epochs: int, style: Style) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set(xlabel="epoch", ylabel=f"{metric} ({UNITS[metric]})", xlim=(0.5, epochs + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    tidy(axes, style)


def _check_history(where: str, history: Any) -> None:
    """Raise TypeError or ValueError unless this is a dict like `History.history`: lists of one number per epoch."""
    if not isinstance(history, Mapping):
        remedy = "model.fit returns a History: plot its .history."
        raise TypeError(explain(where, "a dict of lists", type(history).__name__, remedy))
    for metric, values in history.items():
        if arguments.array(where, metric, values).ndim != 1:
            raise ValueError(explain(where, f"a list {metric}", repr(values), "Give one number per epoch."))
    lengths = {metric: len(values) for metric, values in history.items()}
    found = f"lists of lengths {lengths}"
    if not lengths.get("loss"):
        raise ValueError(explain(where, "a history with a non-empty list 'loss'", found, "Train first."))
    if len(set(lengths.values())) > 1:
        raise ValueError(explain(where, "one number per epoch for every metric", found, "Give lists of equal length."))


def _check_seeds(where: str, histories: Any) -> None:
    histories = arguments.sequence(where, histories, object, "histories, one per seed")
    if not histories:
        raise ValueError(explain(where, "one history per seed", "an empty list", "Train first."))
    lengths = []
    for history in histories:
        _check_history(where, history)
        lengths.append({metric: len(values) for metric, values in history.items()})
        if lengths[-1] != lengths[0]:
            expected = f"lists of lengths {lengths[0]}, as for the first seed"
            raise ValueError(explain(where, expected, lengths[-1], "Plot it as a separate run."))
