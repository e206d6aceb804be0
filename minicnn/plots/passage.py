"""A forward and backward pass that keeps the outputs and gradients of all layers; arrays of any rank as pictures."""

from __future__ import annotations

from copy import copy
from typing import Any, NamedTuple

import numpy as np

from .. import arguments
from ..backends import to_device, to_host
from ..errors import explain
from ..layers import Layer
from ..models import Sequential
from ..network import Network
from ..training import on_logits

MOST_SAMPLES = 16
"""Maximum number of samples in a figure, which has a panel for each."""


class Passage(NamedTuple):
    """The outputs and gradients of a batch of N samples; entry 0 belongs to x, entry i + 1 to layer i."""

    outputs: list[np.ndarray]
    """Arrays (N, …)."""
    gradients: list[np.ndarray]
    """Gradients of each sample's own loss with respect to `outputs`, arrays (N, …); empty without targets. If softmax
    and cross-entropy are one operation, the last one is with respect to the logits: p − y."""
    kernel_gradients: list[np.ndarray | None]
    """Gradients of the mean loss with respect to each layer's kernel; None for a layer without one."""
    fused: bool
    """Whether softmax and cross-entropy are one operation."""


def forward(where: str, model: Any, x: Any) -> Passage:
    """The forward pass of x (N, …), as in inference; the model is not changed.

    Raises TypeError or ValueError for anything but a Sequential and a batch that fits it.
    """
    twin, x = _prepare(where, model, x)
    outputs = [to_device(x, twin.dtype)]
    for layer in twin.layers:
        outputs.append(layer.forward(outputs[-1]))
    return Passage([to_host(array) for array in outputs], [], [], False)


def forward_and_backward(where: str, model: Any, x: Any, y: Any) -> Passage:
    """The forward and backward pass of x (N, …) in a compiled model, as in inference; the model is not changed.

    y holds N targets as the model's loss takes them. Raises as `forward`, and RuntimeError for a model not compiled.
    """
    twin, x = _prepare(where, model, x)
    twin.check_compiled(where)
    layers, loss = on_logits(twin.layers, copy(twin.loss))
    fused = layers is not twin.layers
    outputs = [to_device(x, twin.dtype)]
    for layer in layers:
        outputs.append(layer.forward(outputs[-1]))
    loss.forward(y, outputs[-1])
    gradients = [loss.backward() * len(x)]  # the loss is a mean over the samples
    for layer in reversed(layers):
        gradients.append(layer.backward(gradients[-1]))
    if fused:
        outputs[-1] = twin.layers[-1].forward(outputs[-2])
    kernels = [getattr(layer, "kernel", None) for layer in layers]
    return Passage(
        [to_host(array) for array in outputs],
        [to_host(array) for array in reversed(gradients)],
        [None if kernel is None or kernel.grad is None else to_host(kernel.grad) / len(x) for kernel in kernels],
        fused,
    )


def find_layer(where: str, model: Any, layer: Any) -> int:
    """The index of a layer given by name, by index or itself. Raises TypeError or ValueError for an unknown layer."""
    _check_model(where, model)
    if isinstance(layer, str):
        layer = model.get_layer(layer)
    elif not isinstance(layer, Layer):
        layer = model.get_layer(index=layer)
    for index, own in enumerate(model.layers):
        if own is layer:
            return index
    names = ", ".join(own.name for own in model.layers)
    raise ValueError(explain(where, "a layer of the model", layer, f"Known: {names}."))


def tiled(maps: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Maps (M, H, W) as the tiles of one picture, NaN between them; without `columns` about as many rows as columns."""
    count, height, width = maps.shape
    columns = columns or int(np.ceil(count**0.5))
    rows, gap_below, gap_right = -(-count // columns), max(height // 12, 1), max(width // 12, 1)
    full_height, full_width = height + gap_below, width + gap_right
    tiles = np.full((rows * columns, full_height, full_width), np.nan)
    tiles[:count, :height, :width] = maps
    picture = tiles.reshape(rows, columns, full_height, full_width).swapaxes(1, 2)
    return picture.reshape(rows * full_height, columns * full_width)[:-gap_below, :-gap_right]


def strongest(maps: np.ndarray, count: int) -> np.ndarray:
    """The indices of the `count` channels of (…, C) with the largest absolute sums, in ascending order."""
    return np.sort(np.abs(maps).reshape(-1, maps.shape[-1]).sum(axis=0).argsort(kind="stable")[-count:])


def picture_of(sample: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """One sample as a picture: the given channels of (H, W, C) as tiles, (L, C) unchanged, (U,) in rows."""
    if sample.ndim == 1:
        return tiled_units(sample)
    return sample if sample.ndim == 2 else tiled(np.moveaxis(sample[:, :, channels], -1, 0))


def tiled_units(units: np.ndarray) -> np.ndarray:
    """Units (U,) in rows, about twice as many rows as columns; NaN fills up the last row."""
    columns = max(int((len(units) / 2) ** 0.5), 1)
    cells = np.full(-(-len(units) // columns) * columns, np.nan)
    cells[: len(units)] = units
    return cells.reshape(-1, columns)


def shape_in_words(shape: tuple[int, ...]) -> str:
    """(28, 28, 32) -> "32 maps of 28 × 28", (27, 236) -> "27 steps × 236 channels", (128,) -> "128 units"."""
    if len(shape) == 3:
        return f"{shape[2]} maps of {shape[0]} × {shape[1]}" if shape[2] > 1 else f"{shape[0]} × {shape[1]}"
    return f"{shape[0]} steps × {shape[1]} channels" if len(shape) == 2 else f"{shape[0]} units"


def _prepare(where: str, model: Any, x: Any) -> tuple[Sequential, Any]:
    """A snapshot of the model, built, and the batch checked."""
    _check_model(where, model)
    if not model.is_sequence:
        remedy = "Make a model of the layers without branches: they share their weights."
        raise TypeError(explain(f"{where}: model", "a sequence of layers", "a model with branches", remedy))
    if type(model).forward is not Network.forward or "forward" in vars(model):
        remedy = "Build a Sequential of the same layers: its forward calls them and nothing else."
        raise TypeError(explain(f"{where}: model", "a model with Sequential's forward", "another forward", remedy))
    x = arguments.array(f"{where}: x", "x", x, model.dtype, finite=True)
    if x.ndim < 2 or not 0 < len(x) <= MOST_SAMPLES:
        expected = f"a batch of 1 to {MOST_SAMPLES} samples"
        raise ValueError(explain(f"{where}: x", expected, f"shape {tuple(x.shape)}", "For one sample, take x[:1]."))
    model.check_input(x)
    model.ensure_built(x)
    return model.snapshot(), x


def _check_model(where: str, model: Any) -> None:
    if not isinstance(model, Sequential):
        remedy = "For a scikit-learn estimator, pass its model_."
        raise TypeError(explain(f"{where}: model", "a Sequential", type(model).__name__, remedy))
