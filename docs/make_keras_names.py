"""Writes minicnn/keras_names.json: Keras's public names and, for classes, their arguments with plain default values.

It also has the members of Keras's layers, models, metrics, losses, optimisers, callbacks and variables.

Run it where Keras is installed: python docs/make_keras_names.py
"""

from __future__ import annotations

import inspect
import json
import types
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "minicnn" / "keras_names.json"

MODULES = (
    "activations",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "optimizers.schedules",
    "preprocessing.image",
    "random",
    "regularizers",
    "saving",
    "utils",
)
"""The others, such as ops and applications, are listed as a whole on the page."""


BASES = ("Layer", "Loss", "Metric", "Optimizer")


def main() -> None:
    import keras

    names = {name: arguments_of(value) for name, value in public(keras)}
    for path in MODULES:
        module = keras
        for part in path.split("."):
            module = getattr(module, part)
        for name, value in public(module):
            names[f"{path}.{name}"] = arguments_of(value)
        for name, inner in vars(module).items():
            if path == "datasets" and isinstance(inner, types.ModuleType):
                names[f"datasets.{name}.load_data"] = None
    members = {kind: sorted({name for cls in classes for name, _ in public(cls)}) for kind, classes in kinds(keras)}
    content = {"version": keras.__version__, "names": dict(sorted(names.items())), "members": members}
    TARGET.write_text(json.dumps(content, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


def kinds(keras):
    """Kinds of objects, and Keras's classes whose members they have."""
    layers, models = keras.layers, keras.models
    yield "Layer", (layers.Layer, layers.Dense, layers.Conv2D, layers.BatchNormalization)
    yield "Model", (models.Model, models.Sequential)
    yield "Metric", (keras.metrics.Metric,)
    yield "Loss", (keras.losses.Loss,)
    yield "Optimizer", (keras.optimizers.Optimizer,)
    yield "Callback", (keras.callbacks.Callback,)
    yield "Parameter", (keras.Variable,)


def public(module):
    """The names and values that a module or a class offers, without modules."""
    for name in dir(module):
        value = getattr(module, name)
        if not name.startswith("_") and not isinstance(value, types.ModuleType):
            yield name, value


def arguments_of(value):
    """A class's arguments with plain defaults, with those that every layer, optimiser … has; None for a function."""
    if not inspect.isclass(value):
        return None
    found, own = {}, next(cls for cls in value.__mro__ if "__init__" in vars(cls))
    for cls in (own, *(cls for cls in value.__mro__ if cls.__name__ in BASES)):
        if "__init__" not in vars(cls):
            continue
        parameters = inspect.signature(vars(cls)["__init__"]).parameters.values()
        for parameter in parameters:
            default = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
            if parameter.default is not parameter.empty and is_plain(default):
                found.setdefault(parameter.name, default)
        if not any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters):
            break
    return found


def is_plain(value):
    return (
        value is None
        or isinstance(value, (bool, int, float, str))
        or (isinstance(value, list) and all(map(is_plain, value)))
    )


if __name__ == "__main__":
    main()
