"""The choice of a backend: "numpy" (the textbook), "numba" (compiled, for the CPU) or "cupy" (for the GPU).

The choice is process-wide and looked up at every call, so it can change between two batches:

    minicnn.use_backend("numpy")            # from here on
    with minicnn.use_backend("numpy"):      # for this block
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module

from .. import arguments
from ..errors import BackendError, explain
from .availability import check_gpu, check_numba, has_tf32, warn_without_tf32
from .contract import Backend

MODULES = {"numpy": "textbook", "numba": "cpu", "cupy": "gpu"}
DEVICES = {"cpu": ("numba", "numpy"), "gpu": ("cupy",)}  # each device's backends, the preferred one first

_threads: int | None = None  # None: as many as the environment says
_tf32 = False  # whether float32 products may be rounded to TF32, on the GPU's tensor cores
_chosen: str | None = None  # None until somebody chooses or the first operation runs


def active() -> Backend:
    """The backend in force, as the namespace of its operations."""
    return _load(backend_name())


def backend_name() -> str:
    """The name of the backend in force; the first call settles on "numba", or on "numpy" without a usable Numba."""
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


def tf32_allowed() -> bool:
    """Whether use_backend was told that the GPU's tensor cores may round the factors of float32 products to TF32."""
    return _tf32


def use_backend(name: str, threads: int | None = None, tf32: bool = False) -> Switch:
    """Choose the backend: "numpy", "numba" or "cupy"; also a context manager that restores the previous choice.

    `threads` is how many the numba backend may use; without it, NUMBA_NUM_THREADS or OMP_NUM_THREADS say, else all
    processors work. `tf32` lets the cupy backend compute float32 products on tensor cores, which keep 10 bits of each
    factor instead of 23; where the GPU has none for that, a warning says so, once. Raises ValueError for an unknown
    name or an option that is not the backend's, BackendError if this machine cannot offer the backend.
    """
    global _chosen, _threads, _tf32
    arguments.choice("use_backend", name, MODULES, "the name of a backend")
    if threads is not None and arguments.whole("use_backend threads", threads) and name != "numba":
        remedy = "NumPy's own threads are set by OMP_NUM_THREADS, before Python starts."
        raise ValueError(explain("use_backend threads", 'the backend "numba"', repr(name), remedy))
    if arguments.flag("use_backend tf32", tf32) and name != "cupy":
        raise ValueError(explain("use_backend tf32", 'the backend "cupy"', repr(name), "Only GPUs have tensor cores."))
    _check_available(name)
    if tf32 and not has_tf32():
        warn_without_tf32()
        tf32 = False
    switch = Switch(_chosen, _threads, _tf32)
    _chosen, _threads, _tf32 = name, threads, tf32
    return switch


def use_device(device: str, tf32: bool = False) -> Switch:
    """Choose the device, "cpu" or "gpu", and with it the best backend there; also a context manager.

    `tf32` is use_backend's. Raises ValueError for an unknown name, BackendError if this machine has no such device.
    """
    arguments.choice("use_device", device, DEVICES, "the name of a device")
    return use_backend(_default_backend() if device == "cpu" else DEVICES[device][0], tf32=tf32)


class Switch:
    """What use_backend returns: the choice already holds; leaving a `with` block takes it back."""

    def __init__(self, backend: str | None, threads: int | None, tf32: bool) -> None:
        self._previous = backend, threads, tf32

    def __enter__(self) -> Switch:
        return self

    def __exit__(self, *error: object) -> None:
        global _chosen, _threads, _tf32
        _chosen, _threads, _tf32 = self._previous


def _default_backend() -> str:
    try:
        check_numba()
    except BackendError as error:
        warnings.warn(f"minicnn computes with plain NumPy, many times slower. {error}", stacklevel=2)
        return "numpy"
    return "numba"


def _check_available(name: str) -> None:
    """Raise BackendError, saying what is missing and how to get it, unless the backend can run here."""
    if name == "numba":
        check_numba()
    if name == "cupy":
        check_gpu()


@cache
def _load(name: str) -> Backend:
    return import_module(f".{MODULES[name]}", __package__)
