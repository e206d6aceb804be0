"""Argument checks: each returns the argument in a standard form, or raises an error that says what is wrong with it.

Every public function uses these: `array` for all arrays, `whole` and `number` for all numbers, `shape`, `flag`,
`choice`, `text` and `path` for the rest. The code behind the public functions relies on them.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Collection, Iterable
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from .backends.contract import ACTIVATIONS, CURVES, Array, on_gpu
from .errors import did_you_mean, explain, shown

LARGEST_INT = 2**31 - 1
"""The largest length or count: some kernels use 32-bit indices."""

LARGEST = float(np.finfo(np.float32).max)
"""The largest hyperparameter: kernels may compute in float32."""


def array(where: Any, what: str, value: Any, dtype: Any = None, finite: bool = False) -> Array:
    """`value` as a NumPy array of real numbers in native byte order, of at most 64 bits; a GPU array is returned as is.

    Everything that NumPy can convert to numbers is accepted: lists, pandas and CPU torch arrays, anything with
    `__array__`. `dtype` is the dtype in which the caller will use the array: complex numbers are accepted if it is
    complex (gradient checks use them); with finite=True, every number must be finite in it.
    Raises TypeError or ValueError.
    """
    if type(value) is np.ndarray and value.dtype.char in "fd" and value.dtype.isnative:  # nearly always
        if finite:
            _check_finite(where, what, value, np.dtype(dtype or value.dtype))
        return value
    if on_gpu(value):
        return value
    parts = value if isinstance(value, (list, tuple)) else (value,)
    if any(isinstance(part, np.ma.MaskedArray) and np.ma.is_masked(part) for part in parts):
        raise ValueError(
            explain(where, f"{what} without masked entries", "a masked array", "Choose values: x.filled(0), say.")
        )
    try:
        numbers = np.asarray(value)
    except Exception as error:  # a foreign __array__ may raise anything; so do nested lists of different lengths
        found = f"{_kind(value)} that NumPy cannot read ({error})"
        remedy = "Give samples of equal shape, in the host's memory."
        raise ValueError(explain(where, f"{what} of numbers", found, remedy)) from None
    if numbers.dtype.kind not in ("buifc" if dtype is not None and np.dtype(dtype).kind == "c" else "buif"):
        found = f"{_kind(value)} of dtype {numbers.dtype}"
        remedy = 'Convert it to numbers first, for example with numpy.asarray(…, dtype="float32").'
        raise TypeError(explain(where, f"{what} of numbers", found, remedy))
    numbers = _native(numbers)
    if finite:
        _check_finite(where, what, numbers, np.dtype(dtype or numbers.dtype))
    return numbers


def whole(where: str, value: Any, least: int = 1, most: int = LARGEST_INT) -> int:
    """A whole number from `least` to `most`."""
    if not _is(value, Integral) or not least <= int(value) <= most:
        expected = {1: "a positive whole number", 0: "a whole number of at least 0"}.get(least, "a whole number")
        raise ValueError(explain(where, expected, shown(value), f"Give an int from {least} to {most}."))
    return int(value)


def axis(where: str, value: Any) -> int:
    """A whole number; negative ones count from the end. Whether the axis exists is checked with the first input."""
    return whole(where, value, least=-LARGEST_INT)


def seed(where: str, value: Any) -> int:
    """A whole number of at least 0, of any size."""
    return whole(where, value, least=0, most=2**128 - 1)


def number(where: str, value: Any, least: float = -LARGEST, below: float = np.inf) -> float:
    """A finite number of at least `least` and less than `below`; also a NumPy array of no axes."""
    value = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if not _is(value, Real) or not least <= value < below or not -LARGEST <= value <= LARGEST:
        expected, example = "a finite number", 0.001
        if below < np.inf:
            expected, example = f"a number from {least:g} up to, but not including, {below:g}", 0.2
        elif least > -LARGEST:
            expected = f"a finite number of at least {least:g}"
        raise ValueError(explain(where, expected, shown(value), f"Example: {example}."))
    return float(value)


def fraction(where: str, value: Any) -> float:
    """A number in [0, 1)."""
    return number(where, value, least=0, below=1)


def non_negative(where: str, value: Any) -> float:
    """A number of at least 0."""
    return number(where, value, least=0)


def flag(where: str, value: Any) -> bool:
    """True or False, as Python's or NumPy's boolean."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(explain(where, "True or False", shown(value), "Write it without quotes."))
    return bool(value)


def only(where: str, value: Any, default: Any, why: str) -> None:
    """Raise ValueError unless the argument has the only value that is offered, Keras's default."""
    if value is not default:
        raise ValueError(explain(where, f"{default}, the only value that is offered", shown(value), why))


def text(where: str, value: Any) -> str:
    """A string that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError(explain(where, "a string", shown(value), 'Example: "first".'))
    return value


def choice(where: str, value: Any, known: Collection[str], expected: str) -> str:
    """One of the `known` strings."""
    if not isinstance(value, str) or value not in known:
        remedy = _own_import(value) or did_you_mean(shown(value), known)
        raise ValueError(explain(where, expected, shown(value), remedy))
    return value


def _own_import(value: Any) -> str:
    """The remedy for an object of Keras's, or of a framework like it; "" for others."""
    package = type(value).__module__.partition(".")[0]
    if package not in ("keras", "tensorflow", "tf_keras", "torch"):
        return ""
    return f"This is an object of {package}: import {type(value).__name__} from minicnn instead."


def verbose(where: str, value: Any) -> int | str:
    """One of Keras's levels 0, 1 and 2, or "auto"."""
    if (_is(value, Integral) or isinstance(value, (bool, np.bool_))) and value in (0, 1, 2):
        return int(value)
    if not isinstance(value, str) or value != "auto":
        raise ValueError(explain(where, '"auto", 0, 1 or 2', shown(value), "0 is silent, 1 a bar, 2 lines."))
    return value


def padding(where: str, value: Any) -> str:
    """ "valid" or "same"."""
    lower = value.lower() if isinstance(value, str) else value
    return choice(where, lower, ("valid", "same"), '"valid" or "same"')


def activation(where: str, value: Any) -> str:
    """The name of an activation; None means "linear", and "swish" "silu", as in Keras. tf.nn.relu is "relu"."""
    if str(getattr(value, "__module__", "")).startswith("tensorflow."):
        value = value.__name__.removesuffix("_v2")  # tf.nn.softmax calls itself softmax_v2
    if value is None or (isinstance(value, str) and value == "swish"):
        return "silu" if value else "linear"
    if callable(value) and not isinstance(value, str):
        remedy = f"Names: {', '.join(sorted((*ACTIVATIONS, *CURVES)))}. A layer, such as LeakyReLU(0.1), comes after "
        remedy += "this one; a function of your own is a layer of your own."
        raise ValueError(explain(where, "the name of an activation", shown(value), remedy))
    return choice(where, value, (*ACTIVATIONS, *CURVES), "the name of an activation")


def window(where: str, value: Any, rank: int) -> tuple[int, ...]:
    """`rank` positive whole numbers; a single number is used for all of them."""
    values = (value,) * rank if isinstance(value, Integral) else value
    if not isinstance(values, (tuple, list)) or len(values) != rank:
        raise ValueError(explain(where, f"a whole number or {rank} of them", shown(value), f"Example: {(3,) * rank}."))
    return tuple(whole(where, length) for length in values)


def shape(where: str, value: Any, unknown: bool = True) -> tuple[Any, ...]:
    """Positive lengths; with unknown=True, also None for an axis whose length may vary."""
    lengths = tuple(value) if isinstance(value, (tuple, list)) else (0,)
    if not all((unknown and length is None) or _is_length(length) for length in lengths):
        remedy = f"Write ({value},), with a comma." if _is_length(value) else "Example: (28, 28, 1)."
        raise ValueError(explain(where, "a tuple of positive lengths", shown(value), remedy))
    return tuple(None if length is None else int(length) for length in lengths)


def path(where: str, value: Any) -> Path:
    """A valid file path."""
    if not isinstance(value, (str, os.PathLike)) or not (name := os.fspath(value)) or "\0" in str(name):
        raise ValueError(explain(where, "a path", shown(value), 'A string or a pathlib.Path: "model.safetensors".'))
    return Path(os.fsdecode(name))


def function(where: str, value: Any, *names: str, keywords: Collection[str] = ()) -> Any:
    """A function that can be called with as many arguments as there are `names`, and with these keywords."""
    expected = f"a function of {', '.join((*names, *keywords))}"
    if not callable(value):
        raise TypeError(explain(where, expected, shown(value), "Give it without calling it."))
    try:
        signature = inspect.signature(value)
    except ValueError:  # some of Python's own have none
        return value
    try:
        signature.bind(*names, **dict.fromkeys(keywords))
    except TypeError:
        raise TypeError(explain(where, expected, str(signature), "Define it with these arguments.")) from None
    return value


def sequence(where: str, value: Any, of: type | tuple[type, ...], called: str) -> list[Any]:
    """The items of a list, a tuple or a generator, all of class `of`; `called` names them in the error."""
    single = getattr(value, "ndim", None) == 0 or isinstance(value, (str, bytes, dict, memoryview))
    items = list(value) if isinstance(value, Iterable) and not single else None
    if items is None or not all(isinstance(item, of) for item in items):
        raise TypeError(explain(where, f"a list of {called}", shown(value), "Write it in square brackets."))
    return items


def _is_length(value: Any) -> bool:
    return _is(value, Integral) and 0 < int(value) <= LARGEST_INT


def _is(value: Any, kind: type) -> bool:
    """Whether it is a number of this kind: Python counts bool, and NumPy a span of time, among the integers."""
    return isinstance(value, kind) and not isinstance(value, (bool, np.timedelta64))


def _native(numbers: np.ndarray) -> np.ndarray:
    """The same numbers in native byte order and in a dtype that every backend knows."""
    dtype = numbers.dtype
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):  # float16 and the long double
        dtype = np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
    with np.errstate(over="ignore"):
        return numbers.astype(dtype.newbyteorder("="), copy=False)


def _check_finite(where: Any, what: str, numbers: np.ndarray, dtype: np.dtype) -> None:
    if numbers.dtype.kind != "f" or not numbers.size:
        return
    limit = np.finfo(dtype).max if dtype.kind == "f" else np.inf
    if -limit <= numbers.min() and numbers.max() <= limit:  # False for NaN, too
        return
    bad = np.argwhere(~(np.abs(numbers) <= limit))
    raise ValueError(
        explain(
            where,
            f"finite {what}",
            f"{len(bad)} NaN or infinite values in {dtype}, the first at index {tuple(bad[0].tolist())}",
            "Clean the data: numpy.isfinite finds them.",
        )
    )


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
