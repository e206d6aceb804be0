"""Models in files: describe a model as plain data and arrays, and restore it from them.

A file is refused unless the restored model has the same description as the file: so no part of it was ignored or
misread.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Any

from . import arguments, layers, metrics, optimizers, tensor_file
from .callbacks import CallbackList
from .compatibility import reporter
from .configurable import UnknownClassError, from_description
from .custom_objects import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from .errors import ModelFileError, explain
from .exchange import keras, pytorch
from .exchange.keras import hdf5
from .inputs import input_names, shapes_in
from .layers.base import check_stored
from .network import in_sequence
from .outputs import LossOfOutputs, describe_losses, describe_metrics
from .parameters import Parameter
from .training import Trainer

ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # "PK" alone may be the length of a header


COMPILED = ("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics", "callbacks", "compile")
"""The parts of a file's content that say how the model was compiled."""


def save_model(model: Trainer, filepath: str | Path, overwrite: bool = True) -> None:
    """Write the whole model and its training state, so that training can go on after `restore_model`.

    Raises ValueError if the model holds something that a file cannot store, OSError if the file cannot be written;
    then an older file is unchanged.
    """
    path = _to_write(filepath, overwrite)
    if path.name.endswith(".weights.h5"):
        remedy = 'Call it "model.keras", or write the weights alone with save_weights.'
        raise ValueError(explain(str(path), "the name of a file of a whole model", "that of weights", remedy))
    if path.suffix in (".keras", ".h5", ".hdf5"):
        keras.save_model(model, _describe(model), path)
    else:
        tensor_file.write(path, _describe(model))


def read_model(filepath: str | Path) -> dict[str, Any]:
    """The content of a file that `save_model` or Keras wrote, for `restore_model`.

    Raises OSError if the file cannot be read, ModelFileError if it is damaged or has what minicnn does not have.
    """
    path = arguments.path("model file", filepath)
    start = tensor_file.start_of(path)
    if start.startswith((*ZIP, hdf5.MAGIC)):
        return keras.read_model(path)
    content = tensor_file.read(filepath)
    if "layers" not in content:
        raise ModelFileError(
            explain(str(filepath), "a whole model", "weights alone", "Build the model, then call model.load_weights.")
        )
    return content


def restore_model(model: Any, content: dict[str, Any], filepath: str | Path) -> None:
    """Restore the model that a file describes into an empty one. Raises ModelFileError for a contradiction."""
    try:
        _restore(model, content)
        if content.get("foreign"):
            keras.compile_as_in_keras(model, content)
        elif tensor_file.outline(_describe(model)) != tensor_file.outline(content):
            raise ValueError("its description differs from that of the model restored from it")
    except UnknownClassError as error:
        raise ModelFileError(f"{filepath}: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, MemoryError) as error:
        raise ModelFileError(
            explain(str(filepath), "a consistent model", f"a contradiction: {error}", "Save the model again.")
        ) from error


def _to_write(filepath: str | Path, overwrite: bool) -> Path:
    """The path of a file to write. Raises FileExistsError if there is one that must not be overwritten."""
    path = arguments.path("model file", filepath)
    if not arguments.flag("overwrite", overwrite) and path.exists():
        raise FileExistsError(explain(str(path), "no such file, as overwrite=False", "one", "Choose another name."))
    return path


def save_weights(model: Trainer, filepath: str | Path, overwrite: bool = True) -> None:
    """Write only the weights. Raises the errors of save_model."""
    _check_built(model)
    path = _to_write(filepath, overwrite)
    if path.name.endswith(".weights.h5"):
        return keras.save_weights(model, path)
    if path.suffix in (".h5", ".hdf5", ".keras"):
        remedy = 'A file of weights is called "model.weights.h5", as in Keras, or "model.safetensors".'
        raise ValueError(explain(str(path), "the name of a file of weights", path.name, remedy))
    tensor_file.write(
        path, {"name": model.name, "weights": dict(zip(_weights(model), model.get_weights(), strict=True))}
    )


def load_weights(model: Trainer, filepath: str | Path, skip_mismatch: bool = False) -> None:
    """Read the weights of a file into a model of the same architecture.

    Raises OSError if the file cannot be read, ModelFileError if it is damaged or its weights differ from the model's
    in names, shapes or dtypes. Then the model is unchanged.
    """
    arguments.only("load_weights skip_mismatch", skip_mismatch, False, "Set the weights of each layer that fits.")
    path = arguments.path("model file", filepath)
    expected = _weights(model)
    try:
        if tensor_file.start_of(path).startswith((*ZIP, hdf5.MAGIC)):
            return model.set_weights(keras.read_weights(path, model))
        if pytorch.is_foreign(path):
            return model.set_weights(pytorch.read_weights(path, model))
        found: Any = tensor_file.read(path).get("weights")
        check_stored(model.name, found, expected)
        model.set_weights([found[name] for name in expected])
    except ModelFileError:
        raise
    except ValueError as error:
        remedy = "Load it into a model whose layers have the same names, shapes and dtype."
        raise ModelFileError(f"{filepath} does not fit the model. {error} {remedy}") from error


def _check_built(model: Trainer) -> None:
    if not model.built:
        raise ValueError(
            explain(f"saving {model.name}", "a built model", "layers of unknown shape", "Give it an Input, or a batch.")
        )


def _describe(model: Trainer) -> dict[str, Any]:
    """The model as plain data and arrays."""
    _check_built(model)
    content: dict[str, Any] = {
        "name": model.name,
        "input_shape": model.input_shape,
        "built_for": model.built_for,
        "layers": [_describe_layer(layer) for layer in model.layers],
        "weights": dict(zip(_weights(model), model.get_weights(), strict=True)),
        "seed": model.seed,
        "epochs_trained": model.epochs_trained,
    }
    if model.input_names != input_names(len(model.input_names)):
        content["input_names"] = model.input_names
    if any(mode is not None for mode in model.modes):
        content["modes"] = model.modes
    if not model.is_sequence:
        content["sources"] = model.sources
        if model.output_numbers != (len(model.value_names) - 1,):
            content["outputs"] = model.output_numbers
    if model.compiled:
        model.check_compiled(f"saving {model.name}")  # optimizer and loss may have been set to something else
        optimizer = model.optimizer
        slots = {}
        if optimizer.slots:
            optimizer.build(model.parameters())  # raises ValueError if it has been built for others
            slots = dict(zip(_slots(model), optimizer.get_state(), strict=True))
        content["optimizer"] = {**optimizer.describe(), "calls": optimizer.calls, "slots": slots}
        if undecayed := [name for name, weight in _weights(model).items() if not optimizer.decays(weight)]:
            content["optimizer"]["undecayed"] = undecayed
        content |= _describe_objective(model)
        content["callbacks"] = model.callbacks.get_state()
    return content


def _describe_objective(model: Trainer) -> dict[str, Any]:
    """The loss and the metrics; of several outputs, lists with an entry for each."""
    loss, given, weighted = model.loss, model.compiled_metrics, model.weighted_metrics
    if isinstance(loss, LossOfOutputs):
        content: dict[str, Any] = {"loss": describe_losses(loss), "loss_weights": loss.weights}
        lists: list[Any] = [describe_metrics(loss, given), describe_metrics(loss, weighted)]
    else:
        content = {"loss": loss.describe()}
        lists = [list(map(metrics.describe, some)) for some in (given, weighted)]
    return content | {"metrics": lists[0]} | ({"weighted_metrics": lists[1]} if weighted else {})


def _describe_layer(layer: layers.Layer) -> dict[str, Any]:
    """The layer's description, with default values written out."""
    description = layer.describe()
    description["config"] |= {"name": layer.name, "dtype": str(layer.dtype), "trainable": layer.trainable}
    return {**description, "state": layer.get_state()}


def _restore(model: Any, content: dict[str, Any]) -> None:
    """Restore the described model into an empty one. Raises an error for wrong content before it allocates memory."""
    weights = copy(content["weights"])
    sources = content.get("sources") or in_sequence(len(content["layers"]))
    shapes = shapes_in(content["input_shape"])
    inputs = [layers.Input(shape[1:]) for shape in shapes]
    model.set_inputs(inputs, content.get("input_names") or input_names(len(inputs)))
    modes = content.get("modes") or [None] * len(content["layers"])
    for description, own, mode in zip(content["layers"], sources, modes, strict=True):
        layer = from_description(description, layers.CLASSES, "layer")
        layer.stored_weights = weights
        model.append(layer, tuple(own), mode)
    if "outputs" in content:
        model.set_outputs(content["outputs"])
    built_for = [(None, *arguments.shape("built_for", shape[1:])) for shape in shapes_in(content["built_for"])]
    model.build_layers(built_for if len(built_for) > 1 else built_for[0])
    if weights:
        raise ValueError(f"weights that no layer has: {', '.join(weights)}")
    for layer, description in zip(model.layers, content["layers"], strict=True):
        layer.stored_weights = None
        if "state" in description:  # not in Keras's files
            layer.set_state(description["state"])
    model.name = arguments.text("name", content["name"])
    model.seed = arguments.seed("seed", content["seed"])
    model.epochs_trained = arguments.whole("epochs_trained", content["epochs_trained"], least=0)
    if "optimizer" in content:
        _restore_training(model, content)


def _restore_training(model: Trainer, content: dict[str, Any]) -> None:
    """Compile the model as it was, and restore the states of its optimiser and callbacks."""
    description = content["optimizer"]
    model.compile(
        optimizers.get(description),
        content["loss"],
        content.get("loss_weights"),
        metrics=content["metrics"],
        weighted_metrics=content.get("weighted_metrics"),
    )
    weights = _weights(model)
    model.optimizer.exclude_from_weight_decay([weights[name] for name in description.get("undecayed", [])])
    if slots := description["slots"]:
        expected = _slots(model)
        check_stored(type(model.optimizer).__name__, slots, expected)
        model.optimizer.set_state(description["calls"], [slots[name] for name in expected], model.parameters())
    for name, state in content["callbacks"].items():
        if not isinstance(state, dict):
            raise ValueError(f"the state {state!r} of {name}")
    model.callbacks = CallbackList([], None, content["callbacks"])


def _weights(model: Trainer) -> dict[str, Parameter]:
    """All weights by name. A name that occurs twice, as in a user's layer, gets a number."""
    named: dict[str, Parameter] = {}
    for layer in model.layers:
        for weight in layer.weights:  # weight.name may hold an old name of the layer: a model renames added layers
            stem, copies = f"{layer.name}/{weight.name.rpartition('/')[2]}", 0
            name = stem
            while name in named:
                name = f"{stem}_{(copies := copies + 1)}"
            named[name] = weight
    return named


def _slots(model: Trainer) -> dict[str, Parameter]:
    """The parameter of each optimiser slot, by the slot's name, in the order of get_state."""
    names = {id(weight): name for name, weight in _weights(model).items()}
    parameters = [(names[id(parameter)], parameter) for parameter in model.parameters()]
    return {f"{slot}/{name}": parameter for slot in model.optimizer.all_slot_names for name, parameter in parameters}


__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
]

__getattr__ = reporter(__name__, __all__)
