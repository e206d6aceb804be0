"""The default precision: float32, or float64 where asked."""

from __future__ import annotations

from . import arguments

PRECISIONS = ("float32", "float64")

_floatx = "float32"


def floatx() -> str:
    """The dtype of layers that were not given one of their own: "float32" unless set_floatx said otherwise."""
    return _floatx


def set_floatx(dtype: str) -> None:
    """Set the dtype of layers made from here on: "float32" or "float64". Raises ValueError for any other."""
    global _floatx
    _floatx = check_precision("set_floatx", dtype)


def check_precision(where: str, dtype: object) -> str:
    """The dtype's name, if it is one that minicnn computes in; otherwise a ValueError."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", None) or str(dtype)
    return arguments.choice(where, name, PRECISIONS, "dtype float32 or float64")
