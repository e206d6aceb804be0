"""How a backend is assembled: each operation is its own where it has one, else the textbook's, behind one check.

    assemble(__name__)

in a backend's `__init__.py` looks through the package's modules for functions with the names of the contract's
operations. What it puts into the package are not these functions but ones that check every argument (`checks.py`), and
then call

    the backend's own function     on arrays of float32 alone or of float64 alone, or on no floating arrays;
    the textbook's                 on everything else (half precision, complex numbers), or where there is no own one:
                                   slow, but right. For a backend with a memory of its own, that is done on the host.

A forward's `saved` remembers who made it, so that only its own backward gets it, with a dy like the forward's y.
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
    """What a forward's caller gets as `saved`."""

    operation: str
    """The name of the backward that it is for."""
    backend: Any
    backward: Function
    """That operation, by whoever did the forward: the backend or the textbook."""
    values: Any
    """What the forward saved."""
    shape: tuple[int, ...]
    """The shape of y, and so of dy."""
    dtype: Any


def assemble(package: str, translated: Callable[[Function], Function] = lambda operation: operation) -> None:
    """Give a backend's package every operation of the contract.

    `translated` is a decorator for all of them: it turns what the backend's libraries raise into minicnn's errors.
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
        elif name not in arguments:  # between the memories: any array will do
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
    """The operations that a package's modules define."""
    found: dict[str, Function] = {}
    for module in walk_packages(import_module(package).__path__, f"{package}."):
        for name, value in vars(import_module(module.name)).items():
            if name in OPERATIONS and isfunction(value) and value.__module__ == module.name:
                found[name] = value
    return found


def _forward(arguments: Arguments, own: Pair, fallback: Pair) -> Function:
    """A forward that remembers in `saved` whose backward belongs to it."""
    name, backend = f"{arguments.name}_backward", arguments.backend

    def operation(*given: Any, **options: Any) -> Any:
        values = arguments.bind(given, options)
        forward, backward = own if arguments.check(values) in COMPILED else fallback
        y, *others, saved = forward(*values)
        return y, *others, Kept(name, backend, backward, saved, y.shape, y.dtype)

    return operation


def _backward(arguments: Arguments) -> Function:
    """A backward: the one that belongs to the forward that saved."""
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
    """The textbook's function for a backend with another memory: there and back; lists of arrays change in place."""

    def home(argument: Any) -> Any:
        if isinstance(argument, (list, tuple)) and argument and all(map(backend.owns, argument)):
            return [backend.to_host(array) for array in argument]
        return backend.to_host(argument) if backend.owns(argument) else argument

    def back(result: Any) -> Any:
        return backend.to_device(result) if isinstance(result, (np.ndarray, np.generic)) else result

    def there_and_back(*arguments: Any) -> Any:
        taken = [home(argument) for argument in arguments]
        results = function(*taken)
        for argument, changed in zip(arguments, taken, strict=True):
            if isinstance(changed, list):
                for array, new in zip(argument, changed, strict=True):
                    array[...] = backend.to_device(new)
        return tuple(map(back, results)) if isinstance(results, tuple) else back(results)

    return there_and_back


def _foreign(name: str, saved: Any) -> str:
    """What to say of a `saved` that is not this backward's."""
    expected, found = name.removesuffix("_backward"), f"a {type(saved).__name__}"
    if type(saved) is Kept:
        found = f"that of {saved.backend.__name__}.{saved.operation.removesuffix('_backward')}"
    remedy = "Pass on what the forward of the same backend returned last, untouched."
    return explain(name, f"saved of {expected}", found, remedy)
