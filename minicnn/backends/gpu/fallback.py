"""What every operation does first: see that its arrays are on the device, and in a precision that the kernels know.

They know float32 and float64. Everything else (half precision, complex numbers, two precisions in one call) is computed
by the textbook, on the host: slow, but right.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import cupy
import numpy as np

from ...errors import explain
from .. import textbook
from ..contract import Saved

_KNOWN = ({"f"}, {"d"})  # float32 alone or float64 alone, by NumPy's letters


class OnHost(NamedTuple):
    """What a textbook forward saved for its backward."""

    saved: Saved


def operation(function: Callable[..., Any]) -> Any:
    """Decorator: the function sees arrays of one known precision, all on the device; the textbook sees the rest."""
    names = tuple(inspect.signature(function).parameters)
    where = function.__name__

    @wraps(function)
    def checked(*arguments: Any, **options: Any) -> Any:
        precisions = set()
        for name, argument in zip((*names[: len(arguments)], *options), (*arguments, *options.values()), strict=True):
            if isinstance(argument, cupy.ndarray):
                precisions.add(argument.dtype.char)
            elif isinstance(argument, np.ndarray):
                raise TypeError(_on_the_host(where, name))
            elif isinstance(argument, OnHost):
                precisions.add("host")
        if not precisions or precisions in _KNOWN:
            return function(*arguments, **options)
        return _textbook(where, arguments, options)

    return checked


def on_the_host(function: Callable[..., Any]) -> Any:
    """An operation that has no kernel: the textbook's function, on the host, with arrays on the device outside."""

    @wraps(function)
    def taken_there(*arguments: Any, **options: Any) -> Any:
        return _textbook(function.__name__, arguments, options)

    return taken_there


def _textbook(where: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The textbook's operation of that name, with its arrays brought to the host and its results taken back."""
    results = getattr(textbook, where)(*map(_to_host, arguments), **options)
    several = results if isinstance(results, tuple) else (results,)
    if where.endswith("_backward"):
        moved = tuple(map(_to_device, several))
    else:
        moved = (*map(_to_device, several[:-1]), OnHost(several[-1]))
    return moved if isinstance(results, tuple) else moved[0]


def _to_host(argument: Any) -> Any:
    if isinstance(argument, cupy.ndarray):
        return argument.get()
    return argument.saved if isinstance(argument, OnHost) else argument


def _to_device(result: Any) -> Any:
    return result if result is None else cupy.asarray(result)


def _on_the_host(where: str, name: str) -> str:
    return explain(
        f"the GPU's {where}", f"{name} on the GPU", "one on the host (numpy.ndarray)", "minicnn.to_device moves it."
    )
