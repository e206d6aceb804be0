"""Models in files: what a model is made of as plain data and arrays, and a model made of it again.

A file is refused unless the model that was made from it would be saved as the same file: then nothing in it was ignored
or taken for something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import layers, losses, optimizers, tensor_file
from .callbacks import CallbackList
from .configurable import from_description
from .errors import ModelFileError, explain
from .layers.base import check_stored
from .parameters import Parameter


def save_model(model: Any, filepath: str | Path) -> None:
    """Write the whole model, training state included, so that `restore_model` goes on where it stopped.

    Raises ValueError if there is something in it that a file cannot hold, OSError if the file cannot be written; an
    older file is untouched then.
    """
    tensor_file.write(filepath, _describe(model))


def restore_model(model: Any, filepath: str | Path) -> None:
    """Make an empty Sequential the model that `save_model` wrote.

    Raises OSError if the file cannot be read, ModelFileError if it is damaged.
    """
    content = tensor_file.read(filepath)
    if "layers" not in content:
        raise ModelFileError(
            explain(str(filepath), "a whole model", "weights alone", "Build the model, then call model.load_weights.")
        )
    try:
        _restore(model, content)
        if tensor_file.outline(_describe(model)) != tensor_file.outline(content):
            raise ValueError("it says more, or something else, than the model that is made from it")
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, MemoryError) as error:
        raise ModelFileError(
            explain(str(filepath), "a consistent model", f"a contradiction: {error}", "Save the model again.")
        ) from error


def save_weights(model: Any, filepath: str | Path) -> None:
    """Write the weights alone. Raises what save_model raises."""
    tensor_file.write(filepath, {"name": model.name, "weights": _named_weights(model)})


def load_weights(model: Any, filepath: str | Path) -> None:
    """Read the weights of a file into a model of the same architecture.

    Raises OSError if the file cannot be read, ModelFileError if it is damaged, or if names, shapes or dtypes of its
    weights are not the model's. Then the model is unchanged.
    """
    found = tensor_file.read(filepath).get("weights")
    expected = dict(zip(_names(model.weights), model.weights, strict=True))
    try:
        if not isinstance(found, dict) or list(found) != list(expected):
            names = ", ".join(found) if isinstance(found, dict) else repr(found)
            raise ValueError(f"{model.name}: expected {len(expected)} arrays, {', '.join(expected)}, found {names}.")
        for name, weight in expected.items():
            check_stored(name, found[name], tuple(weight.value.shape), weight.value.dtype)
    except ValueError as error:
        remedy = "Make the model of layers with the same names, shapes and dtype, or use set_weights."
        raise ModelFileError(f"{filepath} does not fit the model. {error} {remedy}") from error
    model.set_weights(list(found.values()))


def _describe(model: Any) -> dict[str, Any]:
    """The model as plain data and arrays."""
    if not model.built:
        raise ValueError(
            explain(f"saving {model.name}", "a built model", "layers of unknown shape", "Give it an Input, or a batch.")
        )
    content: dict[str, Any] = {
        "name": model.name,
        "input_shape": model.input_shape,
        "built_for": model.layers[0].input_shape,
        "layers": [_describe_layer(layer) for layer in model.layers],
        "weights": _named_weights(model),
        "seed": model.seed,
        "epochs_trained": model.epochs_trained,
    }
    if model.compiled:
        optimizer = model.optimizer
        slots = zip(_slot_names(model), optimizer.get_state(), strict=True) if optimizer.slots else ()
        content["optimizer"] = {**optimizer.describe(), "iterations": optimizer.iterations, "slots": dict(slots)}
        content["loss"] = model.loss.describe()
        content["metrics"] = model.metric_names
        content["callbacks"] = model.callbacks.get_state()
    return content


def _describe_layer(layer: layers.Layer) -> dict[str, Any]:
    """The layer's description, with what it was given by default made explicit."""
    description = layer.describe()
    description["config"] |= {"name": layer.name, "dtype": str(layer.dtype), "trainable": layer.trainable}
    return {**description, "state": layer.get_state()}


def _restore(model: Any, content: dict[str, Any]) -> None:
    """Make an empty model the one that is described so. Raises what is wrong with it, before it takes memory."""
    weights = dict(content["weights"])
    for description in content["layers"]:
        layer = from_description(description, layers.CLASSES, "layer")
        layer.stored_weights = weights
        model.add(layer)
    lengths = [*content["input_shape"][1:], *content["built_for"][1:]]
    if not all(length is None or type(length) is int for length in lengths):
        raise ValueError(f"an input shape of {lengths}")
    if not all(isinstance(name, str) for name in (content["name"], *(layer.name for layer in model.layers))):
        raise ValueError("a name that is no text")
    model.name = content["name"]
    model.add(layers.Input(content["input_shape"][1:]))
    model.build_layers(content["built_for"])
    if weights:
        raise ValueError(f"weights that no layer has: {', '.join(weights)}")
    for layer, description in zip(model.layers, content["layers"], strict=True):
        layer.stored_weights = None
        layer.set_state(description["state"])
    model.seed = _natural("seed", content["seed"])
    model.epochs_trained = _natural("epochs_trained", content["epochs_trained"])
    if "optimizer" in content:
        _restore_training(model, content)


def _restore_training(model: Any, content: dict[str, Any]) -> None:
    """Compile the model as it was, and put back the state of its optimiser and what its callbacks remember."""
    optimizer = content["optimizer"]
    model.compile(optimizers.get(optimizer), losses.get(content["loss"]), metrics=content["metrics"])
    iterations, slots = _natural("iterations", optimizer["iterations"]), optimizer["slots"]
    if slots:
        names = _slot_names(model)
        if list(slots) != names:
            raise ValueError(explain(type(model.optimizer).__name__, f"slots {names}", f"{list(slots)}", "Wrong file?"))
        parameters = model.parameters() * len(model.optimizer.slot_names)
        for name, parameter in zip(names, parameters, strict=True):
            check_stored(name, slots[name], tuple(parameter.value.shape), parameter.value.dtype)
        model.optimizer.set_state(iterations, list(slots.values()), model.parameters())
    if not all(isinstance(state, dict) for state in content["callbacks"].values()):
        raise ValueError("a callback whose state is no object")
    model.callbacks = CallbackList([], None, content["callbacks"])


def _natural(what: str, number: Any) -> int:
    if type(number) is not int or number < 0:
        raise ValueError(explain(what, "a whole number of at least 0", repr(number), "The file is damaged."))
    return number


def _named_weights(model: Any) -> dict[str, np.ndarray]:
    return dict(zip(_names(model.weights), model.get_weights(), strict=True))


def _slot_names(model: Any) -> list[str]:
    names = _names(model.parameters())
    return [f"{slot}/{name}" for slot in model.optimizer.slot_names for name in names]


def _names(parameters: Sequence[Parameter]) -> list[str]:
    """The parameters' names; one that is there already, as a layer of one's own may have it, gets a number."""
    names: dict[str, None] = {}
    for parameter in parameters:
        name, copies = parameter.name, 0
        while name in names:
            name = f"{parameter.name}_{(copies := copies + 1)}"
        names[name] = None
    return list(names)
