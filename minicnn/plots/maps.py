"""Figures of one layer: its kernel, its outputs, and the gradients of the loss with respect to both."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import arguments
from ..backends import to_host
from ..errors import explain
from .passage import find_layer, forward, forward_and_backward, picture_of, shape_in_words, strongest, tiled
from .styles import ACTIVE, SIGNED, Style, add_scale, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_MAPS = 16
"""Maximum number of maps of a layer, and of filters or channels of a kernel, that are drawn: the strongest ones."""


def plot_kernels(model: Any, layer: Any, title: str | None = None, *, style: str = "light") -> Figure:
    """The kernel of a layer: darker than the grey of zero is negative, brighter is positive.

    Conv2D has a tile for each filter (column) and input channel (row), or, with only one channel, a square of tiles.
    Conv1D has a tile for each filter, steps downwards and channels across. Dense has the whole matrix, a row for each
    input. Of more than 16 filters or channels, the 16 with the largest absolute sums are drawn; the heading says so.

    Args:
        model: a built Sequential.
        layer: a name, an index, or the layer itself.

    Raises `TypeError` for anything but a model, `ValueError` for an unknown layer or one without a kernel.
    """
    index = find_layer("plot_kernels", model, layer)
    layer = model.layers[index]
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        remedy = "Conv1D, Conv2D and Dense have one, once they are built."
        raise ValueError(explain(f"plot_kernels: {layer}", "a layer with a kernel", "none", remedy))
    heading = title or f"Kernel of {layer.name}"
    return _draw_kernel(to_host(kernel.value), heading, "weight (no unit)", style)


def plot_activations(model: Any, x: Any, layer: Any, title: str | None = None, *, style: str = "light") -> Figure:
    """A layer's outputs in inference, one panel per sample, below the sample itself.

    Of (H, W, C), the 16 channels with the largest absolute sums are drawn as tiles, the same for all samples; (L, C) is
    drawn as a matrix, steps downwards and channels across; units (U,) fill rows. All panels share one scale.

    Args:
        model: a Sequential.
        x: 1 to 16 samples, shape (N, …).
        layer: a name, an index, or the layer itself.

    Raises `TypeError` for anything but a model, `ValueError` for an unknown layer and for samples that do not fit the
    model.
    """
    index = find_layer("plot_activations", model, layer)
    passage = forward("plot_activations", model, x)
    heading = title or f"Output of {model.layers[index].name}"
    return _draw_samples(passage.outputs[0], passage.outputs[index + 1], heading, "activation (no unit)", style)


def plot_gradients(
    model: Any, x: Any, y: Any, layer: Any, title: str | None = None, *, of: str = "output", style: str = "light"
) -> Figure:
    """The gradient of the loss with respect to a layer's output, or to its kernel.

    For the output, each sample's panel shows the gradient of its own loss, arranged as in `plot_activations`; for the
    kernel, the figure shows the gradient of the mean loss, arranged as in `plot_kernels`. Dropout and batch norm act as
    in inference. If the model ends in a softmax and its loss is the cross-entropy, the gradient of the last output is
    that with respect to the logits, p − y.

    Args:
        model: a compiled Sequential.
        x: 1 to 16 samples, shape (N, …).
        y: their targets as the model's loss takes them.
        layer: a name, an index, or the layer itself.
        of: "output" or "kernel".

    Raises `TypeError` for anything but a model, `RuntimeError` if it is not compiled, `ValueError` for an unknown layer
    or one without a kernel, and for samples that do not fit the model.
    """
    of = arguments.choice("plot_gradients of", of, ("output", "kernel"), '"output" or "kernel"')
    index = find_layer("plot_gradients", model, layer)
    passage = forward_and_backward("plot_gradients", model, x, y)
    name = model.layers[index].name
    heading, unit = title or f"Gradient of the loss with respect to the {of} of {name}", "gradient (loss per unit)"
    if of == "output":
        return _draw_samples(passage.outputs[0], passage.gradients[index + 1], heading, unit, style, signed=True)
    gradient = passage.kernel_gradients[index]
    if gradient is None:
        remedy = 'Conv1D, Conv2D and Dense have one; of="output" works for every layer.'
        raise ValueError(explain(f"plot_gradients: {name}", "a layer with a kernel", "none", remedy))
    return _draw_kernel(gradient, heading, unit, style)


def _draw_kernel(kernel: np.ndarray, title: str, unit: str, style: str) -> Figure:
    picture, words = _kernel_picture(kernel)
    figure, look, (axes,) = new_figure(title, 7.6, 6.4, style)
    heat = draw_picture(axes, picture, signed=True, stretched=kernel.ndim < 4, style=look)
    axes.set_title(fill(words, 56), color=look.faint)
    add_scale(figure, heat, axes, unit, look)
    return figure


def _kernel_picture(kernel: np.ndarray) -> tuple[np.ndarray, str]:
    """The picture of a kernel (KH, KW, C, F), (K, C, F) or (C, F), and its description in words."""
    filters = strongest(kernel, MOST_MAPS)
    if kernel.ndim == 2:
        return kernel, f"{kernel.shape[0]} inputs (downwards) × {kernel.shape[1]} units (across)"
    amount = _amount(len(filters), kernel.shape[-1], "filters")
    window = " × ".join(map(str, kernel.shape[:-2]))
    if kernel.ndim == 3:
        words = f"{amount} of {window} steps (downwards) × {kernel.shape[1]} channels (across)"
        return tiled(np.moveaxis(kernel[:, :, filters], -1, 0)), words
    channels = strongest(kernel.swapaxes(2, 3), MOST_MAPS)
    chosen = kernel[:, :, channels][:, :, :, filters].transpose(2, 3, 0, 1)  # (C, F, KH, KW)
    tiles = chosen.reshape(-1, *kernel.shape[:2])
    if kernel.shape[2] == 1:
        return tiled(tiles), f"{amount} of {window}"
    channel_words = _amount(len(channels), kernel.shape[2], "input channels")
    return tiled(tiles, len(filters)), f"{window}, {channel_words} (downwards) × {amount} (across)"


def _amount(drawn: int, all_of_them: int, what: str) -> str:
    return f"{all_of_them} {what}" if drawn == all_of_them else f"the strongest {drawn} of {all_of_them} {what}"


def _draw_samples(
    x: np.ndarray, arrays: np.ndarray, title: str, unit: str, style: str, signed: bool | None = None
) -> Figure:
    """Draw the samples in the upper row, their arrays in the lower one, the arrays on one scale."""
    signed = bool(arrays.min() < 0) if signed is None else signed
    channels = strongest(arrays, MOST_MAPS) if arrays.ndim == 4 else np.arange(0)
    figure, look, panels = new_figure(title, 1.6 + 2.4 * len(x), 5.6, style, 2, len(x))
    limit = float(np.percentile(np.abs(arrays), 99.7)) or 1.0
    for number, (sample, array) in enumerate(zip(x, arrays, strict=True)):
        upper, lower = panels[number], panels[len(x) + number]
        draw_input(upper, sample, look)
        upper.set_title(f"sample {number}")
        heat = draw_picture(lower, picture_of(array, channels), signed, arrays.ndim == 3, look, limit)
    words = shape_in_words(arrays.shape[1:])
    if arrays.ndim == 4 and len(channels) < arrays.shape[-1]:
        words += f", the strongest {len(channels)}"
    figure.supxlabel(words, fontsize=10, color=look.faint)
    add_scale(figure, heat, panels[len(x) :], unit, look, extend="both" if signed else "max")
    return figure


def draw_input(axes: Axes, sample: np.ndarray, style: Style) -> None:
    """Draw a sample as the model gets it; an image is grey or in colour."""
    if sample.ndim == 3 and sample.shape[-1] == 3:
        low, high = sample.min(), sample.max()
        axes.imshow((sample - low) / (high - low if high > low else 1))
    elif sample.ndim == 2 or sample.shape[2:] == (1,):
        axes.imshow(sample, cmap=style.picture)
    else:
        draw_picture(axes, picture_of(sample, np.arange(sample.shape[-1])), sample.min() < 0, False, style)
    _frame_off(axes)


def draw_picture(
    axes: Axes, picture: np.ndarray, signed: bool, stretched: bool, style: Style, limit: float | None = None
) -> Any:
    """Draw a picture on a scale from 0, or −limit, to limit, by default nearly its largest value; NaN stays blank."""
    limit = limit or float(np.nanpercentile(np.abs(picture), 99.7)) or 1.0
    scale, aspect = style.scale(SIGNED if signed else ACTIVE), "auto" if stretched else "equal"
    options: dict[str, Any] = {
        "vmin": -limit if signed else 0,
        "vmax": limit,
        "interpolation": "nearest",
        "aspect": aspect,
    }
    heat = axes.imshow(picture, cmap=scale, **options)
    _frame_off(axes)
    return heat


def _frame_off(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
