"""Checks on arguments: each returns the argument in its one proper form, or says what is wrong with it."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from ..backends.contract import ACTIVATIONS
from ..errors import did_you_mean, explain

PADDINGS = ("valid", "same")


def positive_int(where: str, value: Any) -> int:
    """A whole number of at least 1."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(explain(where, "a positive whole number", repr(value), "Give an int of at least 1."))
    return int(value)


def window(where: str, value: Any, rank: int) -> tuple[int, ...]:
    """`rank` positive whole numbers; a single one stands for all of them."""
    values = (value,) * rank if isinstance(value, Integral) else value
    if not isinstance(values, (tuple, list)) or len(values) != rank:
        raise ValueError(explain(where, f"a whole number or {rank} of them", repr(value), f"Example: {(3,) * rank}."))
    return tuple(positive_int(where, number) for number in values)


def padding(where: str, value: Any) -> str:
    """ "valid" or "same"."""
    if not isinstance(value, str) or value.lower() not in PADDINGS:
        raise ValueError(explain(where, '"valid" or "same"', repr(value), did_you_mean(value, PADDINGS)))
    return value.lower()


def activation(where: str, value: Any) -> str:
    """The name of an activation; None stands for "linear"."""
    if value is None:
        return "linear"
    if value not in ACTIVATIONS:
        raise ValueError(explain(where, "the name of an activation", repr(value), did_you_mean(value, ACTIVATIONS)))
    return value


def fraction(where: str, value: Any) -> float:
    """A number in [0, 1)."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1:
        raise ValueError(explain(where, "a number from 0 up to, but not including, 1", repr(value), "Example: 0.2."))
    return float(value)


def non_negative(where: str, value: Any) -> float:
    """A number of at least 0."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < float("inf"):
        raise ValueError(explain(where, "a finite number of at least 0", repr(value), "Example: 0.001."))
    return float(value)
