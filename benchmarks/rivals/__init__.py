"""The rivals, one file each: VARIANTS, by name, and a class Library(Rival) that imports its library itself."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from ..rival import Rival, Variant


@cache
def _homes() -> dict[str, str]:
    """The file in which each variant lives."""
    files = [module.name for module in iter_modules(__path__)]
    return {name: file for file in files for name in import_module(f".{file}", __package__).VARIANTS}


def variants() -> dict[str, Variant]:
    """All variants by name, minicnn first; costs no import of any library."""
    found = {name: import_module(f".{file}", __package__).VARIANTS[name] for name, file in _homes().items()}
    return {"minicnn": found.pop("minicnn"), **found}


def make(name: str, threads: int) -> Rival:
    """The rival itself, with its library imported."""
    return import_module(f".{_homes()[name]}", __package__).Library(name, threads)
