"""Keras's files, read and written without Keras: models (.keras, older ones .h5), weights (.weights.h5). Extra `h5`.

A .keras file is a zip archive of three parts:

    metadata.json     Keras's version
    config.json       the layers, and how the model was compiled
    model.weights.h5  HDF5: layers/conv2d/vars/0 … and optimizer/vars/0 …, numbered in Keras's order
"""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ... import optimizers
from ...errors import ModelFileError, explain
from ...files import atomic_writer
from ...random import draw_seed
from ...several import listed
from ...tensor_file import MAX_HEADER, damaged
from . import config, hdf5, old_format

BYTES_PER_WEIGHT = 32
"""The most that a file of weights holds: a number of up to 8 bytes, and as much for each of an optimiser's slots."""

INPUT = "input_layer"
"""The name of the Input, which has none in minicnn."""


class Stored(dict[str, list[np.ndarray]]):
    """The arrays of each layer in Keras's order, by the layer's name; a layer that is being built takes one by one."""

    def pop(self, name: str, default: Any = None) -> Any:
        layer = name.rpartition("/")[0]
        if layer not in self:
            return default
        array = self[layer].pop(0)
        if not self[layer]:
            del self[layer]
        return array


def read_model(path: Path) -> dict[str, Any]:
    """The content of a .keras file, or of an .h5 file of a whole model, in the form of minicnn's own files.

    Raises ModelFileError if it is damaged, or if the model has a layer or an argument that minicnn does not have.
    """
    try:
        return _content(*(_read(path) if zipfile.is_zipfile(path) else old_format.read(path)))
    except ModelFileError:
        raise
    except ValueError as error:
        raise ModelFileError(f"{path}, a Keras model that minicnn cannot load. {error}") from error
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(path, f"a .keras file with a damaged config.json ({error!r:.200})") from error


def _parts(path: Path) -> tuple[Any, bytes]:
    """config.json and model.weights.h5 of the archive. No part may be larger than the file: none is compressed."""
    try:
        with zipfile.ZipFile(path) as archive:
            described, weights = (archive.getinfo(name) for name in ("config.json", "model.weights.h5"))
            if described.file_size > MAX_HEADER or weights.compress_type != zipfile.ZIP_STORED:
                raise ValueError("compressed weights, or a description of more than 2 MB")
            return json.loads(archive.read(described)), archive.read(weights)
    except KeyError as error:
        raise damaged(path, "a zip archive, such as an .npz file, but not a .keras file") from error
    except Exception as error:  # zipfile, zlib and json raise a dozen classes for a damaged file
        raise damaged(path, f"a .keras file that cannot be read ({error})") from error


def _read(path: Path) -> tuple[dict[str, Any], old_format.Groups, list[np.ndarray]]:
    """A .keras file's model: its description, its weights by the layers' names, its optimiser's variables."""
    described, data = _parts(path)
    arrays = hdf5.read(path, io.BytesIO(data), most=len(data))
    weights = {spec["config"]["name"]: _variables(arrays, folder) for spec, folder in config.layer_specs(described)}
    return described, weights, _variables(arrays, "optimizer")


def _content(
    described: dict[str, Any], weights: Mapping[str, list[np.ndarray]], optimizer: list[np.ndarray]
) -> dict[str, Any]:
    """A model's description and arrays, from Keras's."""
    if described["class_name"] not in ("Sequential", "Functional"):
        remedy = "Build the model in minicnn, and load the weights with load_weights."
        raise ValueError(explain("a .keras file", "a Sequential or a Functional", described["class_name"], remedy))
    specs = [spec for spec, _ in config.layer_specs(described)]
    computing = [spec for spec in specs if spec["class_name"] != "InputLayer"]
    names = [spec["config"]["name"] for spec in computing]
    graph = config.sources(described, names)
    shapes = config.input_shapes(specs, graph.get("input_names", []))
    if not shapes:
        remedy = "Build it in Keras before saving it: keras.Input, or a first batch."
        raise ValueError(explain(described["config"]["name"], "a model of known input shape", "none", remedy))
    return {
        "foreign": True,
        "name": described["config"]["name"],
        "input_shape": shapes if len(shapes) > 1 else shapes[0],
        "built_for": shapes if len(shapes) > 1 else shapes[0],
        "layers": [config.from_keras(spec) for spec in computing],
        **graph,
        "weights": Stored({name: list(weights[name]) for name in names if weights.get(name)}),
        "seed": draw_seed(),
        "epochs_trained": 0,
        "compile": described.get("compile_config"),
        "optimizer_variables": optimizer,
    }


def _variables(arrays: Mapping[str, np.ndarray], path: str) -> list[np.ndarray]:
    """path/vars/0, path/vars/1 …"""
    found: list[np.ndarray] = []
    while (array := arrays.get(f"{path}/vars/{len(found)}")) is not None:
        found.append(array)
    return found


def compile_as_in_keras(model: Any, content: dict[str, Any]) -> None:
    """Compile the model as it was in Keras, and give its optimiser Keras's state.

    If minicnn lacks the optimiser, the loss or a metric, the model stays uncompiled, and a warning says so.
    """
    described = content.get("compile")
    if not described or not described.get("optimizer"):
        return
    try:
        model.compile(
            optimizers.get(config.from_keras(described["optimizer"])),
            config.from_keras(described["loss"]),
            described.get("loss_weights"),
            metrics=config.from_keras(described.get("metrics")),
            weighted_metrics=config.from_keras(described.get("weighted_metrics")),
        )
        _set_optimizer_state(model, content["optimizer_variables"])
    except (ValueError, TypeError, LookupError) as error:
        warnings.warn(f"{model.name} is loaded, but not compiled: {error} Call model.compile.", stacklevel=4)


def _set_optimizer_state(model: Any, variables: list[np.ndarray]) -> None:
    """Give the optimiser the state in Keras's variables; if they are fewer than it has, it starts afresh."""
    optimizer, parameters = model.optimizer, model.parameters()
    optimizer.build(parameters)
    state, order = optimizer.get_state(), _slots_in_keras(optimizer, len(parameters))
    slots = variables[1 if _has_schedule(optimizer) else 2 :]
    if variables and len(slots) >= len(order):
        for place, array in zip(order, slots, strict=False):
            state[place] = array
        optimizer.set_state(int(variables[0]), state, parameters)


def _optimizer_variables(model: Any) -> list[np.ndarray]:
    """Keras's variables: the iterations, the learning rate if it is no schedule, then the slots of all parameters."""
    optimizer, parameters = model.optimizer, model.parameters()
    optimizer.build(parameters)
    state, order = optimizer.get_state(), _slots_in_keras(optimizer, len(parameters))
    rate = [] if _has_schedule(optimizer) else [np.asarray(optimizer.learning_rate, np.float32)]
    return [np.asarray(optimizer.calls, np.int64), *rate, *(state[place] for place in order)]


def _slots_in_keras(optimizer: Any, parameters: int) -> list[int]:
    """The places in the optimiser's state of the slots that Keras has, in Keras's order.

    Moving averages and accumulated gradients come first. Adam's two slots alternate, parameter by parameter. RMSprop's
    follow each other, as many as it needs.
    """
    if isinstance(optimizer, optimizers.SGD):
        groups = [[0]] if optimizer.momentum else []
    elif isinstance(optimizer, optimizers.RMSprop):
        groups = [[0], *([[1]] if optimizer.momentum else []), *([[2]] if optimizer.centered else [])]
    else:
        groups = [list(range(len(optimizer.slot_names)))]
    names = optimizer.all_slot_names
    groups = [[names.index(name)] for name in ("averages", "gradients") if name in names] + groups
    return [slot * parameters + number for group in groups for number in range(parameters) for slot in group]


def _has_schedule(optimizer: Any) -> bool:
    return isinstance(optimizer.get_config().get("learning_rate"), dict)


def read_weights(path: Path, model: Any) -> list[np.ndarray]:
    """The weights of a .weights.h5, a .keras or an older .h5 file for this model, in its order.

    Raises ModelFileError if the file is damaged, ValueError if it has other layers.
    """
    in_zip = zipfile.is_zipfile(path)
    source = io.BytesIO(_parts(path)[1]) if in_zip else path
    arrays = hdf5.read(path, source, most=BYTES_PER_WEIGHT * model.count_params() + 1_000)
    if not in_zip and (old := old_format.read_weights(path, arrays)) is not None:
        return old
    weights = []
    for layer, folder in zip(model.layers, _folders(model), strict=True):
        found = _variables(arrays, folder)
        if len(found) != len(layer.weights):
            expected, remedy = f"{len(layer.weights)} arrays in {folder}", "Build the model of the file's layers."
            raise ValueError(explain(str(layer), expected, f"{len(found)}", remedy))
        weights += found
    return weights


def _folders(model: Any) -> list[str]:
    """The path of each layer's weights in the HDF5 file."""
    named = [{"class_name": type(layer).__name__, "config": {}} for layer in model.layers]
    return [path for _, path in config.layer_specs({"class_name": "Sequential", "config": {"layers": named}})]


def save_weights(model: Any, path: Path) -> None:
    """Write a .weights.h5 file, which Keras's load_weights reads."""
    data = _weights(model)
    with atomic_writer(path) as file:
        file.write(data)


def _weights(model: Any) -> bytes:
    """The model's weights, and the optimiser's state if it is compiled, as HDF5."""
    arrays: dict[str, np.ndarray] = {}
    names = {"vars": model.name}
    for layer, folder in zip(model.layers, _folders(model), strict=True):
        names[f"{folder}/vars"] = layer.name
        arrays |= {f"{folder}/vars/{number}": array for number, array in enumerate(layer.get_weights())}
    if model.compiled:
        names["optimizer/vars"] = type(model.optimizer).__name__.lower()
        arrays |= {f"optimizer/vars/{number}": array for number, array in enumerate(_optimizer_variables(model))}
    return hdf5.written(arrays, names)


def save_model(model: Any, content: dict[str, Any], path: Path) -> None:
    """Write a .keras file of the model, or one in Keras's older format; `content` is that of minicnn's own file.

    Raises ImportError without h5py.
    """
    described = _described(model, content)
    if path.suffix != ".keras":
        data = old_format.written(described, model, _optimizer_variables(model) if model.compiled else [])
        with atomic_writer(path) as file:
            file.write(data)
        return
    weights = _weights(model)
    file_in_memory = io.BytesIO()
    with zipfile.ZipFile(file_in_memory, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": config.VERSION, "written_by": "minicnn"}))
        archive.writestr("config.json", json.dumps(described))
        archive.writestr("model.weights.h5", weights)
    with atomic_writer(path) as file:
        file.write(file_in_memory.getvalue())


def _input_layer(name: str, shape: Any, dtype: str) -> dict[str, Any]:
    own = {"batch_shape": list(shape), "dtype": dtype, "name": name}
    return {"module": "keras.layers", "class_name": "InputLayer", "config": own, "registered_name": None}


def _described(model: Any, content: dict[str, Any]) -> dict[str, Any]:
    """config.json."""
    shapes = listed(model.input_shape)
    names = [INPUT] if model.input_names == ("input",) else model.input_names
    layers = [_input_layer(name, shape, str(model.dtype)) for name, shape in zip(names, shapes, strict=True)]
    layers += [config.to_keras({"class": layer["class"], "config": layer["config"]}) for layer in content["layers"]]
    own = {"name": content["name"], "trainable": True, "layers": layers}
    described = {"module": "keras", "class_name": "Sequential", "config": own, "registered_name": None}
    if "sources" in content or "modes" in content:
        shapes = [*shapes, *(layer.output_shape for layer in model.layers)]
        own |= config.graph(layers, shapes, model.sources, model.output_numbers, model.modes)
        described |= {
            "module": "keras.src.models.functional",
            "class_name": "Functional",
            "registered_name": "Functional",
        }
    if "optimizer" in content:
        described["compile_config"] = {
            "optimizer": config.to_keras({key: content["optimizer"][key] for key in ("class", "config")}),
            "loss": config.to_keras(content["loss"], ["keras.losses"]),
            "loss_weights": content.get("loss_weights"),
            "metrics": config.to_keras(content["metrics"], ["keras.metrics"]),
            "weighted_metrics": config.to_keras(content.get("weighted_metrics"), ["keras.metrics"]),
        }
    return described
