"""The default precision: float32 or float64."""

from __future__ import annotations

from . import arguments

PRECISIONS = ("float32", "float64")

_floatx = "float32"


def floatx() -> str:
    """The dtype of layers made without a dtype argument: "float32" unless set_floatx has changed it."""
    return _floatx


def set_floatx(dtype: str) -> None:
    """Set the dtype of layers made from now on: "float32" or "float64". Raises ValueError for any other."""
    global _floatx
    _floatx = check_precision("set_floatx", dtype)


def check_precision(where: str, dtype: object) -> str:
    """The dtype's name. Raises ValueError unless minicnn can compute in it."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", None) or str(dtype)
    return arguments.choice(where, name, PRECISIONS, "dtype float32 or float64")
