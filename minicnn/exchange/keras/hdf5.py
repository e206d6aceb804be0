"""HDF5 files of arrays, read with care: a damaged or hostile file is an error and never fills the memory.

Only what Keras writes is read: groups, and datasets of numbers that lie in the file itself, uncompressed. Links to
other files, compressed data (a few bytes could claim any size) and text are refused.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...extras import imported
from ...tensor_file import damaged

MAGIC = b"\x89HDF\r\n\x1a\n"

MAX_DEPTH, MAX_OBJECTS = 32, 100_000
"""Limits for groups: a damaged one may contain itself."""


def read(path: Path, source: Path | io.BytesIO, most: int) -> dict[str, np.ndarray]:
    """All arrays in the source by their paths in it, such as "layers/conv2d/vars/0"; `path` is for errors.

    Raises ImportError without h5py, ModelFileError for a damaged file or for arrays of more than `most` bytes.
    """
    h5py = imported("h5py", "h5", f"reading {path}")
    arrays: dict[str, np.ndarray] = {}
    try:
        with h5py.File(source, "r") as file:
            _collect(h5py, file, "", arrays, [most, MAX_OBJECTS])
    except Exception as error:  # h5py raises nearly any class for a damaged file
        raise damaged(path, f"an HDF5 file that cannot be read ({error})") from error
    return arrays


def _collect(h5py: Any, group: Any, name: str, arrays: dict[str, np.ndarray], left: list[int]) -> None:
    """Add the group's arrays; `left` has the bytes and the number of objects that may still come."""
    for key in group:
        inner = f"{name}/{key}" if name else key
        left[1] -= 1
        if left[1] < 0 or inner.count("/") > MAX_DEPTH:
            raise ValueError("too many groups, or groups that contain themselves")
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise ValueError(f"{inner} is a link to another place")
        entry = group[key]
        if isinstance(entry, h5py.Group):
            _collect(h5py, entry, inner, arrays, left)
        else:
            arrays[inner] = _array(h5py, entry, inner, left)


def _array(h5py: Any, dataset: Any, name: str, left: list[int]) -> np.ndarray:
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "fiu":
        raise ValueError(f"{name} is not an array of numbers")
    if dataset.chunks is not None or dataset.is_virtual or dataset.external:
        raise ValueError(f"{name} is compressed, or lies in another file")
    left[0] -= dataset.size * dataset.dtype.itemsize
    if left[0] < 0:
        raise ValueError(f"{name} claims to be larger than it can be")
    return np.asarray(dataset[()])


def written(arrays: Mapping[str, np.ndarray], names: Mapping[str, str]) -> bytes:
    """The content of an HDF5 file with these arrays, and with a group for each of `names`, its attribute "name"."""
    h5py = imported("h5py", "h5", "writing Keras's files")
    file_in_memory = io.BytesIO()
    with h5py.File(file_in_memory, "w") as file:
        for group, name in names.items():
            file.require_group(group).attrs["name"] = name
        for name, array in arrays.items():
            file[name] = array
    return file_in_memory.getvalue()
