"""The figures of a report, drawn from its results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .networks import TITLES
from .results import Results
from .rounds import summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, distinguishable with every common kind of colour vision; minicnn is the strong blue.
COLOURS = ("#0072B2", "#D55E00", "#E69F00", "#CC79A7", "#009E73", "#56B4E9", "#999999", "#F0E442", "#000000")
FORWARD, BACKWARD, OTHER = "#56B4E9", "#0072B2", "#bbbbbb"


def draw_all(results: Results, folder: Path) -> list[str]:
    """Draw the figures that the results have measurements for; returns the names of the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, tuple[bool, Callable[[Results], Figure]]] = {
        "training.png": (bool(results.cases("training")), draw_training),
        "scaling.png": (bool(_series(results)), draw_scaling),
        "roofline.png": (bool(results.profiles), draw_roofline),
        "layers.png": (bool(results.profiles), draw_layers),
    }
    names = [name for name, (measured, _) in drawn.items() if measured]
    for name in names:
        drawn[name][1](results).savefig(folder / name, dpi=120)
    return names


def draw_training(results: Results) -> Figure:
    """A group of bars for each model, one for each rival, with the quartiles as whiskers."""
    cases = results.cases("training")
    rivals = [rival for rival in results.labels if any(f.rival == rival for f in results.of("training"))]
    figure, (axes,) = _figure("Training step at batch 64", width=2.5 + 1.3 * len(cases), height=4.6)
    width = 0.85 / len(rivals)
    for index, rival in enumerate(rivals):
        mine = {f.case: summarise(f.rounds) for f in results.of("training") if f.rival == rival}
        places = [cases.index(case) + (index - (len(rivals) - 1) / 2) * width for case in mine]
        heights = [s.median for s in mine.values()]
        whiskers = [[s.median - s.low for s in mine.values()], [s.high - s.median for s in mine.values()]]
        axes.bar(places, heights, width, yerr=whiskers, **_look(results, rival))
    axes.set_xticks(range(len(cases)), cases)
    axes.set(ylabel="time of a step (ms)", yscale="log")
    _plain_numbers(axes)
    axes.legend(frameon=False, fontsize="small", ncols=2)
    return figure


def draw_scaling(results: Results) -> Figure:
    """One panel for each axis, with both rivals."""
    series = _series(results)
    figure, panels = _figure("Training step: how it scales", width=5, height=4, panels=len(series))
    for axes, measure in zip(panels, series, strict=True):
        for rival in dict.fromkeys(f.rival for f in results.of(measure)):
            mine = [f for f in results.of(measure) if f.rival == rival]
            medians = [summarise(f.rounds).median for f in mine]
            axes.plot([f.x for f in mine if f.x is not None], medians, marker="o", **_look(results, rival))
        points = sorted({f.x for f in results.of(measure) if f.x is not None})
        network, _, axis = measure.partition(" by ")
        axes.set(title=network, xlabel=axis, ylabel="time of a step (ms)", xscale="log", yscale="log")
        _plain_numbers(axes)
        axes.set_xticks(points, [f"{x:g}" for x in points])
        axes.set_xticks([], minor=True)
        axes.legend(frameon=False, fontsize="small")
    return figure


def draw_roofline(results: Results) -> Figure:
    """FLOP rate over arithmetic intensity, with this machine's roofline."""
    peak, bandwidth = results.peak["flops"], results.peak["bandwidth"]
    figure, (axes,) = _figure("Roofline: each layer and the machine's limits", width=9, height=6)
    rates = list(results.layer_rates())
    intensities = np.geomspace(min(1.0, *(rate[4] for rate in rates)), max(1e3, *(rate[4] for rate in rates)), 200)
    roof = np.minimum(peak, intensities * bandwidth)
    axes.plot(
        intensities, roof / 1e9, color="black", label=f"roof: {peak / 1e9:.0f} GFLOP/s, {bandwidth / 1e9:.0f} GB/s"
    )
    for index, model in enumerate(results.profiles):
        for way, marker in (("forward", "o"), ("backward", "s")):
            mine = [rate for rate in rates if rate[0] == model and rate[2] == way]
            label = f"{TITLES[model]}, {way}"
            colour = COLOURS[index % len(COLOURS)]
            axes.scatter(
                [r[4] for r in mine], [r[5] / 1e9 for r in mine], marker=marker, color=colour, label=label, alpha=0.8
            )
    axes.set(xlabel="arithmetic intensity (FLOP / byte)", ylabel="rate (GFLOP/s)", xscale="log", yscale="log")
    axes.legend(frameon=False, fontsize="x-small", ncols=2)
    return figure


def draw_layers(results: Results) -> Figure:
    """A panel for each model: forward and backward of each layer, in the order of the network."""
    models = list(results.profiles)
    rows = max(len(profile["layers"]) for profile in results.profiles.values())
    title = "Where a training step's time goes"
    figure, panels = _figure(title, width=5, height=1.4 + 0.22 * rows, panels=len(models))
    for axes, model in zip(panels, models, strict=True):
        profile = results.profiles[model]
        names = [layer["name"] for layer in profile["layers"]] + ["optimiser", "loss and the rest"]
        forward = [layer["forward"] for layer in profile["layers"]]
        backward = [layer["backward"] for layer in profile["layers"]]
        rest = [profile["optimizer"], profile["rest"]]
        axes.barh(names[: len(forward)], forward, color=FORWARD, label="forward")
        axes.barh(names[: len(forward)], backward, left=forward, color=BACKWARD, label="backward")
        axes.barh(names[len(forward) :], rest, color=OTHER)
        axes.invert_yaxis()
        axes.set(xlabel="time (ms)", title=f"{TITLES[model]}, {profile['step']:.1f} ms per step")
        axes.legend(frameon=False, fontsize="small")
    return figure


def _series(results: Results) -> list[str]:
    return list(dict.fromkeys(m.measure for m in results.measurements if m.x is not None))


def _look(results: Results, rival: str) -> dict[str, Any]:
    """A rival's colour, the same in all figures, and its name for the legend."""
    return {"color": COLOURS[list(results.labels).index(rival) % len(COLOURS)], "label": results.labels[rival]}


def _figure(title: str, width: float, height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    """A new figure (without pyplot's global state) with its panels in pairs, each of this size in inches."""
    from matplotlib.figure import Figure

    columns = min(panels, 2)
    rows = -(-panels // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    figure.suptitle(title)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
    for unused in axes[panels:]:
        unused.remove()
    return figure, axes[:panels]


def _plain_numbers(axes: Axes) -> None:
    """Label a logarithmic y axis at 1, 2 and 5, and without powers of ten."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
