"""The choice of a backend: "numpy" (the textbook), "numba" (compiled, for the CPU) or "cupy" (for the GPU).

The choice is process-wide and looked up at every call, so it can change between two batches:

    minicnn.use_backend("numpy")            # from now on
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

_threads: int | None = None  # None: decided by the environment
_tf32 = False  # whether float32 products may be rounded to TF32, on the GPU's tensor cores
_chosen: str | None = None  # None until a call of use_backend or the first operation


def active() -> Backend:
    """The active backend: the module with its operations."""
    return _load(backend_name())


def backend_name() -> str:
    """The name of the active backend. The first call chooses "numba", or "numpy" without a usable Numba."""
    global _chosen
    if _chosen is None:
        _chosen = _default_backend()
    return _chosen


def device_name() -> str:
    """ "cpu" or "gpu": where the active backend keeps its arrays."""
    return next(device for device, backends in DEVICES.items() if backend_name() in backends)


def thread_limit() -> int | None:
    """The number of threads given to use_backend, or None."""
    return _threads


def tf32_allowed() -> bool:
    """Whether use_backend allowed the GPU's tensor cores to round the factors of float32 products to TF32."""
    return _tf32


def use_backend(name: str, threads: int | None = None, tf32: bool = False) -> Switch:
    """Choose the backend: "numpy", "numba" or "cupy"; also a context manager that restores the previous choice.

    `threads` is the number of threads of the numba backend; the default is NUMBA_NUM_THREADS, else OMP_NUM_THREADS,
    else the number of processors. `tf32` lets the cupy backend compute float32 products on tensor cores, which keep 10
    of the 23 bits of each factor's mantissa; a GPU without TF32 gives a warning, once. Raises ValueError for an unknown
    name or an option of another backend, BackendError if the backend cannot run on this machine.
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
    """Choose the device, "cpu" or "gpu", and with it its fastest backend; also a context manager.

    `tf32` is as in use_backend. Raises ValueError for an unknown name, BackendError if there is no such device.
    """
    arguments.choice("use_device", device, DEVICES, "the name of a device")
    return use_backend(_default_backend() if device == "cpu" else DEVICES[device][0], tf32=tf32)


class Switch:
    """The result of use_backend. The choice is already active; leaving a `with` block restores the previous one."""

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
    """Raise BackendError, saying what is missing and how to install it, unless the backend can run here."""
    if name == "numba":
        check_numba()
    if name == "cupy":
        check_gpu()


@cache
def _load(name: str) -> Backend:
    return import_module(f".{MODULES[name]}", __package__)
