"""One number of several models side by side, with the spread over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import arguments
from ..errors import explain
from .styles import add_legend, band_of, check_groups, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_comparison(
    values: Mapping[str, Sequence[float]],
    title: str = "Comparison",
    quantity: str = "accuracy (fraction correct)",
    *,
    reference: Mapping[str, float] | None = None,
    reference_name: str = "reference",
    start: float = 0.0,
    style: str = "light",
) -> Figure:
    """A bar for each model: mean over the seeds, one standard deviation as error bar, a dot for each seed.

    Args:
        values: for each model's name one number per seed.
        quantity: what the numbers are, with its unit.
        reference: another source's number for some of the models, drawn as a line across the bar.
        reference_name: that source.
        start: where the axis starts, at most the lowest number; if it is not 0, the axis label says so.

    Raises `ValueError` for a model without numbers, a reference to an unknown model, and a start above the numbers.
    """
    where = "plot_comparison"
    groups = check_groups(where, "values", values, '{"Model 5": [0.912, 0.915]}')
    groups = {name: _numbers(f"{where}: {name}", numbers) for name, numbers in groups.items()}
    reference = {} if reference is None else check_groups(where, "reference", reference, '{"Model 5": 0.9126}')
    if unknown := sorted(set(reference) - set(groups)):
        remedy = f"Known: {', '.join(groups)}."
        raise ValueError(explain(f"{where}: reference", "names among the values", ", ".join(unknown), remedy))
    reference = {name: arguments.number(f"{where}: reference, {name}", value) for name, value in reference.items()}
    start = arguments.number(f"{where}: start", start)
    lowest = min(*(numbers.min() for numbers in groups.values()), *reference.values(), np.inf)
    if start > lowest:
        raise ValueError(explain(f"{where}: start", f"at most {lowest:g}, the lowest number", start, "Start lower."))

    figure, look, (axes,) = new_figure(title, 8.4, 1.5 + 0.46 * len(groups), style)
    for row, numbers in enumerate(groups.values()):
        mean, deviation = (float(number) for number in band_of(numbers))
        axes.barh(row, mean - start, left=start, height=0.66, color=look.curves[5])
        axes.errorbar(mean, row, xerr=deviation, color=look.ink, capsize=4, linewidth=1.5, zorder=3)
        places = row + np.linspace(-0.15, 0.15, len(numbers)) if len(numbers) > 1 else [row]
        axes.plot(numbers, places, "o", color=look.ink, markersize=3, zorder=4)
        label = f"{mean:.4f} ± {deviation:.4f}" if len(numbers) > 1 else f"{mean:.4f}"
        axes.text(1.01, row, label, transform=axes.get_yaxis_transform(), color=look.ink, va="center")
    if reference:
        rows = [list(groups).index(name) for name in reference]
        line: dict[str, Any] = {"color": look.curves[1], "linewidth": 2.4, "linestyle": "-", "zorder": 5}
        axes.vlines(list(reference.values()), np.subtract(rows, 0.42), np.add(rows, 0.42), label=reference_name, **line)
        add_legend(axes, look, loc="lower right", bbox_to_anchor=(1, 1))
    axes.set_yticks(range(len(groups)), list(groups))
    axes.invert_yaxis()
    axes.set_xlabel(quantity + (f"; the axis starts at {start:g}" if start else ""))
    axes.set_xlim(left=start)
    tidy(axes, look)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    return figure


def _numbers(where: str, numbers: Sequence[float]) -> np.ndarray:
    array = arguments.array(where, "numbers", numbers, finite=True)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(explain(where, "a list of one number per seed", f"shape {array.shape}", "Example: [0.912]."))
    return array
