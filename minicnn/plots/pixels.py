"""Pixels before anything is trained on them: missing values, statistics and histograms, by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..datasets.statistics import PixelStatistics, pixel_statistics
from ..evaluation import Labels, check_labels
from .images import check_images
from .styles import Style, check_names, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 32

COLUMNS = {
    "images": "{0.images:,}",
    "missing": "{0.missing:,}",
    "infinite": "{0.infinite:,}",
    "mean": "{0.mean:.4g}",
    "std": "{0.std:.4g}",
    "min": "{0.minimum:.4g}",
    "25 %": "{0.lower_quartile:.4g}",
    "median": "{0.median:.4g}",
    "75 %": "{0.upper_quartile:.4g}",
    "max": "{0.maximum:.4g}",
    "skew": "{0.skew:.3f}",
}
"""The columns of the table, and the format of a PixelStatistics in each."""


def plot_pixel_summary(
    images: np.ndarray,
    labels: Labels,
    class_names: Sequence[str],
    title: str = "Pixels by class",
    *,
    style: str = "light",
) -> Figure:
    """A check for missing values, summary statistics and skew of the pixels, and a histogram for each class.

    The numbers are those of `minicnn.datasets.statistics.pixel_statistics`. Missing values are NaN; statistics and
    histograms leave them out. The histograms' vertical axis is logarithmic, since most pixels are background.

    Args:
        images: shape (N, H, W), (N, H, W, 1) or (N, H, W, 3); values in any unit.
        labels: class numbers, shape (N,), integers in 0 … K−1.
        class_names: the K names.

    Raises `ValueError` on images or labels of another shape, and on a class whose pixels are all missing.
    """
    names = check_names("plot_pixel_summary", class_names)
    labels = check_labels("plot_pixel_summary: labels", labels, len(names))
    images = check_images("plot_pixel_summary: images", images, len(labels), finite=False)
    present = [k for k in range(len(names)) if (labels == k).any()]
    whole = pixel_statistics(images)
    rows = {"all classes": whole} | {names[k]: pixel_statistics(images[labels == k]) for k in present}

    columns = min(len(present), 5)
    below = -(-len(present) // columns)
    size = (max(2.5 * columns, 10), 1.1 + 0.28 * len(rows) + 2 * below)
    heights = {"height_ratios": [0.28 * (len(rows) + 1.5), *[2] * below]}
    figure, look, panels = new_figure(title, *size, style, 1 + below, columns, gridspec_kw=heights)
    for axes in panels[1:columns]:
        axes.remove()
    panels[0].set_subplotspec(panels[0].get_gridspec()[0, :])  # type: ignore[index]
    _draw_table(panels[0], rows, look)

    width = whole.maximum - whole.minimum
    edges = np.linspace(whole.minimum, whole.minimum + (width or 1), BINS + 1)
    for axes, k in zip(panels[columns:], present, strict=False):
        pixels = images[labels == k]
        counts, _ = np.histogram(pixels[np.isfinite(pixels)], edges)
        axes.stairs(counts / counts.sum(), edges, fill=True, color=look.curves[5])
        axes.axvline(rows[names[k]].mean, color=look.ink, linewidth=1.2, linestyle="--")
        axes.set(yscale="log", ylim=(1e-4, 1.5), xlim=(edges[0], edges[-1]))
        axes.set_title(names[k])
        tidy(axes, look)
        axes.label_outer()
    for unused in panels[columns + len(present) :]:
        unused.set_axis_off()
    figure.supxlabel("pixel value, dashed: mean", fontsize=10, color=look.ink)
    figure.supylabel("pixels (fraction of the class)", fontsize=10, color=look.ink)
    return figure


def _draw_table(axes: Axes, rows: dict[str, PixelStatistics], style: Style) -> None:
    """Draw the statistics as a table of text without a frame; missing values are in bold."""
    axes.set(xlim=(0, len(COLUMNS) + 1.4), ylim=(len(rows) + 0.5, -0.5))
    axes.set_axis_off()
    for column, heading in enumerate(COLUMNS):
        axes.text(column + 2.2, 0, heading, color=style.faint, ha="right", va="center", fontsize=9)
    for row, (name, numbers) in enumerate(rows.items(), start=1):
        axes.text(0, row, name, color=style.ink, va="center", fontsize=9)
        for column, (heading, form) in enumerate(COLUMNS.items()):
            alarming = heading in ("missing", "infinite") and getattr(numbers, heading)
            weight = "bold" if alarming else "normal"
            text = form.format(numbers)
            axes.text(column + 2.2, row, text, color=style.ink, ha="right", va="center", fontsize=9, fontweight=weight)
    axes.axhline(0.5, color=style.grid)
    axes.axhline(1.5, color=style.grid)
