"""The rivals, one file each: VARIANTS by name, and a class Library(Rival) that imports its library in __init__."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from ..rival import Rival, Variant

FILES = ("minicnn", "keras", "torch", "dezero")  # in the order of the tables


def variants() -> dict[str, Variant]:
    """All variants by name; no library is imported."""
    return {name: variant for file in FILES for name, variant in _open(file).VARIANTS.items()}


def make(name: str, threads: int) -> Rival:
    """The rival itself, with its library imported."""
    home = next(_open(file) for file in FILES if name in _open(file).VARIANTS)
    return home.Library(name, threads)


def _open(file: str) -> ModuleType:
    return import_module(f".{file}", __package__)
