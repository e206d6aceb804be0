"""Keras's weights for channels-first libraries, where the rows of a Dense after Flatten have another order."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

Spatial = tuple[int, ...]


def walk(network: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], int, Spatial]]:
    """Each layer's class and config, its input channels, and the spatial axes of its kernel's rows.

    For a convolution these are its window, for the Dense after Flatten the height and width (or length) before it.
    """
    *axes, channels = network["input_shape"]
    flattened: Spatial = ()
    for layer in network["layers"]:
        name, config = layer["class"], layer["config"]
        if name.startswith("Conv"):
            window = _per_axis(config["kernel_size"], len(axes))
            yield name, config, channels, window
            if config.get("padding", "valid") == "valid":
                axes = [length - size + 1 for length, size in zip(axes, window, strict=True)]
            channels = config["filters"]
            continue
        yield name, config, channels, flattened
        if name.startswith("MaxPooling"):
            pool = _per_axis(config.get("pool_size", 2), len(axes))
            axes = [length // size for length, size in zip(axes, pool, strict=True)]
        elif name == "GlobalAveragePooling2D":
            axes = []
        elif name == "Flatten":
            flattened, channels, axes = tuple(axes), channels * prod(axes), []
        elif name == "Dense":
            flattened, channels = (), config["units"]


def to_channels_first(weight: np.ndarray, spatial: Spatial) -> np.ndarray:
    """(spatial…, C, F), or with these axes flattened, -> (F, C, spatial…); a vector is unchanged."""
    if weight.ndim == 1:
        return weight
    weight = weight.reshape(*spatial, -1, weight.shape[-1])
    return np.ascontiguousarray(weight.transpose(-1, -2, *range(len(spatial))))


def to_channels_last(weight: np.ndarray, spatial: Spatial, shape: tuple[int, ...]) -> np.ndarray:
    """The inverse of to_channels_first, in Keras's shape."""
    if weight.ndim == 1:
        return weight
    weight = weight.reshape(shape[-1], -1, *spatial)
    return weight.transpose(*range(2, weight.ndim), 1, 0).reshape(shape)


def images_first(x: np.ndarray) -> np.ndarray:
    """(N, …, C) -> (N, C, …), a view."""
    return np.moveaxis(x, -1, 1)


def _per_axis(size: int | list[int], axes: int) -> Spatial:
    return (size,) * axes if isinstance(size, int) else tuple(size)
