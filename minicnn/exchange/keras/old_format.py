"""Keras's older format of whole models, model.h5, read and written without Keras. One HDF5 file has everything:

attribute model_config      JSON: the layers
attribute training_config   JSON: how the model was compiled
model_weights/conv2d        the attribute weight_names has the paths of the layer's arrays below it, in order
optimizer_weights           likewise
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ModelFileError, explain
from ...extras import imported
from ...tensor_file import MAX_HEADER, damaged
from . import config, hdf5

WEIGHTS, OPTIMIZER = "model_weights", "optimizer_weights"

Groups = dict[str, list[np.ndarray]]
"""The arrays of each layer, in order, by the layer's name."""


def read(path: Path) -> tuple[dict[str, Any], Groups, list[np.ndarray]]:
    """A model's description, as that of a .keras file, its weights and its optimiser's variables.

    Raises ModelFileError if the file is damaged or has weights alone.
    """
    arrays = hdf5.read(path, path, most=path.stat().st_size)
    with _opened(path) as file:
        if "model_config" not in file.attrs:
            found, remedy = "an HDF5 file of weights alone", "Build the model, then call model.load_weights."
            raise ModelFileError(explain(str(path), "a whole model", found, remedy))
        described = _json(file.attrs["model_config"])
        training = _json(file.attrs.get("training_config", "null"))
        weights = _layers(file[WEIGHTS], arrays)
        optimizer = _in_order(file[OPTIMIZER], arrays) if OPTIMIZER in file else []
    if training and "optimizer_config" in training:
        described["compile_config"] = {**training, "optimizer": training["optimizer_config"]}
    return described, weights, optimizer


def read_weights(path: Path, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray] | None:
    """The weights of a file in this format, of a whole model or alone, in order; None if it is in another one.

    Raises ModelFileError if it is damaged.
    """
    with _opened(path) as file:
        group = file.get(WEIGHTS, file)
        if "layer_names" not in group.attrs:
            return None
        return [array for layer in _layers(group, arrays).values() for array in layer]


def written(described: Mapping[str, Any], model: Any, optimizer: list[np.ndarray]) -> bytes:
    """The content of a file in this format, of a model that is described as for a .keras file."""
    h5py = imported("h5py", "h5", "writing Keras's files")
    compiled = described.get("compile_config")
    file_in_memory = io.BytesIO()
    with h5py.File(file_in_memory, "w") as file:
        file.attrs["model_config"] = json.dumps({name: described[name] for name in ("class_name", "config")})
        weights = file.create_group(WEIGHTS)
        for group in (file, weights):
            group.attrs["keras_version"], group.attrs["backend"] = config.VERSION, "tensorflow"
        weights.attrs["layer_names"] = [layer.name for layer in model.layers]
        for layer in model.layers:
            names = [weight.name.rpartition("/")[2] for weight in layer.weights]
            _write(weights.create_group(layer.name), layer.name, names, layer.get_weights())
        _write(weights.create_group("top_level_model_weights"), "", [], [])
        if compiled:
            training = {"loss_weights": None, **compiled, "optimizer_config": compiled["optimizer"]}
            file.attrs["training_config"] = json.dumps({key: training[key] for key in training if key != "optimizer"})
            names = [str(number) for number in range(len(optimizer))]
            _write(file.create_group(OPTIMIZER), "optimizer", names, optimizer)
    return file_in_memory.getvalue()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The HDF5 file, open. Raises ModelFileError if it is damaged: then h5py and json raise nearly any class."""
    h5py = imported("h5py", "h5", f"reading {path}")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except ModelFileError:
        raise
    except Exception as error:
        raise damaged(path, f"a model in Keras's HDF5 format that cannot be read ({error!r:.200})") from error


def _write(group: Any, folder: str, names: list[str], arrays: list[np.ndarray]) -> None:
    """Arrays in folder/name, and their order."""
    paths = [f"{folder}/{name}" for name in names]
    group.attrs["weight_names"] = np.array(paths, dtype="S")
    for path, array in zip(paths, arrays, strict=True):
        group[path] = array


def _layers(group: Any, arrays: Mapping[str, np.ndarray]) -> Groups:
    return {name: _in_order(group[name], arrays) for name in _texts(group.attrs["layer_names"])}


def _in_order(group: Any, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The arrays of a group, in the order of its attribute weight_names."""
    return [arrays[f"{group.name.strip('/')}/{name}".strip("/")] for name in _texts(group.attrs["weight_names"])]


def _texts(values: Any) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _json(text: Any) -> Any:
    if len(text) > MAX_HEADER:
        raise ValueError("a description of more than 2 MB")
    return json.loads(text)
