"""Keras's description of a model (config.json) and minicnn's, each made from the other.

Both name a class and its arguments, which have the same names; Keras also writes out the arguments at their defaults:

    Keras     {"class_name": "Conv2D", "config": {"filters": 8, "groups": 1, …}, "module": "keras.layers", …}
    minicnn   {"class": "Conv2D", "config": {"filters": 8}}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ... import custom_objects, initializers, layers, losses, metrics, optimizers, regularizers
from ...configurable import UnknownClassError, argument_names, of_ones_own
from ...errors import did_you_mean, explain
from ...layers.base import default_name
from ...optimizers import schedules

VERSION = "3.6.0"
"""The version of Keras whose format is written; newer ones read it."""

KINDS: dict[str, Mapping[str, type]] = {
    "keras.layers": layers.CLASSES,
    "keras.initializers": initializers.CLASSES,
    "keras.regularizers": regularizers.CLASSES,
    "keras.losses": losses.CLASSES,
    "keras.metrics": metrics.CLASSES,
    "keras.optimizers": optimizers.CLASSES,
    "keras.optimizers.schedules": schedules.CLASSES,
}
"""The classes that a description may name, by Keras's module."""

WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "axis": (-1,),
    "data_format": ("channels_last",),
    "interpolation": ("nearest",),
    "reduction": ("sum_over_batch_size",),
    "renorm_momentum": (0.99,),
}
"""Arguments of Keras that minicnn's class may lack, with the values that change nothing. None and False never do."""


def layer_specs(spec: Any, folder: str = "") -> Iterator[tuple[dict[str, Any], str]]:
    """The layers of a model, and the path of each one's weights in the HDF5 file ("layers/conv2d_1").

    Keras numbers layers by class, in order. A Sequential inside a Sequential gives its layers one by one.
    """
    counts: dict[str, int] = {}
    for layer in spec["config"]["layers"]:
        stem = default_name(layer["class_name"])
        count = counts[stem] = counts.get(stem, -1) + 1
        path = f"{folder}layers/{stem}_{count}" if count else f"{folder}layers/{stem}"
        if layer["class_name"] == "Sequential" and spec["class_name"] == "Sequential":
            yield from layer_specs(layer, f"{path}/")
        else:
            yield layer, path


def sources(model: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The names of a Functional's inputs, and the numbers of the values that each of its layers gets, and of its
    outputs; {} for a Sequential.

    The first numbers are those of the inputs. Raises ValueError for a layer that is called twice.
    """
    if model["class_name"] == "Sequential":
        return {}
    specs = {spec["config"]["name"]: spec for spec in model["config"]["layers"]}
    inputs = _layers_in(model["config"]["input_layers"])
    for name in names:
        if (calls := len(specs[name]["inbound_nodes"])) != 1:
            remedy = "Make a layer for each call, and copy the weights."
            raise ValueError(explain(name, "a layer that is called once", f"{calls} calls", remedy))
    numbers = {name: number for number, name in enumerate([*inputs, *names])}
    return {
        "input_names": inputs,
        "sources": [[numbers[name] for name in _layers_in(specs[own]["inbound_nodes"])] for own in names],
        "outputs": [numbers[name] for name in _layers_in(model["config"]["output_layers"])],
        "modes": [_mode(specs[name]["inbound_nodes"][0]) for name in names],
    }


def _mode(node: Any) -> Any:
    """`training` in the call of a layer; None if it was not given."""
    return node.get("kwargs", {}).get("training") if isinstance(node, dict) else None  # Keras 2 has lists


def graph(
    layers: list[dict[str, Any]],
    shapes: Sequence[Any],
    sources: Sequence[Sequence[int]],
    outputs: Sequence[int],
    modes: Sequence[bool | None],
) -> dict[str, Any]:
    """What a Functional's config has besides a Sequential's; adds the calls to each of `layers`, the Inputs first.

    `shapes` has the shape of each layer's output; `outputs` has the numbers of the outputs, `modes` each layer's
    `training`.
    """
    names, inputs = [layer["config"]["name"] for layer in layers], len(layers) - len(sources)
    for layer in layers[:inputs]:
        layer |= {"name": layer["config"]["name"], "inbound_nodes": []}
    for layer, own, mode in zip(layers[inputs:], sources, modes, strict=True):
        values = [_keras_tensor(names[number], shapes[number]) for number in own]
        layer |= {"name": layer["config"]["name"]}
        kwargs = {} if mode is None else {"training": mode}
        layer["inbound_nodes"] = [{"args": [values if len(values) > 1 else values[0]], "kwargs": kwargs}]
    places = [[name, 0, 0] for name in names]
    return {"input_layers": places[:inputs], "output_layers": [places[number] for number in outputs]}


def _keras_tensor(layer: str, shape: Sequence[int | None]) -> dict[str, Any]:
    """The output of a layer as an argument of another one."""
    value = {"shape": list(shape), "dtype": "float32", "keras_history": [layer, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": value}


def _layers_in(node: Any) -> list[str]:
    """The names of the layers whose outputs a part of Keras's graph mentions, in order."""
    if isinstance(node, dict):
        history = node.get("config", {}).get("keras_history") if "config" in node else None
        return [history[0]] if history else [name for part in node.values() for name in _layers_in(part)]
    if isinstance(node, list):
        if len(node) >= 3 and isinstance(node[0], str):  # ["conv2d", 0, 0]
            return [node[0]]
        return [name for part in node for name in _layers_in(part)]
    return []


def input_shapes(specs: list[dict[str, Any]], inputs: list[str]) -> list[list[int | None]]:
    """The shape of each of these inputs. Of a Sequential, which names none, the first shape; [] if Keras knew none."""
    shapes = {
        spec["config"]["name"]: [None, *shape[1:]]
        for spec in specs
        for name in ("batch_shape", "batch_input_shape")  # of Keras 3, and of Keras 2
        if (shape := spec["config"].get(name))
    }
    return [shapes[name] for name in inputs] if inputs else list(shapes.values())[:1]


def from_keras(spec: Any) -> Any:
    """An object in minicnn's description; anything but an object as it is.

    Raises ValueError for a class that minicnn does not have, and for an argument that would have an effect.
    """
    if isinstance(spec, list):
        return [from_keras(part) for part in spec]
    if not isinstance(spec, dict):
        return spec
    if "class_name" not in spec:  # losses or metrics by the names of outputs, say
        return {key: from_keras(part) for key, part in spec.items()}
    name, config, module = spec["class_name"], spec["config"], str(spec.get("module"))
    if name == "function":
        return config  # its name
    if name == "__numpy__":
        return config["value"]  # the numbers of an array, in lists
    kinds = [KINDS[module]] if module in KINDS else KINDS.values()
    cls = next((classes[name] for classes in kinds if name in classes), None)
    own = custom_objects.known()
    if cls is None:
        name = next((given for given in (spec.get("registered_name"), name) if given in own), name)
        cls = own.get(name)
    if cls is None:
        remedy = f"{did_you_mean(str(name), KINDS.get(module, layers.CLASSES))} {of_ones_own(name)}"
        where = f"{name} {config.get('name', '')}".strip()
        raise UnknownClassError(explain(where, "a class of minicnn", repr(name), remedy))
    return {"class": name, "config": dict(_arguments(cls, config))}


def _arguments(cls: type, config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arguments of a class of minicnn from those of Keras's class."""
    known = argument_names(cls)
    for name, value in config.items():
        if name == "dtype":
            if name in known:  # losses and metrics have none
                yield name, _dtype(value)
        elif name == "axis" and isinstance(value, list) and len(value) == 1:  # of LayerNormalization
            yield name, value[0]
        elif name in known and not (name.endswith("_initializer") and _unknown(value)):
            yield name, from_keras(value)
        elif name not in (*known, "name") and value not in (None, False) and value not in WITHOUT_EFFECT.get(name, ()):
            found = f"{name}={value!r:.60}"
            remedy = f"minicnn has these: {', '.join(known)}."
            raise ValueError(explain(config.get("name", cls.__name__), f"arguments of {cls.__name__}", found, remedy))


def _unknown(initializer: Any) -> bool:
    """Whether minicnn lacks this initialiser. A loaded layer gets its weights from the file and does not need it."""
    return isinstance(initializer, dict) and initializer.get("class_name") not in initializers.CLASSES


def _dtype(policy: Any) -> str:
    """The dtype of Keras's policy. Mixed precision is refused by the layer."""
    return policy["config"]["name"] if isinstance(policy, dict) else policy


def to_keras(description: Any, modules: Iterable[str] = KINDS) -> Any:
    """An object of a class in one of these modules, in Keras's description; anything but an object as it is."""
    if isinstance(description, (list, tuple)):
        return [to_keras(part, modules) for part in description]
    if not isinstance(description, dict) or "class" not in description:
        return description
    name = description["class"]
    module = next((module for module in modules if name in KINDS[module]), None)  # None for a class of one's own
    config = {
        key: to_keras(value) for key, value in description["config"].items() if key not in ("input_shape", "input_dim")
    }
    if config.get("trainable") is True:  # the default; not all of Keras's layers take the argument
        del config["trainable"]
    own_name = None if module else name
    return {"module": module, "class_name": name.rpartition(">")[2], "config": config, "registered_name": own_name}
