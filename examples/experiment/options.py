"""The options of a run: from the command line, else from the settings of the resumed run, else the defaults.

An option that was not given is None.
"""

from __future__ import annotations

import stat
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from minicnn.arguments import LARGEST, LARGEST_INT
from minicnn.backends import DEVICES, MODULES

DEFAULTS = {"batch_size": 64, "learning_rate": 0.001, "seed": 0, "shards": None}
"""Those of the report's models; the number of epochs is in a model's row."""

MAY_CHANGE = ("epochs", "data_dir")
"""The options that may change when a run is resumed: it may train for longer, and its data may have moved."""


def complete(typed: Namespace, defaults: Mapping[str, Any]) -> Namespace:
    """The given options, and the defaults of the others."""
    return Namespace(**vars(typed) | {name: value for name, value in defaults.items() if getattr(typed, name) is None})


def remembered(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The options among a run's settings. Raises ValueError if one of them is not valid."""
    values = {}
    for name, check in CHECKS.items():
        if settings.get(name) is not None:
            try:
                values[name] = check(str(settings[name]))
            except ArgumentTypeError as error:
                raise ValueError(f"{name} in settings.json: {error}") from None
    return values


def contradictions(typed: Namespace, settings: Mapping[str, Any]) -> list[str]:
    """The names of the given options that contradict the settings of the run to resume."""
    fixed = {name: getattr(typed, name) for name in CHECKS if name not in MAY_CHANGE}
    return [name for name, value in fixed.items() if value not in (None, "auto", settings.get(name))]


def positive_int(text: str) -> int:
    return _number(int, text, lambda number: number >= 1, LARGEST_INT, "a whole number of at least 1")


def natural_number(text: str) -> int:
    return _number(int, text, lambda number: number >= 0, LARGEST_INT, "a whole number of at least 0")


def positive_number(text: str) -> float:
    return _number(float, text, lambda number: number > 0, LARGEST, "a number above 0")


def folder(text: str) -> Path:
    path = Path(text)
    try:
        if not stat.S_ISDIR(path.stat().st_mode):
            raise ArgumentTypeError(f"expected a folder, found a file: {text!r}")
    except FileNotFoundError:
        return path
    except OSError as error:  # a name that is too long, a file as a folder, circular links, no permission
        raise ArgumentTypeError(f"expected a folder, found {text!r}: {error.strerror}") from None
    return path


def _number(kind: type, text: str, fits: Callable[[Any], bool], most: float, expected: str) -> Any:
    with suppress(ValueError):
        if fits(number := kind(text)):
            if number <= most:
                return number
            expected += f", at most {most:g}"
    raise ArgumentTypeError(f"expected {expected}, found {text!r}")


def _one_of(names: Collection[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in names:
            raise ArgumentTypeError(f"expected one of {', '.join(names)}, found {text!r}")
        return text

    return check


CHECKS: dict[str, Callable[[str], Any]] = {
    "device": _one_of(DEVICES),
    "backend": _one_of(MODULES),
    "epochs": positive_int,
    "batch_size": positive_int,
    "learning_rate": positive_number,
    "seed": natural_number,
    "limit": positive_int,
    "data_dir": str,
}
"""The options that are stored in a run's settings, and the check of each."""
