"""Transfer between the memories of host and device: only `to_device` and `to_host` do it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import explain
from .choice import active
from .contract import Array, Backend, on_gpu


def to_device(array: Any, dtype: Any = None, copy: bool = False) -> Array:
    """The array in the active backend's memory, converted to `dtype`; the same object if nothing has to change.

    With copy=True the result is always a new array, independent of the given one.
    """
    return active().to_device(to_host(array) if _elsewhere(array) else array, dtype, copy)


def to_host(array: Array) -> Any:
    """The array as a NumPy array, from any memory."""
    return array.get() if _elsewhere(array) else active().to_host(array)


def check_memory(where: object, what: str, array: Array, remedy: str = "", ops: Backend | None = None) -> None:
    """Raise TypeError unless this is an array in the memory of `ops` (default: the active backend)."""
    if not hasattr(array, "dtype") or not hasattr(array, "shape") or isinstance(array, np.ma.MaskedArray):
        masked = "minicnn.to_device makes it one. Of a masked array, take filled()."
        raise TypeError(explain(str(where), f"{what} as an array", f"a {type(array).__name__}", remedy or masked))
    if (ops or active()).owns(array):
        return
    here, there, function = ("GPU", "host", "to_host") if on_gpu(array) else ("host", "GPU", "to_device")
    kind = f"{type(array).__module__.split('.')[0]}.{type(array).__name__}"
    raise TypeError(
        explain(
            str(where),
            f"{what} on the {there}, where the active backend computes",
            f"one on the {here} (a {kind})",
            remedy or f"minicnn.{function} transfers it.",
        )
    )


def _elsewhere(array: Any) -> bool:
    """Whether the array is on a GPU while a CPU backend is active; then only its own get() can transfer it."""
    return on_gpu(array) and not active().owns(array)
