"""Models in files: a zip of plain arrays and one JSON text. No pickle, so a file can hold data but never code.

header            JSON: the format's version, the architecture, the training state
weights/0 …       the weights in Keras's order
optimizer/0 …     the optimiser's slot arrays
"""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import layers, losses, optimizers
from .configurable import from_description
from .errors import ModelFileError, explain
from .files import atomic_writer

if TYPE_CHECKING:
    from .models import Sequential

FORMAT, VERSION = "minicnn model", 1


def save_model(model: Sequential, filepath: str | Path) -> None:
    """Write the whole model, training state included, so that `load_model` goes on where it stopped."""
    if not model.built:
        raise ValueError(
            explain(f"saving {model.name}", "a built model", "layers of unknown shape", "Give it an Input, or a batch.")
        )
    header: dict[str, Any] = {
        "name": model.name,
        "input_shape": model.input_shape,
        "layers": [_describe_layer(layer) for layer in model.layers],
        "seed": model.seed,
        "epochs_trained": model.epochs_trained,
    }
    arrays = {f"weights/{i}": array for i, array in enumerate(model.get_weights())}
    if model.compiled:
        header["optimizer"] = {**model.optimizer.describe(), "iterations": model.optimizer.iterations}
        header["loss"] = model.loss.describe()
        header["metrics"] = model.metric_names
        arrays |= {f"optimizer/{i}": array for i, array in enumerate(model.optimizer.get_state())}
    _write(filepath, header, arrays)


def load_model(filepath: str | Path) -> Sequential:
    """The model that `save_model` wrote. Raises FileNotFoundError, or ModelFileError for a damaged file."""
    from .models import Sequential  # models.py imports this module

    header, arrays = _read(filepath)
    if "layers" not in header:
        raise ModelFileError(
            explain(str(filepath), "a whole model", "weights alone", "Build the model, then call model.load_weights.")
        )
    try:
        model = Sequential(name=header["name"])
        for description in header["layers"]:
            model.add(from_description(description, layers.CLASSES, "layer"))
        model.build(header["input_shape"])
        model.set_weights(_numbered(arrays, "weights"))
        for layer, description in zip(model.layers, header["layers"], strict=True):
            layer.set_state(description["state"])
        model.seed, model.epochs_trained = header["seed"], header["epochs_trained"]
        if "optimizer" in header:
            model.compile(optimizers.get(header["optimizer"]), losses.get(header["loss"]), metrics=header["metrics"])
            slots = _numbered(arrays, "optimizer")
            if slots:
                model.optimizer.set_state(header["optimizer"]["iterations"], slots, model.parameters())
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            explain(str(filepath), "a consistent model", f"a contradiction: {error}", "Save the model again.")
        ) from error
    return model


def save_weights(model: Sequential, filepath: str | Path) -> None:
    """Write the weights alone."""
    _write(filepath, {"name": model.name}, {f"weights/{i}": array for i, array in enumerate(model.get_weights())})


def load_weights(model: Sequential, filepath: str | Path) -> None:
    """Read the weights of a file into a model of the same architecture; raises ValueError if they don't fit."""
    model.set_weights(_numbered(_read(filepath)[1], "weights"))


def _describe_layer(layer: layers.Layer) -> dict[str, Any]:
    """The layer's description, with what it was given by default made explicit."""
    description = layer.describe()
    description["config"] |= {"name": layer.name, "dtype": str(layer.dtype)}
    return {**description, "state": layer.get_state()}


def _numbered(arrays: dict[str, np.ndarray], group: str) -> list[np.ndarray]:
    count = sum(name.startswith(f"{group}/") for name in arrays)
    return [arrays[f"{group}/{i}"] for i in range(count)]


def _write(filepath: str | Path, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    text = json.dumps({"format": FORMAT, "version": VERSION, **header})
    with atomic_writer(filepath) as file:
        np.savez(file, allow_pickle=False, header=np.array(text), **arrays)


def _read(filepath: str | Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays of a file, every one of them read and its checksum verified."""
    path = Path(filepath)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file. Models are written by model.save(path).")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(str(arrays.pop("header")))
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, OSError, NotImplementedError) as error:
        raise ModelFileError(
            explain(str(path), "a file that model.save wrote", f"a damaged or foreign file ({error})", "Save it again.")
        ) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT or header.get("version") != VERSION:
        found = header.get("version") if isinstance(header, dict) else "no version"
        raise ModelFileError(
            explain(str(path), f"{FORMAT} version {VERSION}", f"version {found}", "Use the minicnn that wrote it.")
        )
    return header, arrays
