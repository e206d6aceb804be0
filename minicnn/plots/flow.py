"""A figure of one sample's forward and backward pass through a whole network."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import explain
from ..layers import Layer
from .maps import MOST_MAPS, draw_input, draw_picture
from .passage import Passage, forward_and_backward, picture_of, shape_in_words, strongest
from .styles import Style, check_names, dress, empty_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDE, GAP, MARGIN = 2.0, 0.36, 0.35
"""Side of a picture, gap between two, and margin of the figure, in inches."""

NAMES_WIDTH, BARS_WIDTH = 1.15, 1.9
"""Width of the names of the outputs and of their bars, in inches."""

ABOVE, BELOW, HEIGHT = 3.95, 0.75, 6.95
"""The lower edges of the two rows, and the figure's height, in inches."""

MOST_BARS = 32
"""Maximum number of outputs that are drawn as bars with names."""

WORDS = {
    "Conv1D": "convolution",
    "Conv2D": "convolution",
    "MaxPooling1D": "max pooling",
    "MaxPooling2D": "max pooling",
    "AveragePooling1D": "average pooling",
    "AveragePooling2D": "average pooling",
    "GlobalAveragePooling2D": "average pooling",
    "BatchNormalization": "batch norm",
    "Dense": "dense",
    "ReLU": "ReLU",
    "Softmax": "softmax",
    "Dropout": "",  # in inference it does nothing
    "Flatten": "",
}
"""The names of layer classes in the headings; a layer of another class is headed by its own name."""


class Column(NamedTuple):
    """One picture in each row."""

    entry: int
    """The index of its arrays in a Passage: 0 for the sample, i + 1 for layer i."""
    heading: str


def plot_flow(
    model: Any,
    x: Any,
    y: Any,
    class_names: Sequence[str] | None = None,
    title: str = "Forward and backward pass of one sample",
    *,
    style: str = "light",
) -> Figure:
    """Each layer's output for one sample, and below it the gradient of the loss with respect to that output.

    There is a column for the sample, for each Conv1D, Conv2D and Dense (with the batch norm and activation behind it),
    and bars for the outputs, up to 32. Of maps (H, W, C), the 16 with the largest absolute sums are drawn as tiles;
    (L, C) is drawn as a matrix, steps downwards and channels across; units fill rows. Every picture has its own scale.
    Dropout and batch norm act as in inference; the model is not changed. If the model ends in a softmax and its loss is
    the cross-entropy, the last gradient is that with respect to the logits, p − y.

    Args:
        model: a compiled Sequential.
        x: one sample, shape (1, …).
        y: its target as the model's loss takes it, shape (1,) or (1, K).
        class_names: the K names of the outputs; None: their numbers.

    Raises `TypeError` for anything but a model, `RuntimeError` if it is not compiled, `ValueError` for more than one
    sample, one that does not fit, or another number of names.
    """
    passage = forward_and_backward("plot_flow", model, x, y)
    if len(passage.outputs[0]) != 1:
        found = f"{len(passage.outputs[0])} samples"
        raise ValueError(explain("plot_flow: x", "one sample, shape (1, …)", found, "Take x[:1] and y[:1]."))
    output = passage.outputs[-1][0]
    names = check_names("plot_flow", range(len(output)) if class_names is None else class_names)
    if len(names) != len(output):
        remedy = "Give a name for every output of the model."
        raise ValueError(explain("plot_flow: class_names", f"{len(output)} names", len(names), remedy))

    columns = _columns(model.layers)
    with_bars = output.ndim == 1 and len(output) <= MOST_BARS
    pictures = columns[:-1] if with_bars else columns
    widths = [SIDE / 2 if passage.outputs[column.entry].ndim == 2 else SIDE for column in pictures]
    width = 2 * MARGIN + sum(widths) + GAP * len(widths) + (NAMES_WIDTH + BARS_WIDTH if with_bars else 0)
    figure, look = empty_figure(title, width, HEIGHT, style)
    figure.set_layout_engine("none")
    left = MARGIN
    for column, column_width in zip(pictures, widths, strict=True):
        _draw_column(figure, column, passage, left, column_width, look)
        left += column_width + GAP
    if with_bars:
        _draw_bars(figure, columns[-1], passage, left + NAMES_WIDTH, names, look)
    _caption(figure, ABOVE, "forward", look.wrong[-1], "the output of each layer", look)
    words = "the gradient of the loss: dark blue should rise, bright orange should fall"
    _caption(figure, BELOW, "backward", look.right[-1], words, look)
    return figure


def _columns(layers: Sequence[Layer]) -> list[Column]:
    """A column for the sample, one for each layer with a kernel, and one for the output."""
    columns, waiting = [Column(0, "sample")], list[str]()
    for index, layer in enumerate(layers, start=1):
        word = WORDS.get(type(layer).__name__, layer.name)
        if getattr(layer, "kernel", None) is not None:
            columns.append(Column(index, ", ".join([*waiting, word])))
            waiting = []
        elif not waiting and len(columns) > 1 and layer.output_shape == layers[columns[-1].entry - 1].output_shape:
            columns[-1] = Column(index, ", ".join(filter(None, [columns[-1].heading, word])))
        elif word:
            waiting.append(word)
    if waiting:
        columns.append(Column(len(layers), ", ".join(waiting)))
    return [*columns[:-1], Column(len(layers), columns[-1].heading)]


def _draw_column(figure: Figure, column: Column, passage: Passage, left: float, width: float, style: Style) -> None:
    seen, wanted = passage.outputs[column.entry][0], passage.gradients[column.entry][0]
    channels = strongest(seen, MOST_MAPS) if seen.ndim == 3 else np.arange(0)
    upper, lower = (_axes(figure, left, bottom, width, style) for bottom in (ABOVE, BELOW))
    stretched = seen.ndim < 3
    if column.entry == 0:
        draw_input(upper, seen, style)
    else:
        draw_picture(upper, picture_of(seen, channels), bool(seen.min() < 0), stretched, style)
    draw_picture(lower, picture_of(wanted, channels), True, stretched, style)
    words = shape_in_words(seen.shape)
    if seen.ndim == 3 and len(channels) < seen.shape[-1]:
        words += f"\n(the strongest {len(channels)})"
    _below(figure, left + width / 2, ABOVE, fill(column.heading, round(11 * width) + 2), style.ink)
    _below(figure, left + width / 2, BELOW, words, style.faint)


def _draw_bars(
    figure: Figure, column: Column, passage: Passage, left: float, names: Sequence[str], style: Style
) -> None:
    output, gradient = passage.outputs[-1][0], passage.gradients[-1][0]
    up, down = style.wrong[-1], style.right[-1]
    winner = [up if k == output.argmax() else style.faint for k in range(len(output))]
    signs = [up if value > 0 else down for value in gradient]
    last = "p" if passage.fused else "output"
    words = (fill(f"{column.heading}: {last}", 24), "p − y" if passage.fused else "gradient")
    inks = (style.ink, style.faint)
    rows = zip((ABOVE, BELOW), (output, gradient), (winner, signs), words, inks, strict=True)
    for bottom, values, colours, text, ink in rows:
        axes = _axes(figure, left, bottom, BARS_WIDTH, style)
        axes.barh(range(len(values)), values, color=colours, height=0.7)
        axes.axvline(0, color=style.faint, linewidth=0.8)
        axes.set_yticks(range(len(values)), names, fontsize=min(10, 100 / len(values)))
        axes.set_ylim(len(values) - 0.4, -0.6)
        axes.tick_params(length=0, pad=4, labelsize=8)
        axes.locator_params(axis="x", nbins=3)
        axes.spines[:].set_visible(False)
        _below(figure, left + BARS_WIDTH / 2, bottom - 0.17, text, ink)


def _axes(figure: Figure, left: float, bottom: float, width: float, style: Style) -> Axes:
    """Axes at a position given in inches."""
    across, up = figure.get_size_inches()
    axes = figure.add_axes((left / across, bottom / up, width / across, SIDE / up))
    dress(axes, style)
    return axes


def _below(figure: Figure, centre: float, bottom: float, words: str, colour: str) -> None:
    across, up = figure.get_size_inches()
    figure.text(centre / across, (bottom - 0.09) / up, words, color=colour, fontsize=10.5, ha="center", va="top")


def _caption(figure: Figure, bottom: float, direction: str, colour: str, words: str, style: Style) -> None:
    """A line of text over a row, with an arrow that says which way the row is read."""
    from matplotlib.patches import FancyArrowPatch

    across, up = figure.get_size_inches()
    y = (bottom + SIDE + 0.28) / up
    ends = [(MARGIN / across, y), ((MARGIN + 0.62) / across, y)]
    start, end = ends if direction == "forward" else reversed(ends)
    arrow = FancyArrowPatch(start, end, transform=figure.transFigure, color=colour, arrowstyle="-|>", mutation_scale=15)
    figure.add_artist(arrow)
    looks: tuple[tuple[float, str, dict[str, Any]], ...] = (
        (0.75, direction, {"color": colour, "weight": "bold", "fontsize": 12.5}),
        (1.95, words, {"color": style.faint, "fontsize": 12}),
    )
    for left, text, look in looks:
        figure.text((MARGIN + left) / across, y, text, va="center", **look)
