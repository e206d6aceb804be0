"""The checks of options, the arguments of operations that are not arrays. A name has one meaning in all operations.

A check returns the option as a plain Python value (NumPy's integers become int), or raises TypeError or ValueError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import did_you_mean, explain, shown
from .contract import ACTIVATIONS, CURVES, FILL_MODES, MERGES, Pair, Range

MOST_CLASSES = 2**15
"""Maximum number of classes: the textbook's one_hot makes a square matrix of this size, 4 GiB in float32."""

LARGEST = float(np.finfo(np.float64).max)
"""Largest finite number."""


def whole(where: str, value: Any) -> int:
    """An integer of any sign."""
    if _is(value, (int,), "iu"):  # excludes bool
        return int(value)
    raise TypeError(explain(where, "an integer", shown(value), "Convert it with int()."))


def count(where: str, value: Any) -> int:
    """An integer of at least 1."""
    value = whole(where, value)
    if value >= 1:
        return value
    raise ValueError(explain(where, "an integer of at least 1", shown(value), "Count from 1."))


def classes(where: str, value: Any) -> int:
    """An integer from 1 to MOST_CLASSES."""
    if count(where, value) <= MOST_CLASSES:
        return int(value)
    raise ValueError(
        explain(where, f"an integer of at most {MOST_CLASSES}", shown(value), "Longer rows do not fit into memory.")
    )


def pair(where: str, value: Any) -> Pair:
    """Two integers from 1 to 2³¹ − 1, along height and width."""
    ints = type(value) is tuple and len(value) == 2 and type(value[0]) is type(value[1]) is int
    if ints and min(value) >= 1 and max(value) < 2**31:
        return value  # the usual case, in every training step
    if type(value) not in (tuple, list) or len(value) != 2:
        raise TypeError(explain(where, "a pair of integers, (height, width)", shown(value), "Write (2, 2) for 2."))
    if max(value := (count(where, value[0]), count(where, value[1]))) < 2**31:
        return value
    raise ValueError(explain(where, "integers below 2³¹", shown(value), "Use smaller windows or strides."))


def border(where: str, value: Any) -> Pair:
    """Two integers of any sign, for both ends of an axis."""
    if type(value) not in (tuple, list) or len(value) != 2:
        raise TypeError(explain(where, "a pair of integers, (before, after)", shown(value), "Write (1, 1) for 1."))
    before, after = whole(where, value[0]), whole(where, value[1])
    if abs(before) < 2**31 and abs(after) < 2**31:
        return before, after
    raise ValueError(explain(where, "integers below 2³¹", shown(value), "Use smaller borders."))


def axes(where: str, value: Any) -> tuple[int, ...]:
    """Numbers of axes, from 0 on."""
    if type(value) in (tuple, list) and all(whole(where, axis) >= 0 for axis in value):
        return tuple(int(axis) for axis in value)
    raise TypeError(explain(where, "a tuple of axes, counted from 0", shown(value), "Example: (1, 2)."))


def number(where: str, value: Any) -> float:
    """A finite real number."""
    if not _is(value, (int, float), "iuf"):
        raise TypeError(explain(where, "a number", shown(value), "Convert it with float()."))
    if abs(value) <= LARGEST:
        return float(value)
    raise ValueError(explain(where, "a finite number", shown(value), "Check how it was computed."))


def non_negative(where: str, value: Any) -> float:
    """A finite number of at least 0."""
    if number(where, value) >= 0:
        return float(value)
    raise ValueError(explain(where, "a number of at least 0", shown(value), "Remove the sign."))


def fraction(where: str, value: Any) -> float:
    """A number of at least 0 and less than 1."""
    if 0 <= number(where, value) < 1:
        return float(value)
    raise ValueError(explain(where, "a number in [0, 1)", shown(value), "0.9 means 90 %."))


def limits(where: str, value: Any) -> Range:
    """Two finite numbers, the smaller one first."""
    if type(value) not in (tuple, list) or len(value) != 2:
        raise TypeError(explain(where, "a lower and an upper limit", shown(value), "Write (-0.1, 0.1)."))
    low, high = number(where, value[0]), number(where, value[1])
    if low <= high:
        return low, high
    raise ValueError(explain(where, "the lower limit first", shown(value), "Exchange them."))


def shares(where: str, value: Any) -> Range:
    """Two numbers from 0 to 1, the smaller one first."""
    return _limits_from(0.0, where, value)


def signed_shares(where: str, value: Any) -> Range:
    """Two numbers from −1 to 1, the smaller one first."""
    return _limits_from(-1.0, where, value)


def bound(where: str, value: Any) -> float | None:
    """A number; None or ∞ if there is no bound."""
    return None if value is None or (isinstance(value, float) and value == np.inf) else number(where, value)


def flag(where: str, value: Any) -> bool:
    """True or False."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise TypeError(explain(where, "True or False", shown(value), "Convert it with bool()."))


def padding(where: str, value: Any) -> str:
    """ "valid" or "same"."""
    return _one_of(where, value, ("valid", "same"))


def activation(where: str, value: Any) -> str:
    """The name of an activation."""
    return _one_of(where, value, ACTIVATIONS)


def function(where: str, value: Any) -> str:
    """One of CURVES."""
    return _one_of(where, value, CURVES)


def fill_mode(where: str, value: Any) -> str:
    """One of FILL_MODES."""
    return _one_of(where, value, FILL_MODES)


def rule(where: str, value: Any) -> str:
    """One of MERGES."""
    return _one_of(where, value, MERGES)


def interpolation(where: str, value: Any) -> str:
    """ "nearest" or "bilinear"."""
    return _one_of(where, value, ("nearest", "bilinear"))


def dtype(where: str, value: Any) -> Any:
    """A NumPy dtype of numbers, or None to keep the array's dtype."""
    try:
        found = None if value is None else np.dtype(value)
    except (TypeError, ValueError):
        found = np.dtype(object)
    if found is None or found.kind in "biufc":
        return found
    raise TypeError(explain(where, "a dtype of numbers", shown(value), 'The usual one is "float32".'))


def _limits_from(least: float, where: str, value: Any) -> Range:
    low, high = limits(where, value)
    if least <= low and high <= 1:
        return low, high
    raise ValueError(explain(where, f"numbers from {least:g} to 1", shown(value), "0.1 means 10 %."))


def _is(value: Any, classes: tuple[type, ...], kinds: str) -> bool:
    """Whether it is a number of one of these Python classes or NumPy kinds."""
    return type(value) in classes or (isinstance(value, np.generic) and value.dtype.kind in kinds)


def _one_of(where: str, value: Any, known: tuple[str, ...]) -> str:
    if isinstance(value, str) and value in known:
        return value
    raise ValueError(explain(where, f"one of {known}", shown(value), did_you_mean(shown(value), known)))


OPTIONS: dict[str, Callable[[str, Any], Any]] = {
    "activation": activation,
    "alpha": number,
    "beta_1": fraction,
    "beta_2": fraction,
    "call": whole,
    "centered": flag,
    "classes": classes,
    "columns": border,
    "delta": non_negative,
    "dilation_rate": pair,
    "dtype": dtype,
    "epsilon": non_negative,
    "factor": shares,
    "fill_mode": fill_mode,
    "fill_value": bound,
    "function": function,
    "groups": count,
    "height_factor": signed_shares,
    "horizontal": flag,
    "interpolation": interpolation,
    "l1": non_negative,
    "l2": non_negative,
    "label_smoothing": fraction,
    "learning_rate": number,
    "limit": non_negative,
    "max_value": bound,
    "momentum": number,
    "need_dx": flag,
    "negative_slope": number,
    "nesterov": flag,
    "padding": padding,
    "pool_size": pair,
    "rate": fraction,
    "rho": fraction,
    "rows": border,
    "rule": rule,
    "scale": shares,
    "seed": whole,
    "shared": axes,
    "size": pair,
    "stddev": non_negative,
    "step": count,
    "strides": pair,
    "threshold": number,
    "training": flag,
    "value_range": limits,
    "vertical": flag,
    "weight": number,
    "weight_decay": number,
    "width_factor": signed_shares,
}
"""The check of every option of the contract, by its name."""
