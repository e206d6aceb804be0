"""What the page shows, as plain data: the operations of one training step, and one buffer with all of their arrays.

The step runs in float64 on the textbook, with the model's weights. So the products of the stored numbers, added up in
the page, give the stored sum.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments
from .. import layers as of
from ..backends import to_host, use_backend
from ..backends.geometry import pad_amounts
from ..errors import explain
from ..inside.recording import LayerTrace, LossTrace, record, restored
from ..layers import Activation, BatchNormalization, Dropout, Layer
from ..losses import CategoricalCrossentropy, Loss, MeanSquaredError, SparseCategoricalCrossentropy
from ..models import Model
from ..network import is_patched
from ..optimizers import SGD
from ..parameters import Parameter
from .recording import Recording

MOST_SAMPLES = 16
"""Maximum number of samples of a page, which stores all arrays of each."""

EXACT = 4096
"""Weights' gradients of at most this many numbers are stored in float64, others in float32: half the size."""

KINDS: dict[type[Layer], str] = {
    of.Activation: "activation",
    of.AveragePooling1D: "average_pool",
    of.AveragePooling2D: "average_pool",
    of.BatchNormalization: "batch_norm",
    of.Conv1D: "conv",
    of.Conv2D: "conv",
    of.Dense: "dense",
    of.Dropout: "dropout",
    of.ELU: "curve",
    of.Flatten: "flatten",
    of.GlobalAveragePooling1D: "average_pool",
    of.GlobalAveragePooling2D: "average_pool",
    of.GlobalMaxPooling1D: "max_pool",
    of.GlobalMaxPooling2D: "max_pool",
    of.LeakyReLU: "general_relu",
    of.MaxPooling1D: "max_pool",
    of.MaxPooling2D: "max_pool",
    of.ReLU: "general_relu",
    of.Reshape: "flatten",
}
"""The page's names of the operations that it can open."""

PAGES = {
    "activation": "operations/activations.html",
    "average_pool": "operations/pooling.html",
    "batch_norm": "operations/batch-normalization.html",
    "conv": "operations/convolution.html",
    "crossentropy": "operations/losses.html",
    "curve": "operations/activations.html",
    "dense": "operations/dense.html",
    "dropout": "operations/dropout.html",
    "general_relu": "operations/activations.html",
    "max_pool": "operations/pooling.html",
    "mean_squared_error": "operations/losses.html",
    "softmax_crossentropy": "operations/softmax-crossentropy.html",
}
"""The documentation's page about each operation."""


class Buffer:
    """Arrays one after another; in the description, an array is its number here."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.parts: list[bytes] = []
        self.size = 0
        self._known: dict[tuple[Any, ...], int] = {}

    def add(self, array: Any, dtype: Any = np.float64) -> int:
        """The number of the array, stored in `dtype`; equal arrays are stored once."""
        array = np.asarray(array, np.dtype(dtype).newbyteorder("<"), order="C")
        data = array.tobytes()
        key = (array.shape, array.dtype, data)
        if key not in self._known:
            self._known[key] = len(self.entries)
            kind = "float64" if array.itemsize == 8 else "float32"
            self.entries.append({"shape": list(array.shape), "at": self.size, "type": kind})
            padded = data + bytes(-len(data) % 8)  # JavaScript reads float64 at multiples of 8 bytes only
            self.parts.append(padded)
            self.size += len(padded)
        return self._known[key]

    def add_weight(self, array: np.ndarray) -> int:
        """Weights are float32 in nearly every model; then nothing is lost."""
        single = array.astype(np.float32)
        return self.add(array, np.float32 if np.array_equal(single, array, equal_nan=True) else np.float64)


def describe(
    where: str,
    model: Any,
    x: Any,
    y: Any,
    class_names: Sequence[str] | None = None,
    recording: Recording | None = None,
    docs: str | None = None,
) -> tuple[dict[str, Any], bytes]:
    """The description of one training step, for JSON, and the buffer with its arrays."""
    if not isinstance(model, Model) or not model.is_sequence:
        found = f"a {type(model).__name__} with branches" if isinstance(model, Model) else type(model).__name__
        remedy = "Networks with branches cannot be shown yet; for a scikit-learn estimator, pass its model_."
        raise TypeError(explain(f"{where}: model", "a Sequential", found, remedy))
    model.check_compiled(where)
    x, y = (to_host(arguments.array(f"{where}: {name}", name, array)) for name, array in (("x", x), ("y", y)))
    if x.ndim < 2 or not 0 < len(x) <= MOST_SAMPLES:
        expected = f"a batch of 1 to {MOST_SAMPLES} samples"
        raise ValueError(explain(f"{where}: x", expected, f"shape {tuple(x.shape)}", "For one sample, take x[:1]."))
    model.ensure_built(x)
    with use_backend("numpy"), restored(model.layers):
        layers, loss = record(in_double(model), x, y, where)
    buffer = Buffer()
    logits = loss.probabilities is not None
    steps = [part for layer in layers for part in _layer_steps(layer, buffer, logits and layer is layers[-1])]
    steps = [part for part in steps if part["options"].get("activation") != "linear"]
    description = {
        "name": model.name,
        "samples": len(x),
        "classes": _class_names(where, class_names, loss.prediction.shape[-1]),
        "steps": [*steps, _loss_step(loss, model.loss, buffer)],
        "docs": docs,
        "training": recording.describe(buffer) if recording is not None else None,
        "arrays": buffer.entries,
    }
    return description, b"".join(buffer.parts)


def in_double(model: Model) -> Model:
    """A copy of a built model that computes in float64, with the same weights on the host."""
    twin = model.snapshot()
    for layer in twin.layers:
        layer.dtype = np.dtype(np.float64)
        for parameter in [*layer.weights, *(value for value in vars(layer).values() if isinstance(value, Parameter))]:
            parameter.value = np.array(to_host(parameter.value), np.float64)
    twin.optimizer = SGD()  # the model's own may hold moments in float32
    return twin


def _layer_steps(layer: LayerTrace, buffer: Buffer, makes_logits: bool) -> list[dict[str, Any]]:
    """The layer's operation and, if it ends in an activation, that one."""
    arrays = {name: getattr(layer, name) for name in ("x", "y", "dx", "dy")}
    kind = _kind(layer.layer)
    if layer.z is None or layer.activation is None:
        symbols = {"y": "z", "dy": "dz"} if makes_logits else {}
        return [_step(layer.layer, kind, arrays | _extras(layer) | _slope(layer.layer, layer.y), symbols, buffer)]
    affine = arrays | {"y": layer.z, "dy": layer.dz} | _extras(layer)
    after = arrays | {"x": layer.z, "dx": layer.dz} | _slope(layer.activation, layer.y)
    function = _step(layer.activation, _kind(layer.activation), after, {"x": "z", "dx": "dz"}, buffer)
    return [_step(layer.layer, kind, affine, {"y": "z", "dy": "dz"}, buffer), function | {"name": layer.name}]


def _kind(layer: Layer) -> str:
    """The page's name of the layer's operation; "unknown" for what it cannot open, as a convolution in groups."""
    if is_patched(layer) or getattr(layer, "is_grouped", False):
        return "unknown"
    return "curve" if isinstance(layer, Activation) and layer.curve else KINDS.get(type(layer), "unknown")


def _step(
    layer: Layer, kind: str, arrays: dict[str, np.ndarray], symbols: dict[str, str], buffer: Buffer
) -> dict[str, Any]:
    weights = {weight.name.split("/")[-1] for weight in layer.weights}
    stored = {}
    for name, array in arrays.items():
        if name in weights:
            stored[name] = buffer.add_weight(array)
        elif name[1:] in weights and array.size > EXACT:
            stored[name] = buffer.add(array, np.float32)
        else:
            stored[name] = buffer.add(array)
    return {
        "name": layer.name,
        "class": type(layer).__name__,
        "code": _code(layer),
        "kind": kind,
        "page": PAGES.get(kind),
        "symbols": symbols,
        "options": _options(layer, kind, arrays["x"].shape),
        "arrays": stored,
    }


def _options(layer: Any, kind: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """What the page has to know besides the arrays; windows as on images, also in one dimension."""
    if kind.endswith("pool") and not hasattr(type(layer), "window_argument"):  # a global pooling
        window = shape[1:-1] if len(shape) == 4 else (1, *shape[1:-1])
        return {"window": window, "strides": window, "pads": [0, 0]}
    if kind in ("conv", "max_pool", "average_pool"):
        image = shape[1:3] if layer.spatial_rank == 2 else (1, shape[1])
        windows = zip(image, layer.window_2d, layer.strides_2d, strict=True)
        pads = [pad_amounts(*axis, layer.padding)[0] for axis in windows]
        return {"window": layer.window_2d, "strides": layer.strides_2d, "pads": pads}
    if kind == "batch_norm":
        return {"axis": layer.axis, "training": layer.trainable}
    if kind == "dropout":
        return {"rate": layer.rate}
    if kind == "activation":
        return {"activation": layer.activation}
    if kind == "curve":
        return {"curve": layer.curve[0] if layer.curve else type(layer).__name__.lower()}
    if kind == "general_relu":
        return {name: getattr(layer, name) for name in ("negative_slope", "max_value", "threshold")}
    return {}


def _extras(layer: LayerTrace) -> dict[str, np.ndarray]:
    """The weights, their gradients and penalties, batch norm's statistics, dropout's mask."""
    found = {**layer.weights, **{f"d{name}": gradient for name, gradient in layer.gradients.items()}}
    for name, regularizer in layer.regularizers.items():
        weight = layer.weights[name]
        found[f"penalty_{name}"] = regularizer.add_gradient(np.zeros_like(weight), weight)
    if isinstance(layer.layer, BatchNormalization):
        found = _statistics(layer.layer, layer.x) | found
    if isinstance(layer.layer, Dropout) and _kind(layer.layer) == "dropout" and layer.layer.changing:
        found["mask"] = np.asarray(layer.layer.backward(np.ones_like(layer.y)))  # dx = dy · mask, for dy = 1
    return found


def _slope(layer: Layer, y: np.ndarray) -> dict[str, np.ndarray]:
    """What dy is multiplied by in a curve's backward."""
    return {"slope": np.asarray(layer.backward(np.ones_like(y)))} if _kind(layer) == "curve" else {}


def _statistics(layer: BatchNormalization, x: np.ndarray) -> dict[str, np.ndarray]:
    """Mean and 1 / std of each channel as in the textbook's batch_norm; gamma and beta also if they are constants."""
    mean, variance = layer.moving_mean.value, layer.moving_variance.value
    if layer.trainable:
        channels = x.swapaxes(layer.axis, -1)
        axes = tuple(range(x.ndim - 1))
        mean = channels.mean(axis=axes)
        variance = ((channels - mean) ** 2).mean(axis=axes)
    inverse_std = 1 / np.sqrt(variance + layer.epsilon)
    return {"mean": mean, "inverse_std": inverse_std, "gamma": layer.gamma.value, "beta": layer.beta.value}


def _loss_step(loss: LossTrace, chosen: Loss, buffer: Buffer) -> dict[str, Any]:
    """The loss as the last operation; its prediction is called z, its gradient dz. `chosen` is the model's own loss."""
    arrays = {"z": loss.prediction, "target": loss.target, "loss": loss.value, "dz": loss.dprediction}
    symbols = {"target": "y"}
    kind = "unknown"
    if loss.probabilities is not None:
        kind, arrays["p"] = "softmax_crossentropy", loss.probabilities
    elif type(loss.loss) in (CategoricalCrossentropy, SparseCategoricalCrossentropy):
        kind, symbols = "crossentropy", symbols | {"z": "p", "dz": "dp"}
    elif type(loss.loss) is MeanSquaredError:
        kind, symbols = "mean_squared_error", {"z": "prediction", "dz": "dprediction", "target": "target"}
    if loss.penalties:
        arrays["penalty_loss"] = np.array(loss.penalties)
    return {
        "name": "loss",
        "class": type(loss.loss).__name__,
        "code": _code(chosen),
        "kind": kind,
        "page": PAGES.get(kind),
        "symbols": symbols,
        "options": {},
        "arrays": {name: buffer.add(array) for name, array in arrays.items()},
    }


def _code(thing: Any) -> str:
    """The call that makes a layer or a loss, without the arguments that every layer has."""
    usual = ("name", "dtype", "trainable", "input_shape")
    given = (f"{name}={value!r}" for name, value in thing.arguments.items() if name not in usual)
    return f"{type(thing).__name__}({', '.join(given)})"


def _class_names(where: str, class_names: Sequence[str] | None, count: int) -> list[str]:
    if class_names is None:
        return [str(number) for number in range(count)]
    names = [str(name) for name in arguments.sequence(f"{where}: class_names", class_names, object, "names")]
    if len(names) != count:
        remedy = "Give a name for every output of the model."
        raise ValueError(explain(f"{where}: class_names", f"{count} names", len(names), remedy))
    return names


def documentation(page: Path) -> str | None:
    """The path from a page's folder to the built documentation of this source tree; None if there is none."""
    site = Path(__file__).resolve().parents[2] / "site"
    if not (site / "operations" / "convolution.html").exists():
        return None
    try:
        return Path(os.path.relpath(site, page.resolve().parent)).as_posix()
    except ValueError:  # on another drive of Windows
        return None
