"""Files of arrays and a description in the safetensors format, protected by SHA-256 digests.

    8 bytes    the header's length
    header     JSON: name, dtype, shape and offsets of every array, and under "__metadata__" four strings:
               format    "minicnn"
               version   the version of `content`
               content   JSON: the description; {"array": name, "dtype", "shape", "sha256"} in place of each array
               sha256    the digest of `content`
    data       the arrays

Any program that reads safetensors can read the arrays. Nothing in a file is ever executed, and no more memory is
allocated for arrays than the file is long.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from . import arguments
from .errors import ModelFileError, explain
from .files import atomic_writer, explained

FORMAT, VERSION = "minicnn", "2"

MAX_HEADER = 2 << 20
"""Maximum header length in bytes. Parsed JSON takes up to about 20 times its length in memory."""

MAX_DEPTH = 32
"""Maximum nesting depth of lists and objects."""

UNREADABLE = "Models are written by model.save(path)."

INTEGERS = range(1 - (1 << 128), 1 << 128)
"""The integers that a description may contain: seeds have up to 128 bits."""


def write(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write a description, plain data with arrays anywhere in it, to a file that appears complete or not at all.

    Raises ValueError or TypeError, before anything is written, for content that `read` could not restore; OSError, with
    the path and the state of the old file in its message, if the file cannot be written.
    """
    from safetensors.numpy import save

    path = arguments.path("model file", path)
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps(_without_arrays(content, "", arrays))
    _content(text)  # raises for content that `read` would refuse
    metadata = {"format": FORMAT, "version": VERSION, "content": text, "sha256": _digest(text.encode())}
    data = save(arrays, metadata)
    if _header_length(data) > MAX_HEADER:
        found = f"{_header_length(data):,} bytes"
        raise ValueError(explain(str(path), f"a description of at most {MAX_HEADER:,} bytes", found, "Shorten it."))
    with atomic_writer(path) as file:
        file.write(data)


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The description that `write` wrote, with its arrays (read-only) in place.

    Raises ModelFileError if a single bit of the file has changed; OSError, with the path and the reason, if it cannot
    be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = arguments.path("model file", path)
    with explained(path, "cannot be read", UNREADABLE):
        _check_regular(path)
        with path.open("rb") as file:
            content = _sealed_content(path, file)
            size = sum(_bytes_of(place) for place in _places(content))
            if (rest := os.fstat(file.fileno()).st_size - file.tell()) != size:
                raise damaged(path, f"{rest:,} bytes of arrays where {size:,} are declared")
            file.seek(0)
            data = file.read()
    try:
        arrays = load(data)
    except (SafetensorError, KeyError, ValueError, OverflowError) as error:
        raise damaged(path, f"a wrong directory of arrays, {error}") from error
    whole = _with_arrays(path, content, "", arrays)
    if arrays:
        raise damaged(path, f"arrays that are not declared: {', '.join(arrays)}")
    return whole


def start_of(path: str | os.PathLike[str]) -> bytes:
    """The first 8 bytes of a file, which tell its format. Raises the errors of read."""
    path = arguments.path("model file", path)
    with explained(path, "cannot be read", UNREADABLE):
        _check_regular(path)
        with path.open("rb") as file:
            return file.read(8)


def _check_regular(path: Path) -> None:
    """Raise ModelFileError for anything but a file: opening a named pipe would wait for its other end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise damaged(path, "a directory, a pipe or a device")


def damaged(path: Path, found: str) -> ModelFileError:
    """The error for a file that is not what it should be: what was found in it."""
    return ModelFileError(
        explain(
            str(path),
            "a file that model.save wrote",
            f"{found}: a damaged file or one of another program",
            "Take another copy, or save the model again.",
        )
    )


def outline(content: Mapping[str, Any]) -> str:
    """The description as text with dtype and shape in place of each array: equal if only the arrays' values differ."""
    return json.dumps(content, sort_keys=True, default=lambda array: f"{array.dtype} {array.shape}")


def _without_arrays(node: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """The node as JSON data; its arrays are added to `arrays`, named by their path in the description."""
    if isinstance(node, np.ndarray):
        if name in arrays or node.dtype.kind not in "biuf":
            raise ValueError(explain(name, "one array of numbers", f"another, of dtype {node.dtype}", "Rename it."))
        arrays[name] = array = np.asarray(node, node.dtype.newbyteorder("<"), order="C")
        return {"array": name, "dtype": array.dtype.name, "shape": array.shape, "sha256": _digest(array)}
    if isinstance(node, Mapping):
        if "array" in node or not all(isinstance(key, str) for key in node):
            raise ValueError(explain(name, 'strings other than "array" as keys', f"{list(node)}", "Rename them."))
        return {key: _without_arrays(value, _join(name, key), arrays) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_without_arrays(value, _join(name, index), arrays) for index, value in enumerate(node)]
    if isinstance(node, np.generic):
        node = node.item()
    if not isinstance(node, (str, int, float, type(None))) or (isinstance(node, float) and not math.isfinite(node)):
        raise ValueError(
            explain(name, "plain data: text, finite numbers, lists", repr(node), "Convert it; nothing was saved.")
        )
    return node


def _with_arrays(path: Path, node: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """The node with its arrays in place, each taken from `arrays` and compared with its declaration."""
    if isinstance(node, list):
        return [_with_arrays(path, value, _join(name, index), arrays) for index, value in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if "array" not in node:
        return {key: _with_arrays(path, value, _join(name, key), arrays) for key, value in node.items()}
    array = arrays.pop(name, None)
    if array is None or (name, array.dtype.name, list(array.shape)) != (node["array"], node["dtype"], node["shape"]):
        found = "no array" if array is None else f"{array.dtype} {array.shape}"
        raise damaged(path, f"{found} as {name}, declared as {node['array']}, {node['dtype']} {node['shape']},")
    if _digest(array) != node["sha256"]:
        raise damaged(path, f"values in {name} that differ from those that were written")
    return array


def _join(name: str, key: str | int) -> str:
    return f"{name}/{key}" if name else str(key)


def _sealed_content(path: Path, file: BinaryIO) -> dict[str, Any]:
    """The description in a file's header. Afterwards the file is positioned at the beginning of the data."""
    start = file.read(8)
    if (length := _header_length(start)) > MAX_HEADER:
        raise damaged(path, f"a header of {length:,} bytes")
    try:
        header = _parse(file.read(length).decode())
        metadata = header["__metadata__"]
        if metadata["format"] != FORMAT or metadata["version"] != VERSION:
            raise ValueError(f"{metadata['format']} version {metadata['version']}, expected {FORMAT} version {VERSION}")
        if set(metadata) != {"format", "version", "content", "sha256"}:
            raise ValueError("strings other than format, version, content and sha256")
        if _digest(metadata["content"].encode()) != metadata["sha256"]:
            raise ValueError("a description that differs from the one that was written")
        return _content(metadata["content"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(path, f"a damaged header, {error!r:.200}") from error  # of text that is not UTF-8, repr has all


def _content(text: str) -> dict[str, Any]:
    """The description with declarations of arrays. Raises ValueError, TypeError or RecursionError if it is damaged."""
    content = _parse(text)
    if not isinstance(content, dict):
        raise ValueError("a description that is not an object")
    for place in _places(content):
        _bytes_of(place)
    return content


def _places(node: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The declarations of arrays in a description."""
    if depth > MAX_DEPTH:
        raise ValueError(f"lists and objects nested deeper than {MAX_DEPTH}")
    if isinstance(node, dict) and "array" in node:
        yield node
    elif isinstance(node, (dict, list)):
        for value in node.values() if isinstance(node, dict) else node:
            yield from _places(value, depth + 1)


def _bytes_of(place: dict[str, Any]) -> int:
    """The size in bytes of a declared array. Raises ValueError or TypeError for a damaged declaration."""
    texts = [place.get(key) for key in ("array", "dtype", "sha256")]
    lengths = place.get("shape")
    if len(place) != 4 or not all(isinstance(text, str) for text in texts) or not isinstance(lengths, list):
        raise ValueError(f"not a declaration of an array: {place}")
    if not all(type(length) is int and length >= 0 for length in lengths):
        raise ValueError(f"not a shape: {lengths}")
    return math.prod(lengths) * np.dtype(place["dtype"]).itemsize


def _parse(text: str) -> Any:
    """Standard JSON with finite numbers only. Raises ValueError or RecursionError for anything else."""
    return json.loads(
        text, parse_int=_integer, parse_float=_finite, parse_constant=_finite, object_pairs_hook=_unique_keys
    )


def _integer(digits: str) -> int:
    if len(digits) > 40 or int(digits) not in INTEGERS:
        raise ValueError(f"an integer of more than 128 bits: {digits[:30]}")
    return int(digits)


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ValueError(f"a number that is not finite: {text}")
    return float(text)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) != len(unique := dict(pairs)):
        raise ValueError("a name that occurs twice")
    return unique


def _header_length(data: bytes) -> int:
    return int.from_bytes(data[:8], "little")


def _digest(data: Any) -> str:
    return hashlib.sha256(data).hexdigest()
