"""One array, or a list of several: what a model with several inputs gets, or one with several outputs returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def each(function: Callable[[Any], Any], value: Any) -> Any:
    """function(value); of a list of several, the list of the function's results."""
    return [function(one) for one in value] if type(value) is list else function(value)


def listed(value: Any) -> list[Any]:
    """A list of several as it is; one in a list alone."""
    return value if type(value) is list else [value]
