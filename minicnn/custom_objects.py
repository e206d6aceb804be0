"""Classes and functions of one's own that a model's file may name: given for a call, for a block, or for good.

A file holds names and arguments, no code. Only what the program itself gives here is ever called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import isfunction
from typing import Any, TypeVar

from . import arguments
from .errors import explain, shown

Own = TypeVar("Own", bound=Callable[..., Any])

registered: dict[str, Any] = {}
"""The classes of `register_keras_serializable`, by "package>name", and others that a program has put here."""

_of_block: ContextVar[Mapping[str, Any]] = ContextVar("_of_block", default={})  # noqa: B039  # it is never changed


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Own], Own]:
    """Decorator: files may name this class or function, as "package>name"; without a name, by its own.

    Raises TypeError for anything else, ValueError for a name with ">".
    """
    where = "register_keras_serializable"
    for part in (package, "name" if name is None else name):
        if ">" in arguments.text(where, part):
            raise ValueError(explain(where, 'a package and a name without ">"', repr(part), "Choose another one."))

    def register(own: Own) -> Own:
        if not isinstance(own, type) and not isfunction(own):
            remedy = "Derive a class from layers.Layer, losses.Loss, …"
            raise TypeError(explain(where, "a class or a function", shown(own), remedy))
        registered[f"{package}>{name or own.__name__}"] = own
        return own

    return register


def get_custom_objects() -> dict[str, Any]:
    """The registered classes by name. What is put into this dictionary is registered, too."""
    return registered


def get_registered_name(obj: Any) -> str:
    """The name under which the class is registered, or its own."""
    return next((name for name, cls in registered.items() if cls is obj), obj.__name__)


def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """The class of this name in a block, registered, or in one of the dictionaries; None if there is none."""
    return {**(module_objects or {}), **(custom_objects or {}), **known()}.get(name)


@contextmanager
def custom_object_scope(objects: Mapping[str, Any] | None) -> Iterator[None]:
    """A block in which files may name these classes, by name. Raises TypeError for anything but such a dict."""
    objects = {} if objects is None else objects
    if not isinstance(objects, Mapping) or not all(isinstance(n, str) and callable(o) for n, o in objects.items()):
        raise TypeError(
            explain("custom_objects", "a dict of classes by name", shown(objects), '{"Scale": Scale}, say.')
        )
    token = _of_block.set({**_of_block.get(), **objects})
    try:
        yield
    finally:
        _of_block.reset(token)


CustomObjectScope = custom_object_scope


def known() -> dict[str, Any]:
    """All classes that files may name at this moment, besides minicnn's own."""
    return {**registered, **_of_block.get()}
