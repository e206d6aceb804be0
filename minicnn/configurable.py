"""Objects with a Keras-style configuration: layers, initialisers, losses and optimisers.

They record the arguments of their constructor, so that a model can be saved and loaded. For an unknown argument they
raise an error that lists the known ones.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, NamedTuple, TypeVar

from . import arguments, custom_objects
from .errors import did_you_mean, explain, shown

T = TypeVar("T", bound="Configurable")


class Accepted(NamedTuple):
    """The values at which an argument is ignored, the usual one first, and the remedy for others."""

    values: tuple[Any, ...]
    remedy: str = "Leave the argument out."


class UnknownClassError(ValueError):
    """A description names a class that minicnn does not have, and the program has not given."""


class _RecordArguments(type):
    """Checks the arguments of a call to a class before its __init__ runs, and records them on the instance."""

    set_by_base: frozenset[str]
    old_names: dict[str, str]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        kwargs = {cls.old_names.get(name, name): value for name, value in kwargs.items()}
        kwargs = _without_ignored(cls, kwargs)
        given = _bind(cls, args, kwargs)
        instance = super().__call__(*args, **kwargs)
        if not cls.set_by_base <= vars(instance).keys():
            expected, remedy = "super().__init__(…) as its first line", "Then set attributes of your own."
            raise TypeError(explain(f"{cls.__name__} __init__", expected, "none", remedy))
        instance.arguments = given
        return instance


class Configurable(metaclass=_RecordArguments):
    """Base class of everything that has a Keras-style configuration."""

    set_by_base: ClassVar[frozenset[str]] = frozenset()
    """Attributes that the base's __init__ sets. If they are missing, a subclass has forgotten to call it."""

    accepted_at_default: ClassVar[dict[str, Any]] = {}
    """Keras's arguments that are not offered, with Keras's default values: at its default, such an argument is ignored.
    A subclass adds to those of its bases. An `Accepted` lists several values, and says what to do instead of others."""

    old_names: ClassVar[dict[str, str]] = {}
    """Older names of arguments that Keras accepts, and their present names."""

    arguments: dict[str, Any]
    """The constructor's arguments by name."""

    def given_config(self) -> dict[str, Any]:
        """The arguments that were given, as plain data; `from_description` makes an equal object from them."""
        return {name: _to_plain(value) for name, value in self.arguments.items()}

    def get_config(self) -> dict[str, Any]:
        """All arguments as plain data, defaults included: `from_config` makes an equal object."""
        config = {**default_arguments(type(self)), **self.given_config()}
        if config.get("name", "") is None:  # made from the class's name
            config["name"] = getattr(self, "name", None)
        return {name: config[name] for name in argument_names(type(self)) if name in config}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """The object that `get_config` described."""
        return cls(**config)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.given_config().items())
        return f"{type(self).__name__}({given})"

    def describe(self) -> dict[str, Any]:
        """{"class": its name, "config": the arguments that were given}, ready for JSON."""
        return {"class": custom_objects.get_registered_name(type(self)), "config": self.given_config()}


def serialize(thing: Configurable) -> dict[str, Any]:
    """Keras's description, {"class_name": its name, "config": all arguments}; `deserialize` makes an equal object."""
    return {"class_name": custom_objects.get_registered_name(type(thing)), "config": thing.get_config()}


def deserializer(classes: Mapping[str, type[T]], kind: str) -> Callable[..., T]:
    """A module's function `deserialize`, which makes objects of these classes."""

    def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, type[T]] | None = None) -> T:
        """The object that `serialize` described; `custom_objects` has classes of one's own by name.

        Raises ValueError for an unknown class or wrong arguments.
        """
        return from_description(config, {**classes, **(custom_objects or {})}, kind)

    return deserialize


def from_description(description: Mapping[str, Any], classes: Mapping[str, type[T]], kind: str) -> T:
    """The object that `describe` or `serialize` described, for example {"class_name": "adam", "config": {…}}.

    The class's name may be in lower case, as in Keras's older files. Only the given `classes`, and those that the
    program has given to `custom_objects`, are ever called. Raises ValueError, or UnknownClassError for another name.
    """
    config = description.get("config")
    if not isinstance(config, Mapping) or not all(isinstance(name, str) for name in config):
        raise ValueError(explain(kind, '{"class": …, "config": {…}}', repr(description), "describe() makes it."))
    name = description.get("class", description.get("class_name"))
    name = next((known for known in classes if name == known.lower()), name)
    classes = {**classes, **custom_objects.known()}
    try:
        return classes[arguments.choice(f"unknown {kind}", name, classes, "the name of a class")](**config)
    except ValueError as error:
        raise error if name in classes else UnknownClassError(f"{error} {of_ones_own(name)}") from None


def of_ones_own(name: Any) -> str:
    """How to give a class of one's own that a description names."""
    given = f"{{{name!r}: {str(name).rpartition('>')[2]}}}"
    return f"For a file that names your own: load_model(path, custom_objects={given})."


@cache
def argument_names(cls: type) -> list[str]:
    """The argument names of a class's constructor, including keyword-only ones that it passes on as **options."""
    own, *inherited = [signature.parameters for signature in _signatures(cls)]
    names = [name for name, p in own.items() if name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if any(p.kind == p.VAR_KEYWORD for p in own.values()):
        names += [name for parameters in inherited for name, p in parameters.items() if p.kind == p.KEYWORD_ONLY]
    return names


def default_arguments(cls: type) -> dict[str, Any]:
    """The default values of the arguments that have one."""
    names = argument_names(cls)
    found: dict[str, Any] = {}
    for signature in reversed(_signatures(cls)):
        found |= {name: p.default for name, p in signature.parameters.items() if p.default is not p.empty}
    return {name: _to_plain(found[name]) for name in names if name in found}


def _without_ignored(cls: type, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments that are offered. Raises ValueError for one that is not, unless it has Keras's default value."""
    ignored: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        ignored |= vars(base).get("accepted_at_default", {})
    for name in kwargs.keys() & ignored.keys() - set(argument_names(cls)):
        accepted = ignored[name] if isinstance(ignored[name], Accepted) else Accepted((ignored[name],))
        if not any(is_default(kwargs[name], value) for value in accepted.values):
            expected = f"{name}={accepted.values[0]!r}, the only value that is offered"
            raise ValueError(explain(cls.__name__, expected, shown(kwargs[name]), accepted.remedy))
        kwargs = {other: value for other, value in kwargs.items() if other != name}
    return kwargs


def is_default(value: Any, default: Any) -> bool:
    """Whether a plain value equals a default; an array or another object never does."""
    return value is default or (isinstance(value, (str, int, float, tuple)) and value == default)


def _bind(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    known = argument_names(cls)
    for name in kwargs:
        if name not in known:
            raise TypeError(
                explain(cls.__name__, "an argument that it has", f"{name}={kwargs[name]!r}", did_you_mean(name, known))
            )
    try:
        bound = _signatures(cls)[0].bind(None, *args, **kwargs).arguments
    except TypeError as error:
        raise TypeError(f"{cls.__name__}: {error}. Its arguments: {', '.join(known)}.") from None
    given = dict(list(bound.items())[1:])  # without self
    passed_on = given.pop("options", {})
    return {**given, **passed_on}


@cache
def _signatures(cls: type) -> list[inspect.Signature]:
    """The signatures of the constructors of a class and its bases, its own first."""
    return [inspect.signature(vars(base)["__init__"]) for base in cls.__mro__ if "__init__" in vars(base)]


def _to_plain(value: Any) -> Any:
    if isinstance(value, Configurable):
        return value.describe()
    if isinstance(value, (tuple, list)):
        return [_to_plain(item) for item in value]
    if hasattr(value, "tolist"):  # an array, or a NumPy scalar
        return value.tolist()
    return value
