"""Which backend does the maths: "numpy" (the textbook), "numba" (compiled, for the CPU) or "cupy" (for the GPU).

The choice is process-wide and looked up at every call, so it can change between two batches:

    minicnn.use_backend("numpy")            # from here on
    with minicnn.use_backend("numpy"):      # for this block

Every backend has the operations listed in `contract.py`; `textbook/` is where to read them.
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..errors import BackendError, did_you_mean, explain
from .contract import Array, Backend

MODULES = {"numpy": "textbook", "numba": "cpu", "cupy": "gpu"}
DEVICES = {"cpu": ("numba", "numpy"), "gpu": ("cupy",)}  # each device's backends, the preferred one first

_threads: int | None = None  # None: as many as the environment says
_chosen: str | None = None  # None until somebody chooses or the first operation runs


def active() -> Backend:
    """The backend in force, as the namespace of its operations."""
    return _load(backend_name())


def backend_name() -> str:
    """The name of the backend in force; the first call settles on "numba", or on "numpy" where Numba is absent."""
    global _chosen
    if _chosen is None:
        _chosen = _default_backend()
    return _chosen


def device_name() -> str:
    """ "cpu" or "gpu": where the backend in force keeps its arrays."""
    return next(device for device, backends in DEVICES.items() if backend_name() in backends)


def thread_limit() -> int | None:
    """How many threads use_backend was told to use; None if it was not told."""
    return _threads


def use_backend(name: str, threads: int | None = None) -> Switch:
    """Choose the backend: "numpy", "numba" or "cupy"; also a context manager that restores the previous choice.

    `threads` is how many the numba backend may use; without it, NUMBA_NUM_THREADS or OMP_NUM_THREADS say, else all
    processors work. Raises ValueError for an unknown name or a wrong number of threads, BackendError if this machine
    cannot offer the backend.
    """
    global _chosen, _threads
    if name not in MODULES:
        raise ValueError(explain("use_backend", "the name of a backend", repr(name), did_you_mean(name, MODULES)))
    if threads is not None and (name != "numba" or not isinstance(threads, int) or threads < 1):
        remedy = "NumPy's own threads are set by OMP_NUM_THREADS, before Python starts."
        raise ValueError(explain("use_backend threads", 'a number of at least 1, for "numba"', repr(threads), remedy))
    _check_available(name)
    switch = Switch(_chosen, _threads)
    _chosen, _threads = name, threads
    return switch


def use_device(device: str) -> Switch:
    """Choose the device, "cpu" or "gpu", and with it the best backend there; also a context manager.

    Raises ValueError for an unknown name, BackendError if this machine has no such device.
    """
    if device not in DEVICES:
        raise ValueError(explain("use_device", "the name of a device", repr(device), did_you_mean(device, DEVICES)))
    return use_backend(_default_backend() if device == "cpu" else DEVICES[device][0])


def to_device(array: Any, dtype: Any = None) -> Array:
    """The array in the memory of the backend in force, converted to `dtype`; the same object if it fits already."""
    return active().to_device(array, dtype)


def to_host(array: Array) -> Any:
    """The array as NumPy's, wherever it was."""
    return active().to_host(array)


class Switch:
    """What use_backend returns: the choice already holds; leaving a `with` block takes it back."""

    def __init__(self, backend: str | None, threads: int | None) -> None:
        self._previous = backend, threads

    def __enter__(self) -> Switch:
        return self

    def __exit__(self, *error: object) -> None:
        global _chosen, _threads
        _chosen, _threads = self._previous


def _default_backend() -> str:
    if _installed("numba"):
        return "numba"
    warnings.warn(
        "Numba is not installed, so minicnn computes with plain NumPy, many times slower: pip install numba",
        stacklevel=2,
    )
    return "numpy"


def _check_available(name: str) -> None:
    """Raise BackendError, saying what is missing and how to get it, unless the backend can run here."""
    if name == "numba" and not _installed("numba"):
        raise BackendError("The numba backend needs Numba: pip install numba")
    if name == "cupy":
        raise BackendError(
            "The GPU backend (CuPy) is not part of this version of minicnn. Use the CPU: --device cpu, "
            'or minicnn.use_device("cpu").'
        )


def _installed(*packages: str) -> bool:
    return all(find_spec(package) is not None for package in packages)


@cache
def _load(name: str) -> Backend:
    return import_module(f".{MODULES[name]}", __package__)
