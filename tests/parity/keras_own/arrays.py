"""Keras's arrays, by NumPy: what `keras.ops` and `keras.backend` offer to the tests, which are about other things."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

import minicnn
from minicnn.config import epsilon, floatx, image_data_format, set_floatx, set_image_data_format
from minicnn.layers.input import Value
from minicnn.parameters import Parameter

__all__ = ["epsilon", "floatx", "image_data_format", "set_floatx", "set_image_data_format"]

SUPPORTS_SPARSE_TENSORS = SUPPORTS_RAGGED_TENSORS = False

config = minicnn.config


def backend() -> str:
    """None of Keras's: tests of another backend are skipped."""
    return "minicnn"


class _MadeFrom(type):
    """A class that stands for one of minicnn's, with Keras's arguments."""

    of: type

    def __instancecheck__(cls, thing: Any) -> bool:
        return isinstance(thing, cls.of)


class KerasTensor(metaclass=_MadeFrom):
    of = Value

    def __new__(cls, shape, dtype="float32", sparse=False, ragged=False, record_history=True, name=None):
        return minicnn.Input(batch_shape=shape, dtype=standardize_dtype(dtype), sparse=sparse, ragged=ragged, name=name)


class Variable(metaclass=_MadeFrom):
    of = Parameter

    def __new__(cls, initializer, shape=None, dtype=None, trainable=True, name="variable"):
        if shape is not None and not hasattr(initializer, "shape"):
            initializer = minicnn.initializers.get(initializer)(shape)
        return Parameter(name, np.array(initializer, dtype or floatx()), trainable)


def standardize_dtype(dtype: Any) -> str:
    return floatx() if dtype is None else np.dtype(dtype).name


def is_tensor(x: Any) -> bool:
    return isinstance(x, np.ndarray)


def is_float_dtype(dtype: Any) -> bool:
    return np.dtype(dtype).kind == "f"


def is_int_dtype(dtype: Any) -> bool:
    return np.dtype(dtype).kind in "iu"


def convert_to_tensor(x: Any, dtype: Any = None, sparse: bool = False) -> np.ndarray:
    """An array; Python's numbers become float32 or int32, as in Keras."""
    if dtype is None and not hasattr(x, "dtype"):
        kind = np.asarray(x).dtype.kind
        dtype = {"f": floatx(), "i": "int32"}.get(kind)
    return np.array(x, dtype)


def convert_to_numpy(x: Any) -> np.ndarray:
    return np.array(x)


array = convert_to_tensor


def cast(x: Any, dtype: Any) -> np.ndarray:
    return np.asarray(x).astype(dtype)


def shape(x: Any) -> tuple[int | None, ...]:
    return tuple(x.shape)


def one_hot(x: Any, num_classes: int) -> np.ndarray:
    return np.eye(num_classes, dtype=floatx())[np.asarray(x)]


def rsqrt(x: Any) -> np.ndarray:
    return convert_to_tensor(1 / np.sqrt(x))


def __getattr__(name: str) -> Any:
    """NumPy's function of the name. Its result is float32 where Keras's is: unless an argument is of float64."""
    function = getattr(np, {"max": "amax", "min": "amin"}.get(name, name))

    def like_keras(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, Value) for x in tree.flatten(args)):
            raise TypeError(f"ops.{name} computes with arrays, not with a Value")
        result = np.asarray(function(*args, **kwargs))
        asked_for = any(getattr(x, "dtype", x) in ("float64", np.float64) for x in (*args, *kwargs.values()))
        return result if asked_for or result.dtype != np.float64 else result.astype(floatx())

    return like_keras


def _drawn(draw: str):
    def function(shape, *args, dtype=None, seed=None, **kwargs):
        generator = np.random.default_rng(seed) if isinstance(seed, int) else np.random  # set_random_seed seeds it
        return np.asarray(getattr(generator, draw)(*args, size=shape, **kwargs)).astype(dtype or floatx())

    return function


def _uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    return _drawn("uniform")(shape, minval, maxval, dtype=dtype, seed=seed)


random = SimpleNamespace(
    normal=_drawn("normal"),
    uniform=_uniform,
    randint=lambda shape, minval, maxval, dtype="int32", seed=None: _uniform(shape, minval, maxval, dtype, seed),
)


def _map_structure(function, first, *others):
    if isinstance(first, dict):
        return {key: _map_structure(function, first[key], *(other[key] for other in others)) for key in first}
    if isinstance(first, (list, tuple)):
        return type(first)(_map_structure(function, *parts) for parts in zip(first, *others, strict=True))
    return function(first, *others)


def _flatten(structure) -> list:
    found: list = []
    _map_structure(found.append, structure)
    return found


tree = SimpleNamespace(map_structure=_map_structure, flatten=_flatten)
