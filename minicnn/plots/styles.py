"""What all figures share: the styles "light" and "dark", new figures, legends, scales, and saving.

Every figure can be read in grey: curves also differ in their dashes or their lightness, and the cells of heat maps
contain their numbers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import arguments
from ..errors import explain, shown
from ..files import atomic_writer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

Band = tuple[np.ndarray, np.ndarray]
"""Mean and standard deviation over the seeds, at each x."""

DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.2, 1.2, 1.2)), (0, (9, 3)))


@dataclass(frozen=True)
class Style:
    """The colours of a figure: background (paper), text (ink), curves, and the scales of heat maps from low to high."""

    paper: str
    ink: str
    faint: str
    """Colour of secondary text."""
    grid: str
    curves: tuple[str, ...]
    """Twice as many colours as dash patterns; in grey, the first half differs from the second in lightness."""
    right: tuple[str, ...]
    """Scale of scores and of correct predictions."""
    wrong: tuple[str, ...]
    """Scale of mistakes."""
    picture: str
    """matplotlib's colour map of grey images: clothes stand out from the paper."""

    def line(self, number: int) -> dict[str, Any]:
        """matplotlib's options for the curve of this number: no two of ten share both dashes and lightness."""
        return {"color": self.curves[number % len(self.curves)], "linestyle": DASHES[number % len(DASHES)]}

    def scale(self, colours: Sequence[str]) -> Colormap:
        from matplotlib.colors import LinearSegmentedColormap

        return LinearSegmentedColormap.from_list("scale", list(colours))


STYLES = {
    "light": Style(
        paper="#ffffff",
        ink="#1b1f24",
        faint="#555b66",
        grid="#e3e6ea",
        curves=(
            *("#0062a3", "#b3261e", "#6a3d9a", "#1b7837", "#7a4a00"),
            *("#3a9bdc", "#d98200", "#d0609a", "#6a9f2b", "#8a8f98"),
        ),
        right=("#f3f8fd", "#6aaed6", "#08519c"),
        wrong=("#fff4e8", "#fdae6b", "#c2410c"),
        picture="gray_r",
    ),
    "dark": Style(
        paper="#0f1319",
        ink="#e6e9ef",
        faint="#9aa3b5",
        grid="#2a313d",
        curves=(
            *("#8fd0ff", "#ffab9b", "#d3beff", "#9be8ab", "#ffe08a"),
            *("#3d8fcf", "#d97706", "#c4569b", "#5f9e2f", "#8b93a5"),
        ),
        right=("#141c28", "#1f5f99", "#a6dbff"),
        wrong=("#211810", "#a04a10", "#ffc08f"),
        picture="gray",
    ),
}

ACTIVE = ("#000000", "#3b1c5a", "#a8325e", "#ff9e64", "#fff3d6")
"""Scale of activations, from zero up."""

SIGNED = ("#04152e", "#2b6cb0", "#94979c", "#f0a35a", "#fff3d6")
"""Scale of weights and gradients, from negative (blue) to positive (orange): also in grey, darker is less."""


def new_figure(
    title: str, width: float, height: float, style: str, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, Style, list[Axes]]:
    """A figure of that size in inches, its style, and its panels row by row; `options` are those of Figure.subplots."""
    figure, chosen = empty_figure(title, width, height, style)
    panels = list(figure.subplots(rows, columns, squeeze=False, **options).flat)
    for axes in panels:
        dress(axes, chosen)
    return figure, chosen, panels


def empty_figure(title: str, width: float, height: float, style: str) -> tuple[Figure, Style]:
    """A figure without panels. All figures are created here, so a missing matplotlib is reported here."""
    chosen = STYLES[arguments.choice("plots style", style, STYLES, '"light" or "dark"')]
    if find_spec("matplotlib") is None:
        raise ModuleNotFoundError(
            "minicnn.plots needs matplotlib, which cannot be imported. Install it: pip install 'minicnn-edu[report]'"
        )
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1, hspace=0, wspace=0.02)
    figure = Figure(figsize=(width, height), dpi=150, layout=layout, facecolor=chosen.paper)
    figure.suptitle(arguments.text("plots title", title), fontweight="bold", color=chosen.ink)
    return figure, chosen


def dress(axes: Axes, style: Style) -> None:
    """Give the axes the style's colours, also for the texts that they do not have yet."""
    axes.set_facecolor("none")
    axes.tick_params(which="both", colors=style.ink)
    axes.spines[:].set_color(style.faint)
    for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
        text.set_color(style.ink)
    axes.title.set_fontsize(10)


def tidy(axes: Axes, style: Style) -> None:
    """A panel of curves: a faint grid below them, no box around them."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=style.grid, linewidth=0.8)
    axes.set_axisbelow(True)


def add_legend(owner: Figure | Axes, style: Style, *handles: Any, title: str | None = None, **options: Any) -> None:
    """A legend without a frame, of the axes or of the whole figure."""
    look = {"frameon": False, "labelcolor": style.ink, "handlelength": 3, "title": title, "alignment": "left"}
    legend = owner.legend(*handles, **(look | options))
    legend.get_title().set_color(style.ink)


def add_scale(figure: Figure, heat: Any, axes: Axes | list[Axes], label: str, style: Style, **options: Any) -> None:
    """The colour scale of a heat map, beside it."""
    bar = figure.colorbar(heat, ax=axes, label=label, **options)
    dress(bar.ax, style)
    bar.outline.set_visible(False)


def draw_band(axes: Axes, x: np.ndarray, band: Band, look: dict[str, Any], **options: Any) -> None:
    """Draw a mean, and a band of one standard deviation to both sides; a single seed has no band."""
    mean, deviation = band
    axes.plot(x, mean, **look, **options)
    if np.nanmax(deviation, initial=0) > 0:
        axes.fill_between(x, mean - deviation, mean + deviation, color=look["color"], alpha=0.2, linewidth=0)


def band_of(seeds: Sequence[Any]) -> Band:
    """Mean and standard deviation over the seeds (S, P) -> two of (P,): NaN where one of them has no number.

    The deviation is the sample's, divided by S − 1; 0 for a single seed.
    """
    values = np.asarray(seeds, dtype="float64")
    deviation = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1:])
    return values.mean(axis=0), deviation


def name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str], style: Style) -> None:
    """Write the names of a heat map's rows and columns, and draw lines of the background colour between its cells."""
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_xticks(np.arange(1, len(columns)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(rows)) - 0.5, minor=True)
    axes.grid(which="minor", color=style.paper, linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def ink_on(colour: Any) -> str:
    """Black or white, whichever has more contrast on this colour (WCAG's relative luminance)."""
    from matplotlib.colors import to_rgb

    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return "black" if linear @ (0.2126, 0.7152, 0.0722) > 0.179 else "white"


def check_names(function: str, class_names: Any) -> list[str]:
    """The names as a list of strings. Raises TypeError for anything else."""
    names = arguments.sequence(f"{function}: class_names", class_names, object, "names")
    return [str(name) for name in names]


def check_groups(function: str, what: str, groups: Any, example: str) -> dict[str, Any]:
    """A non-empty mapping as a dict by name. Raises TypeError or ValueError for anything else."""
    where = f"{function}: {what}"
    if not isinstance(groups, Mapping) or not all(isinstance(name, str) for name in groups):
        raise TypeError(explain(where, "a dict by name", type(groups).__name__, f"Example: {example}."))
    if not groups:
        raise ValueError(explain(where, "at least one entry", "an empty dict", f"Example: {example}."))
    return dict(groups)


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write the figure to `path`, in the format of its extension (png, pdf, svg …), and return the path.

    A missing folder is created. The file appears complete or not at all, even if the process is killed meanwhile.
    Raises `ValueError` for a format that matplotlib cannot write, `TypeError` for anything but a figure.
    """
    path = arguments.path("save_figure path", path)
    if not hasattr(figure, "savefig"):
        raise TypeError(explain("save_figure", "a figure", shown(figure), "Every plot_… function returns one."))
    with atomic_writer(path) as file:
        figure.savefig(file, format=path.suffix[1:])
    return path
