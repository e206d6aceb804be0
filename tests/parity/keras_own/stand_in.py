"""The package `keras` that Keras's tests import: each name is minicnn's, a helper of these modules, or `NotOffered`."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import minicnn

from . import arrays, checks
from .names import home, of_minicnn, public_names

HELPERS = {
    "keras.src.backend": arrays,
    "keras.src.backend.common": arrays,
    "keras.src.backend.common.keras_tensor": arrays,
    "keras.src.backend.common.variables": arrays,
    "keras.src.backend.config": minicnn.config,
    "keras.src.ops": arrays,
    "keras.src.random": arrays.random,
    "keras.src.backend.random": arrays.random,
    "keras.src.ops.numpy": arrays,
    "keras.src.backend.numpy": arrays,
    "keras.src.tree": arrays.tree,
    "keras.src.testing": checks,
    "keras.src.testing.test_case": checks,
    "keras.src.testing.test_utils": checks,
}
"""Modules of Keras in which the tests find their tools. They are not what is tested."""

TOOLS = {
    "Functional": minicnn.Model,
    "skip_if_backend": lambda backend, reason: lambda test: test,
}
"""More tools, whatever module they are asked of."""


class NotOffered(Exception):
    """A test has used something of Keras that minicnn does not have."""


class _Missing(type):
    """A name that minicnn does not have: a test may mention it, and derive from it, until it calls it."""

    path = ""
    collecting = True
    """While files are imported, a call is not an error: it would be one for all tests of the file."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls._use()

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return missing(f"{cls.path}.{name}")

    def __bool__(cls) -> bool:
        return cls._use() is None

    __iter__ = __enter__ = __exit__ = __len__ = __call__

    def _use(cls) -> Any:
        if _Missing.collecting:
            return cls
        raise NotOffered(cls.path)


def missing(path: str) -> Any:
    return _Missing(path.rpartition(".")[2], (), {"path": path})


def tests_begin() -> None:
    """From now on, calling what minicnn does not have is an error."""
    _Missing.collecting = False


class Module(ModuleType):
    """One module of the stand-in. What it contains is looked up when it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        module = self.__name__
        found = look_up(module if module.startswith("keras.src") else module.replace("keras", "keras.src", 1), name)
        setattr(self, name, found)
        return found


def look_up(module: str, name: str) -> Any:
    """What a module of the stand-in contains under a name: a module, a tool, minicnn's object, or a missing name."""
    if exists(f"{module}.{name}"):
        return import_module(f"{module}.{name}")
    helper = HELPERS.get(module)
    if hasattr(helper, name):
        return getattr(helper, name)
    if name in TOOLS:
        return TOOLS[name]
    if name == "tensorflow":  # of keras.src.utils.module_utils
        return import_module(name)
    found = of_minicnn(module, name)
    return missing(f"{module}.{name}".removeprefix("keras.").removeprefix("src.")) if found is None else found


def exists(module: str) -> bool:
    """Whether Keras has such a module."""
    place = home().joinpath(*module.split(".")[1:])
    return module in HELPERS or place.is_dir() or place.with_suffix(".py").is_file()


OTHERS = ("conftest", "jax", "grain")
"""Modules that some test files import, and that need not be installed: all their names are missing, but for tools."""


class Finder:
    """An entry of sys.meta_path that makes the stand-in's modules."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        package = name.partition(".")[0]
        ours = exists(name) if package == "keras" else package in OTHERS
        return ModuleSpec(name, Finder, is_package=True) if ours else None

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        return Module(spec.name)

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        pass


def install() -> None:
    """Make `import keras` give the stand-in, in this process."""
    public_names()
    sys.meta_path.insert(0, Finder)
