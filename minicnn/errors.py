"""The errors that minicnn raises beside ValueError and TypeError, and the one sentence that all are built on."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class BackendError(RuntimeError):
    """A backend or a device was asked for that this machine cannot offer; the message says what is missing."""


class NonFiniteError(ArithmeticError):
    """Training met a NaN or an infinity; the message names the first layer and quantity that went bad."""


class ModelFileError(ValueError):
    """A saved model is damaged, or is not one of minicnn's files."""


def explain(where: str, expected: Any, found: Any, remedy: str) -> str:
    """Everything that an error owes its reader: where it happened, what was expected, what was found, what to do."""
    return f"{where}: expected {expected}, found {found}. {remedy}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy for a misspelt name: the nearest known one if there is one, and the whole list."""
    known = sorted(known)
    nearest = get_close_matches(str(word), known, n=1)
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    return f"{hint}Known: {', '.join(known)}."
