"""What the page has to know of each operation: its name there, its arrays, and its options.

`browser/operations/` has the operations of the same names: which products their numbers are the sum of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import layers as of
from .. import losses
from ..backends.geometry import pad_amounts
from ..backends.textbook.resizing import stretching
from ..inside.recording import LayerTrace, LossTrace
from ..layers import Layer
from ..losses import Loss
from ..network import is_patched

Arrays = dict[str, np.ndarray]


@dataclass
class Step:
    """One operation of the training step."""

    kind: str
    """Its name in the page; "unknown" for what the page cannot open."""
    arrays: Arrays
    """At least x (or x1, x2, …), y, dy and dx; the weights by their names, their gradients as dkernel, …"""
    options: dict[str, Any] = field(default_factory=dict)
    symbols: dict[str, str] = field(default_factory=dict)
    """What an array is called, if not by its name in `arrays`."""

    weights = ("kernel", "bias", "gamma", "beta")
    """The names of weights in `arrays`."""


def steps_of(trace: LayerTrace) -> list[Step]:
    """The layer's operations in their order; if it ends in an activation, that is the last one."""
    several = len(trace.sources) > 1
    inputs = {f"x{k}": x for k, x in enumerate(trace.x, 1)} if several else {"x": trace.x}
    gradients = {f"dx{k}": dx for k, dx in enumerate(trace.dx, 1)} if several else {"dx": trace.dx}
    arrays = _weights(trace) | inputs | gradients | {"y": trace.y, "dy": trace.dy}
    if trace.activation is None or trace.z is None or trace.dz is None:
        return _described(trace.layer, arrays)
    function = {"x": trace.z, "dx": trace.dz, "y": trace.y, "dy": trace.dy}
    *before, last = _described(trace.layer, arrays | {"y": trace.z, "dy": trace.dz})
    (activation,) = _described(trace.activation, function)
    last.symbols |= {"y": "z", "dy": "dz"}
    activation.symbols |= {"x": "z", "dx": "dz"}
    return [*before, last, activation]


def _weights(trace: LayerTrace) -> Arrays:
    """The weights, their gradients, and the gradients of their penalties."""
    found = {**trace.weights, **{f"d{name}": gradient for name, gradient in trace.gradients.items()}}
    for name, regularizer in trace.regularizers.items():
        weight = trace.weights[name]
        found[f"penalty_{name}"] = regularizer.add_gradient(np.zeros_like(weight), weight)
    return found


def _described(layer: Layer, arrays: Arrays) -> list[Step]:
    """The operations of a layer; "unknown" for a class or a method of the user's own, which may compute anything."""
    describe = None if is_patched(layer) else OPERATIONS.get(type(layer))
    return [Step("unknown", arrays)] if describe is None else describe(layer, arrays)


# convolution, pooling, dense


def _convolution(layer: Any, arrays: Arrays) -> list[Step]:
    windows = _windows(layer, arrays["x"], layer.extent)
    return [Step("conv", arrays, {**windows, "dilation": layer.dilation_2d, "groups": layer.groups})]


def _depthwise(layer: Any, arrays: Arrays) -> list[Step]:
    """A convolution of as many groups as channels; its kernel has the shape (KH, KW, C, M)."""
    windows = _windows(layer, arrays["x"], layer.extent)
    groups = {"dilation": layer.dilation_2d, "groups": arrays["x"].shape[-1], "depthwise": True}
    return [Step("conv", arrays, windows | groups)]


def _separable(layer: Any, arrays: Arrays) -> list[Step]:
    """A depthwise convolution, x -> u, then a 1 × 1 convolution of u."""
    kernel, pointwise = arrays["depthwise_kernel"], arrays["pointwise_kernel"]  # the layer's are those after the step
    u, _ = layer.depthwise(arrays["x"], kernel, None)
    _, saved = layer.ops.conv2d(u, pointwise, None, (1, 1), "valid", "linear")
    du, _, _ = layer.ops.conv2d_backward(arrays["dy"], saved, True)
    (first,) = _depthwise(layer, _renamed(arrays, "depthwise_kernel") | {"y": u, "dy": du})
    first.symbols = {"kernel": "depthwise_kernel", "dkernel": "ddepthwise_kernel", "y": "u", "dy": "du"}
    only = {"window": (1, 1), "strides": (1, 1), "pads": (0, 0), "dilation": (1, 1), "groups": 1}
    second = Step("conv", _renamed(arrays, "pointwise_kernel", "bias") | {"x": u, "dx": du}, only)
    second.symbols = {"kernel": "pointwise_kernel", "dkernel": "dpointwise_kernel", "x": "u", "dx": "du"}
    return [first, second]


def _renamed(arrays: Arrays, kernel: str, *others: str) -> Arrays:
    """The arrays of one of several convolutions in a layer, whose kernel is called `kernel` there."""
    names = {kernel: "kernel", **{name: name for name in (*others, "x", "y", "dx", "dy")}}
    prefixes = ("", "d", "penalty_")
    return {
        f"{p}{new}": arrays[f"{p}{name}"] for name, new in names.items() for p in prefixes if f"{p}{name}" in arrays
    }


def _windows(layer: Any, x: np.ndarray, extent: tuple[int, ...]) -> dict[str, Any]:
    """Windows as on images, also in one dimension; `extent` is the length that they cover."""
    lengths = zip(x.shape[1:-1], extent, layer.strides, strict=True)
    pads = [pad_amounts(*axis, layer.padding)[0] for axis in lengths]
    return {"window": layer.window_2d, "strides": layer.strides_2d, "pads": [0, *pads][-2:]}


def _pooling(kind: str) -> Callable[[Any, Arrays], list[Step]]:
    return lambda layer, arrays: [Step(kind, arrays, _windows(layer, arrays["x"], layer.window))]


def _global_pooling(kind: str) -> Callable[[Any, Arrays], list[Step]]:
    """One window for the whole image."""

    def describe(layer: Any, arrays: Arrays) -> list[Step]:
        window = (1, *arrays["x"].shape[1:-1])[-2:]
        return [Step(kind, arrays, {"window": window, "strides": window, "pads": (0, 0)})]

    return describe


# one number in, one number out


def _activation(layer: Any, arrays: Arrays) -> list[Step]:
    if layer.curve:
        return _curve(layer.curve[0])(layer, arrays)
    return [Step("activation", arrays, {"activation": layer.activation, "axis": getattr(layer, "axis", -1)})]


def _curve(name: str) -> Callable[[Any, Arrays], list[Step]]:
    """A smooth activation; its slopes are the layer's own backward of a dy of ones."""
    return lambda layer, arrays: [Step("curve", arrays | {"slope": _slopes(layer, arrays)}, {"curve": name})]


def _general_relu(layer: Any, arrays: Arrays) -> list[Step]:
    options = {name: getattr(layer, name) for name in ("negative_slope", "max_value", "threshold")}
    return [Step("general_relu", arrays, options)]


def _slopes(layer: Any, arrays: Arrays) -> np.ndarray:
    return np.asarray(layer.backward(np.ones_like(arrays["y"])))


def _random(layer: Any, arrays: Arrays) -> list[Step]:
    """y = mask · x + offset: dropout has no offset, noise no mask, an erased box both."""
    if not layer.changing:
        return [Step("scaling", arrays, {"rate": 0})]
    found: Arrays = {}
    mask = _slopes(layer, arrays)
    if not (mask == 1).all():
        found["mask"] = mask
    if isinstance(layer, (of.GaussianNoise, of.RandomErasing)):
        found["offset"] = arrays["y"] - mask * arrays["x"]
    return [Step("scaling", arrays | found, {"rate": getattr(layer, "rate", None)}, {"offset": "added"})]


def _rescaling(layer: Any, arrays: Arrays) -> list[Step]:
    constant = {"mask": np.full_like(arrays["x"], layer.scale), "offset": np.full_like(arrays["x"], layer.offset)}
    return [Step("scaling", arrays | constant, symbols={"mask": "scale"})]


# normalisation


def _normalization(layer: Any, arrays: Arrays) -> list[Step]:
    """`same` says which numbers are normalised together: those that agree in index[axis] // size for all of these."""
    x = arrays["x"]
    last = x.ndim - 1
    if isinstance(layer, of.BatchNormalization):
        axis, same = layer.axis % x.ndim, [(layer.axis % x.ndim, 1)]
    elif isinstance(layer, of.GroupNormalization):
        groups = x.shape[-1] if layer.groups == -1 else layer.groups
        axis, same = last, [(0, 1), (last, x.shape[-1] // groups)]
    else:
        axis, same = last, [(k, 1) for k in range(last)]
    fixed = isinstance(layer, of.BatchNormalization) and not layer.trainable
    if fixed:
        mean, variance = layer.moving_mean.value, layer.moving_variance.value
    else:
        mean, variance = _statistics(x, same)
    found = {"mean": mean, "inverse_std": 1 / np.sqrt(variance + layer.epsilon)}
    return [Step("normalization", arrays | found, {"axis": axis, "same": same, "fixed": fixed})]


def _statistics(x: np.ndarray, same: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the numbers that are normalised together."""
    numbers, shape = x, [1] * x.ndim
    for axis, size in same:
        shape[axis] = x.shape[axis] // size
    for axis, count in reversed(list(enumerate(shape))):  # each axis is split into the parts and what they contain
        numbers = numbers.reshape(*numbers.shape[:axis], count, -1, *numbers.shape[axis + 1 :])
    within = tuple(range(1, numbers.ndim, 2))
    mean = numbers.mean(axis=within, keepdims=True)
    return mean.reshape(-1), ((numbers - mean) ** 2).mean(axis=within).reshape(-1)


# numbers get other places


def _permute(layer: Any, arrays: Arrays) -> list[Step]:
    return [Step("permute", arrays, {"dims": (0, *layer.dims)})]


def _resampling(layer: Any, arrays: Arrays) -> list[Step]:
    """y_n = R_n · x_n · C_nᵀ, and the fill value beyond the image. One R and C for all samples, or one for each."""
    x, y = (array if array.ndim == 4 else array[:, None] for array in (arrays["x"], arrays["y"]))
    rows, columns = (matrices(layer, axis, x.shape[axis], y.shape[axis]) for axis in (1, 2))
    found = {"rows": rows, "columns": columns}
    if getattr(layer, "fill_value", 0):
        inside = rows.sum(axis=2)[:, :, None, None] * columns.sum(axis=2)[:, None, :, None]  # (N, H, W, 1)
        found["offset"] = np.broadcast_to(layer.fill_value * (1 - inside), arrays["y"].shape)
    return [Step("resampling", arrays | found)]


def matrices(layer: Any, axis: int, length: int, new_length: int) -> np.ndarray:
    """The matrices (N or 1, new_length, length) with which a layer multiplies one of the image's axes, 1 or 2."""
    same = np.eye(length)[None]
    if hasattr(layer, "border_2d"):
        return np.eye(new_length, length, -layer.border_2d[axis - 1][0])[None]
    if hasattr(layer, "size_2d"):
        times, bilinear = layer.size_2d[axis - 1], layer.interpolation == "bilinear"
        return stretching(length, times, same.dtype)[None] if bilinear else same.repeat(times, axis=1)
    if not layer.changing:
        return same
    if isinstance(layer, of.RandomTranslation):
        return layer.saved.values[axis - 1]
    chosen, *directions = layer.saved.values  # horizontal, vertical
    mirrored = chosen & directions[2 - axis]
    return np.where(mirrored[:, None, None], same[:, ::-1], same)


# branches are joined


def _weighted_sum(layer: Any, arrays: Arrays) -> list[Step]:
    count = sum(name.startswith("x") for name in arrays)
    signs = [1, -1] if isinstance(layer, of.Subtract) else [1] * count
    share = count if isinstance(layer, of.Average) else 1
    return [Step("sum", arrays, {"weights": [sign / share for sign in signs]})]


def _extreme(layer: Any, arrays: Arrays) -> list[Step]:
    return [Step("extreme", arrays, {"rule": layer.rule})]


def _concatenate(layer: Any, arrays: Arrays) -> list[Step]:
    return [Step("concatenate", arrays, {"axis": layer.axis % arrays["y"].ndim})]


def _plain(kind: str) -> Callable[[Any, Arrays], list[Step]]:
    """An operation without options."""
    return lambda layer, arrays: [Step(kind, arrays)]


OPERATIONS: dict[type[Layer], Callable[[Any, Arrays], list[Step]]] = {
    of.Activation: _activation,
    of.Add: _weighted_sum,
    of.Average: _weighted_sum,
    of.AveragePooling1D: _pooling("average_pool"),
    of.AveragePooling2D: _pooling("average_pool"),
    of.BatchNormalization: _normalization,
    of.Concatenate: _concatenate,
    of.Conv1D: _convolution,
    of.Conv2D: _convolution,
    of.Cropping1D: _resampling,
    of.Cropping2D: _resampling,
    of.Dense: _plain("dense"),
    of.DepthwiseConv2D: _depthwise,
    of.Dropout: _random,
    of.ELU: _curve("elu"),
    of.Flatten: _plain("reshape"),
    of.GaussianNoise: _random,
    of.GlobalAveragePooling1D: _global_pooling("average_pool"),
    of.GlobalAveragePooling2D: _global_pooling("average_pool"),
    of.GlobalMaxPooling1D: _global_pooling("max_pool"),
    of.GlobalMaxPooling2D: _global_pooling("max_pool"),
    of.GroupNormalization: _normalization,
    of.LayerNormalization: _normalization,
    of.LeakyReLU: _general_relu,
    of.MaxPooling1D: _pooling("max_pool"),
    of.MaxPooling2D: _pooling("max_pool"),
    of.Maximum: _extreme,
    of.Minimum: _extreme,
    of.Multiply: _plain("multiply"),
    of.Permute: _permute,
    of.RandomErasing: _random,
    of.RandomFlip: _resampling,
    of.RandomTranslation: _resampling,
    of.ReLU: _general_relu,
    of.Rescaling: _rescaling,
    of.Reshape: _plain("reshape"),
    of.SeparableConv2D: _separable,
    of.Softmax: _activation,
    of.SpatialDropout1D: _random,
    of.SpatialDropout2D: _random,
    of.Subtract: _weighted_sum,
    of.UpSampling1D: _resampling,
    of.UpSampling2D: _resampling,
    of.ZeroPadding1D: _resampling,
    of.ZeroPadding2D: _resampling,
}
"""Every layer of minicnn."""


def loss_step(loss: LossTrace) -> Step:
    """The loss as the last operation; its prediction is called z, its gradient dz."""
    arrays = {"z": loss.prediction, "target": loss.target, "loss": loss.value, "dz": loss.dprediction}
    if loss.penalties:
        arrays["penalty_loss"] = np.array(loss.penalties)
    kind, symbols = LOSSES.get(type(loss.loss), ("unknown", {}))
    if loss.probabilities is not None:
        kind, symbols = ON_LOGITS.get(kind, kind), {"target": "y"}
        arrays["p"] = loss.probabilities
    size = loss.prediction.size
    count = size // loss.prediction.shape[-1] if kind in ("softmax_crossentropy", "crossentropy") else size
    if loss.loss.reduction == "sum":
        count //= size // loss.prediction.shape[-1]
    return Step(kind, arrays, {"count": count, "delta": getattr(loss.loss, "delta", None)}, symbols)


LOSSES: dict[type[Loss], tuple[str, dict[str, str]]] = {
    losses.BinaryCrossentropy: ("binary_crossentropy", {"target": "y", "z": "p", "dz": "dp"}),
    losses.CategoricalCrossentropy: ("crossentropy", {"target": "y", "z": "p", "dz": "dp"}),
    losses.Huber: ("huber", {"z": "prediction", "dz": "dprediction"}),
    losses.MeanAbsoluteError: ("mean_absolute_error", {"z": "prediction", "dz": "dprediction"}),
    losses.MeanSquaredError: ("mean_squared_error", {"z": "prediction", "dz": "dprediction"}),
    losses.SparseCategoricalCrossentropy: ("crossentropy", {"target": "y", "z": "p", "dz": "dp"}),
}
"""The page's name of each loss, and what its arrays are called."""

ON_LOGITS = {
    "binary_crossentropy": "sigmoid_crossentropy",
    "crossentropy": "softmax_crossentropy",
    "unknown": "unknown",
}

PAGES = {
    "activation": "operations/activations.html",
    "average_pool": "operations/pooling.html",
    "binary_crossentropy": "operations/losses.html",
    "concatenate": "branches.html",
    "conv": "operations/convolution.html",
    "crossentropy": "operations/losses.html",
    "curve": "operations/activations.html",
    "dense": "operations/dense.html",
    "extreme": "branches.html",
    "fork": "branches.html",
    "general_relu": "operations/activations.html",
    "huber": "operations/losses.html",
    "max_pool": "operations/pooling.html",
    "mean_absolute_error": "operations/losses.html",
    "mean_squared_error": "operations/losses.html",
    "multiply": "branches.html",
    "normalization": "operations/batch-normalization.html",
    "permute": "operations/further.html",
    "resampling": "operations/further.html",
    "reshape": "operations/further.html",
    "scaling": "operations/dropout.html",
    "sigmoid_crossentropy": "operations/losses.html",
    "softmax_crossentropy": "operations/softmax-crossentropy.html",
    "sum": "branches.html",
}
"""The documentation's page about each operation."""

FURTHER: dict[type[Layer], str] = {
    of.DepthwiseConv2D: "groups-dilation-depthwise-convolution",
    of.GaussianNoise: "noise",
    of.GroupNormalization: "group-and-layer-normalisation",
    of.LayerNormalization: "group-and-layer-normalisation",
    of.SeparableConv2D: "groups-dilation-depthwise-convolution",
    of.SpatialDropout1D: "noise",
    of.SpatialDropout2D: "noise",
}
"""Layers whose operation is described in a section of another page, operations/further.html."""


def page_about(kind: str, layer: Any) -> str | None:
    """The documentation's page about an operation; None if there is none."""
    section = FURTHER.get(type(layer))
    return f"operations/further.html#{section}" if section else PAGES.get(kind)
