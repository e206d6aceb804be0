"""Images: samples of every class, and those that a model gets wrong most confidently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import arguments
from ..errors import explain
from ..evaluation import Labels, check_labels, check_probabilities
from .styles import check_names, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_samples(
    images: np.ndarray,
    labels: Labels,
    class_names: Sequence[str],
    title: str = "Samples of every class",
    per_class: int = 10,
    *,
    style: str = "light",
) -> Figure:
    """The first `per_class` images of every class, one row per class; a class with fewer images has a shorter row.

    Args:
        images: shape (N, H, W) or (N, H, W, 1), grey, or (N, H, W, 3), colour.
        labels: class numbers, shape (N,), integers in 0 … K−1.
        class_names: the K names.
        per_class: how many images are in a row.

    Raises `ValueError` on images or labels of another shape, and on labels out of range.
    """
    names = check_names("plot_samples", class_names)
    labels = check_labels("plot_samples: labels", labels, len(names))
    images = check_images("plot_samples: images", images, len(labels))
    per_class = arguments.whole("plot_samples: per_class", per_class)

    figure, look, (axes,) = new_figure(title, 1.6 + 0.68 * per_class, 0.7 + 0.68 * len(names), style)
    size = 0.92  # of the unit square of an image; the rest is a margin
    for row in range(len(names)):
        for column, image in enumerate(images[labels == row][:per_class]):
            place = (column, column + size, row + size, row)
            axes.imshow(image, cmap=look.picture, vmin=images.min(), vmax=images.max(), extent=place)
    axes.set(xlim=(0, per_class), ylim=(len(names), 0), aspect="equal", xticks=[])
    axes.set_yticks(np.arange(len(names)) + size / 2, names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def plot_confident_mistakes(
    images: np.ndarray,
    y_true: Labels,
    probabilities: Any,
    class_names: Sequence[str],
    title: str = "Most confident mistakes",
    count: int = 24,
    *,
    style: str = "light",
) -> Figure:
    """The `count` misclassified images with the highest predicted probabilities, in descending order.

    Above each image is the predicted class with its probability, below it the true class with its probability. If both
    seem right to a person, the label may be wrong.

    Args:
        images: shape (N, H, W), (N, H, W, 1) or (N, H, W, 3).
        y_true: class numbers, shape (N,), integers in 0 … K−1.
        probabilities: shape (N, K), in [0, 1].
        class_names: the K names.
        count: how many images are drawn at most.

    Raises `ValueError` on arrays of another shape, type or range.
    """
    names, where = check_names("plot_confident_mistakes", class_names), "plot_confident_mistakes"
    y_true = check_labels(f"{where}: y_true", y_true, len(names))
    probabilities = check_probabilities(f"{where}: probabilities", "probabilities", probabilities, ("N", "K"))
    if probabilities.shape != (expected := (len(y_true), len(names))):
        remedy = "Pass the output of model.predict(x)."
        raise ValueError(explain(f"{where}: probabilities", f"shape {expected}", probabilities.shape, remedy))
    images = check_images(f"{where}: images", images, len(y_true))
    count = arguments.whole(f"{where}: count", count)

    confidence, y_pred = probabilities.max(axis=1), probabilities.argmax(axis=1)
    wrong = np.flatnonzero(y_pred != y_true)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    columns = min(max(len(shown), 3), 8)
    rows = max(-(-len(shown) // columns), 1)
    figure, look, panels = new_figure(title, 1.5 * columns, 0.9 + 1.85 * rows, style, rows, columns)
    for axes in panels:
        axes.set_axis_off()
    for axes, n in zip(panels, shown, strict=False):
        axes.imshow(images[n], cmap=look.picture, vmin=images.min(), vmax=images.max())
        axes.set_title(f"{names[y_pred[n]]} {confidence[n]:.1%}", fontsize=8.5, fontweight="bold", pad=3)
        truth = f"is {names[y_true[n]]} {probabilities[n, y_true[n]]:.1%}"
        axes.text(0.5, -0.04, truth, transform=axes.transAxes, color=look.faint, fontsize=8.5, ha="center", va="top")
    words = f"{len(wrong):,} of {len(y_true):,} wrong; above: predicted, below: true class, each with its probability"
    figure.supxlabel(words, fontsize=9, color=look.faint)
    return figure


def check_images(where: str, images: Any, count: int, finite: bool = True) -> np.ndarray:
    """Grey or colour images, one for each of `count` labels; raises TypeError or ValueError for others."""
    images = arguments.array(where, "images", images, finite=finite)
    fits = images.ndim in (3, 4) and len(images) == count and images.shape[3:] in ((), (1,), (3,))
    if not fits or 0 in images.shape:
        expected = f"shape ({count}, height, width), with or without a last axis of 1 or 3 channels"
        raise ValueError(explain(where, expected, images.shape, "Give one image per label."))
    return images
