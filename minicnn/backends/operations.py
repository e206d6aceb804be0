"""How a backend is assembled: it has its own operations, and the textbook's for the rest, all behind one check.

    assemble(__name__)

in a backend's `__init__.py` searches the package's modules for functions with the names of the contract's operations.
It adds to the package functions that check every argument (`checks.py`) and then call

    the backend's own function     if all floating arrays are float32, or all are float64, or there are none;
    the textbook's function        in all other cases (half precision, complex numbers), and if the backend has no own
                                   function: slow, but correct. For a GPU this runs on the host.

A forward's `saved` records the backend and the operation, so that only the matching backward accepts it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from inspect import isfunction
from pkgutil import walk_packages
from typing import Any, NamedTuple

import numpy as np

from ..errors import explain
from .checks import Arguments
from .contract import OPERATIONS, Backend
from .networks import checked

Function = Callable[..., Any]
Pair = tuple[Function, Function]

TEXTBOOK = f"{__package__}.textbook"

COMPILED = ("f", "d", "")
"""The floating dtypes of the fast backends' own functions, by NumPy's letters: float32, float64, or none at all."""


class Kept(NamedTuple):
    """The `saved` that the caller of a forward gets."""

    operation: str
    """The name of its backward."""
    backend: Any
    backward: Function
    """That operation of the backend or of the textbook, whichever computed the forward."""
    values: Any
    """The forward's own `saved`."""
    shape: tuple[int, ...]
    """The shape of y and dy."""
    dtype: Any


def assemble(package: str, translated: Callable[[Function], Function] = lambda operation: operation) -> None:
    """Give a backend's package every operation of the contract.

    `translated` is a decorator for all of them: it translates the exceptions of the backend's libraries.
    """
    backend: Any = sys.modules[package]
    own, textbook = _functions(package), _functions(TEXTBOOK)
    general = {name: _on_the_host(function, backend) for name, function in textbook.items()}
    if "to_host" not in own or package == TEXTBOOK:  # the host's memory is the backend's own
        general = textbook
    arguments = {name: Arguments(name, backend) for name in OPERATIONS if hasattr(getattr(Backend, name), "shapes")}
    for name in OPERATIONS:
        function, fallback = own.get(name, general[name]), general[name]
        if name == "compile_inference":
            operation = checked(function, arguments, backend)
        elif name not in arguments:  # transfers between memories accept any array
            setattr(backend, name, function)
            continue
        elif name.endswith("_backward"):
            operation = _backward(arguments[name])
        elif (backward := f"{name}_backward") in OPERATIONS:
            pairs = (function, own.get(backward, general[backward])), (fallback, general[backward])
            operation = _forward(arguments[name], *pairs)
        else:
            operation = _single(arguments[name], function, fallback)
        setattr(backend, name, translated(wraps(function)(operation)))


def _functions(package: str) -> dict[str, Function]:
    """The operations defined in a package's modules."""
    found: dict[str, Function] = {}
    for module in walk_packages(import_module(package).__path__, f"{package}."):
        for name, value in vars(import_module(module.name)).items():
            if name in OPERATIONS and isfunction(value) and value.__module__ == module.name:
                found[name] = value
    return found


def _forward(arguments: Arguments, own: Pair, fallback: Pair) -> Function:
    """A forward that records its backward in `saved`."""
    name, backend = f"{arguments.name}_backward", arguments.backend

    def operation(*given: Any, **options: Any) -> Any:
        values = arguments.bind(given, options)
        forward, backward = own if arguments.check(values) in COMPILED else fallback
        y, *others, saved = forward(*values)
        kept = Kept(name, backend, backward, saved, y.shape, y.dtype)
        return y.view(), *others, kept  # saved may hold y, whose shape the caller might change

    return operation


def _backward(arguments: Arguments) -> Function:
    """A backward that calls the function recorded in `saved`."""
    name, backend, at = arguments.name, arguments.backend, arguments.names.index("saved")

    def operation(*given: Any, **options: Any) -> Any:
        values = arguments.bind(given, options)
        saved = values[at]
        if type(saved) is not Kept or saved.operation != name or saved.backend is not backend:
            raise TypeError(_foreign(name, saved))
        arguments.check(values, like=saved)
        values[at] = saved.values
        return saved.backward(*values)

    return operation


def _single(arguments: Arguments, own: Function, fallback: Function) -> Function:
    """An operation without a backward."""

    def operation(*given: Any, **options: Any) -> Any:
        values = arguments.bind(given, options)
        return (own if arguments.check(values) in COMPILED else fallback)(*values)

    return operation


def _on_the_host(function: Function, backend: Backend) -> Function:
    """The textbook's function for a GPU backend: arguments are transferred to the host, results back to the device.

    Lists of arrays are changed in place.
    """

    def on_host(argument: Any) -> Any:
        if isinstance(argument, (list, tuple)) and argument and all(map(backend.owns, argument)):
            return [backend.to_host(array) for array in argument]
        return backend.to_host(argument) if backend.owns(argument) else argument

    def on_device(result: Any) -> Any:
        return backend.to_device(result) if isinstance(result, (np.ndarray, np.generic)) else result

    @wraps(function)
    def operation(*arguments: Any) -> Any:
        copies = [on_host(argument) for argument in arguments]
        results = function(*copies)
        for argument, changed in zip(arguments, copies, strict=True):
            if isinstance(changed, list):
                for array, new in zip(argument, changed, strict=True):
                    array[...] = backend.to_device(new)
        return tuple(map(on_device, results)) if isinstance(results, tuple) else on_device(results)

    return operation


def _foreign(name: str, saved: Any) -> str:
    """The error message for a `saved` that is not of this backward's forward."""
    expected, found = name.removesuffix("_backward"), f"a {type(saved).__name__}"
    if type(saved) is Kept:
        found = f"that of {saved.backend.__name__}.{saved.operation.removesuffix('_backward')}"
    remedy = "Pass the last result of the same backend's forward, unchanged."
    return explain(name, f"saved of {expected}", found, remedy)
