"""PyTorch's state dicts in safetensors files: names, order of axes and order of features are changed on the way.

    torch                                minicnn
    Conv2d weight      (O, I, KH, KW)    kernel            (KH, KW, I, O)
    Linear weight      (O, I)            kernel            (I, O)
    BatchNorm weight, bias               gamma, beta
    running_mean, running_var            moving_mean, moving_variance

After a Flatten, PyTorch's features are ordered by channel first, (C, H, W), minicnn's by pixel first, (H, W, C): the
rows of the next dense layer are put in the other order.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments, layers
from ..backends.contract import Array
from ..errors import ModelFileError, explain
from ..files import atomic_writer
from ..layers import Layer
from ..layers.base import with_batch
from ..tensor_file import FORMAT, damaged, start_of

Shapes = dict[str, tuple[int, ...]]

LEAVES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""PyTorch's name of each weight in its module."""

EXCHANGED = (
    layers.BatchNormalization,
    layers.Conv1D,
    layers.Conv2D,
    layers.Dense,
    layers.GroupNormalization,
    layers.LayerNormalization,
)
"""The layers whose weights PyTorch has, too."""

DTYPES = {"F16", "F32", "F64"}


def load_pytorch(model: Any, path: str | os.PathLike[str], names: Mapping[str, str] | None = None) -> None:
    """Read a PyTorch state dict, saved as safetensors, into a built model of the same architecture.

        safetensors.torch.save_file(network.state_dict(), "network.safetensors")          # in PyTorch
        minicnn.exchange.load_pytorch(model, "network.safetensors")

    Modules and layers are matched by the shapes of their weights, several of one shape by the numbers in their names
    ("conv1", "conv2"). `names` says which module a layer is where that is not enough: {"dense": "head"}.
    A state dict does not contain batch normalisation's epsilon: PyTorch's default is 1e-5, minicnn's is 1e-3.

    Raises OSError if the file cannot be read, ModelFileError if it is damaged or does not fit the model. Then the model
    is unchanged.
    """
    model.set_weights(read_weights(arguments.path("load_pytorch path", path), model, names))


def save_pytorch(model: Any, path: str | os.PathLike[str], names: Mapping[str, str] | None = None) -> None:
    """Write the weights as a PyTorch state dict in a safetensors file that appears complete or not at all.

        minicnn.exchange.save_pytorch(model, "network.safetensors", {"conv2d": "features.0", "dense": "head"})
        network.load_state_dict(safetensors.torch.load_file("network.safetensors"))       # in PyTorch

    `names` has the module of each layer; one that is not among them gets the layer's name.
    Raises ValueError for a layer that PyTorch does not have, OSError if the file cannot be written.
    """
    from safetensors.numpy import save

    names = _checked(model, names)
    state = {}
    for layer, order in _exchanged(model):
        for weight, array in zip(layer.weights, layer.get_weights(), strict=True):
            tensor = np.ascontiguousarray(_to_torch(_own_name(weight), array, order))
            state[f"{names.get(layer.name, layer.name)}.{LEAVES[_own_name(weight)]}"] = tensor
    with atomic_writer(arguments.path("save_pytorch path", path)) as file:
        file.write(save(state, {"format": "pt"}))


def is_foreign(path: Path) -> bool:
    """Whether it is a safetensors file of another program."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            return (file.metadata() or {}).get("format") != FORMAT
    except (SafetensorError, OSError, ValueError, RuntimeError):
        return False


def read_weights(path: Path, model: Any, names: Mapping[str, str] | None = None) -> list[Array]:
    """The weights in a foreign safetensors file for this model, in its order. Only these arrays are read.

    Raises the errors of load_pytorch.
    """
    from safetensors import SafetensorError, safe_open

    start_of(path)  # raises for what is not a file
    names = _checked(model, names)
    exchanged = _exchanged(model)
    try:
        with safe_open(path, "np") as file:
            modules = _modules(file)
            found = _matched({layer.name: _shapes(layer) for layer, _ in exchanged}, modules, names)
            return [
                _from_torch(own, file.get_tensor(f"{found[layer.name]}.{LEAVES[own]}"), order)
                for layer, order in exchanged
                for own in map(_own_name, layer.weights)
            ]
    except ModelFileError:
        raise
    except (SafetensorError, RuntimeError) as error:
        raise damaged(path, f"a safetensors file that cannot be read ({error})") from error
    except ValueError as error:
        raise ModelFileError(f"{path} does not fit the model. {error}") from error


def _checked(model: Any, names: Mapping[str, str] | None) -> dict[str, str]:
    """`names` as a dict. Raises ValueError unless it maps names of layers to names of modules, for a built model."""
    if not model.built:
        found = "layers of unknown shape"
        raise ValueError(explain(model.name, "a built model", found, "Give it an Input, or a batch."))
    known = [layer.name for layer in model.layers]
    for layer, module in dict(names or {}).items():
        arguments.choice("names of PyTorch's modules", layer, known, "the name of a layer")
        arguments.text("names of PyTorch's modules", module)
    return dict(names or {})


def _exchanged(model: Any) -> list[tuple[Layer, np.ndarray | None]]:
    """The layers with weights, and the order of the features that each gets: None, or see _flat_order."""
    orders: list[np.ndarray | None] = [None] * len(model.input_names)
    exchanged = []
    for layer, sources in zip(model.layers, model.sources, strict=True):
        order = orders[sources[0]]
        if layer.weights:
            if type(layer) not in EXCHANGED:
                remedy = "Set its weights by layer.set_weights."
                raise ValueError(explain(str(layer), "a layer that PyTorch has", type(layer).__name__, remedy))
            exchanged.append((layer, order))
        if isinstance(layer, layers.Flatten) and len(sample := with_batch(1, layer.input_shape)) > 2:
            order = None if None in sample else _flat_order(sample[1:])
        elif isinstance(layer, layers.Dense):
            order = None
        orders.append(order)
    return exchanged


def _flat_order(shape: tuple[int, ...]) -> np.ndarray:
    """Where PyTorch has the feature that minicnn has at each place, after a Flatten of (*spatial, C)."""
    *spatial, C = shape
    return np.moveaxis(np.arange(prod(shape)).reshape(C, *spatial), 0, -1).ravel()


def _to_torch(name: str, array: np.ndarray, order: np.ndarray | None) -> np.ndarray:
    """A weight in PyTorch's layout."""
    if order is not None and name != "bias":
        array = array[np.argsort(order)]
    return np.moveaxis(array, (-1, -2), (0, 1)) if name == "kernel" else array


def _from_torch(name: str, tensor: np.ndarray, order: np.ndarray | None) -> np.ndarray:
    """A weight in minicnn's layout."""
    array = np.moveaxis(tensor, (0, 1), (-1, -2)) if name == "kernel" else tensor
    return array if order is None or name == "bias" else array[order]


def _own_name(weight: Any) -> str:
    return weight.name.rpartition("/")[2]


def _shapes(layer: Layer) -> Shapes:
    """The shapes of the layer's weights in PyTorch, by PyTorch's names."""
    arrays = {_own_name(weight): np.broadcast_to(0, weight.value.shape) for weight in layer.weights}
    return {LEAVES[name]: _to_torch(name, array, None).shape for name, array in arrays.items()}


def _modules(file: Any) -> dict[str, Shapes]:
    """The shapes of all tensors of a state dict by module, and in it by name."""
    modules: dict[str, Shapes] = {}
    for name in file.keys():  # noqa: SIM118, it is not a dict
        module, _, leaf = name.rpartition(".")
        tensor = file.get_slice(name)
        if leaf == "num_batches_tracked":
            continue
        if tensor.get_dtype() not in DTYPES:
            remedy = "In PyTorch, convert it first: network.float()."
            raise ValueError(explain(name, "float16, float32 or float64", tensor.get_dtype(), remedy))
        modules.setdefault(module, {})[leaf] = tuple(tensor.get_shape())
    return modules


def _matched(expected: dict[str, Shapes], modules: dict[str, Shapes], names: Mapping[str, str]) -> dict[str, str]:
    """The module of each layer. Raises ValueError if one is missing, or if shapes and numbers do not decide."""
    for layer, module in names.items():
        if modules.get(module) != expected.get(layer):
            found = f"{module} with {modules.get(module, 'no tensors')}"
            raise ValueError(explain(layer, f"{expected.get(layer)}", found, f"Modules: {', '.join(modules)}."))
    matched = dict(names)
    for shapes in {tuple(sorted(one.items())): one for one in expected.values()}.values():
        own = [layer for layer, its in expected.items() if its == shapes and layer not in names]
        theirs = sorted((m for m, its in modules.items() if its == shapes and m not in names.values()), key=_numbers)
        if len(own) != len(theirs):
            raise ValueError(
                explain(
                    f"layers {', '.join(own) or 'none'}",
                    f"{len(own)} modules with {shapes}",
                    f"{len(theirs)} ({', '.join(theirs)})",
                    "Build the same architecture. All modules: "
                    + "; ".join(f"{module} {its}" for module, its in modules.items()),
                )
            )
        if len({re.sub(r"\d+", "", module) for module in theirs}) > 1:
            remedy = f'Say which is which: load_pytorch(model, path, names={{"{own[0]}": "{theirs[0]}", …}}).'
            raise ValueError(explain(f"layers {', '.join(own)}", "modules that differ", ", ".join(theirs), remedy))
        matched |= dict(zip(own, theirs, strict=True))
    return matched


def _numbers(module: str) -> list[int]:
    """The numbers in a module's name: features.10 comes after features.2."""
    return [int(number) for number in re.findall(r"\d+", module)]
