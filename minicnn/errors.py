"""The errors that minicnn raises besides ValueError and TypeError, and the form of their messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class BackendError(RuntimeError):
    """The requested backend or device is not available on this machine; the message says what is missing."""


class NonFiniteError(ArithmeticError):
    """Training met a NaN or an infinity; the message names the first layer and quantity that went bad."""


class ModelFileError(ValueError):
    """A saved model is damaged, or is not one of minicnn's files."""


class TrainingWarning(UserWarning):
    """Training noticed a mistake that raises no error; the message names it and what to do."""


def explain(where: str, expected: Any, found: Any, remedy: str) -> str:
    """An error message: where it happened, what was expected, what was found, and what to do about it."""
    return f"{where}: expected {expected}, found {found}. {remedy}"


def shown(value: Any) -> str:
    """The value's repr, cut to 78 characters if it is longer than 80; its class if it has none."""
    try:
        written = repr(value)
    except Exception:  # an int of thousands of digits, or whatever a foreign class raises
        written = f"an unprintable {type(value).__name__}"
    return written if len(written) <= 80 else f"{written[:77]}…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The remedy for a misspelt name: the most similar known name if there is one, and the list of known names."""
    known = sorted(known)
    short_for = [name for name in known if "_" in name and "".join(part[:1] for part in name.split("_")) == str(word)]
    nearest = get_close_matches(str(word), known, n=1) or short_for[:1]  # short for: lr for learning_rate
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    return f"{hint}Known: {', '.join(known)}."
