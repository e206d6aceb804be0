"""How a function becomes a kernel: compiled by Numba, cached on disk, run by a team of threads.

A kernel never holds Python's lock, so other Python threads go on meanwhile. Work is shared out by hand: every thread of
the team runs the same kernel, is told which part is its own, and takes its `share` of the samples. So every number is
added up in an order that depends on the number of threads alone, never on their timing.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from threading import Lock
from typing import Any

import numpy as np
from numba import get_num_threads, njit
from numba._dispatcher import compute_fingerprint
from numba.core import event

from ...errors import explain
from .. import thread_limit
from ..contract import Array
from .calls import INSIDE, call_all, everyone, machine_code
from .kernel_cache import cached

SPINS = "20000"  # some 50 microseconds: longer than from one kernel to the next, far shorter than a turn on a busy core
AWAKE = 50e-6  # the same in seconds; to wake a thread that has slept longer takes longer than many a network


def _load_thread_pool() -> None:
    """Load Numba's thread pool, telling its threads to sleep soon when there is nothing to do.

    GNU's OpenMP lets them spin for milliseconds, which on shared cores starves the very thread that they wait for: ten
    times slower steps. It reads the setting while it is loaded, so the environment is put back at once.
    """
    if "GOMP_SPINCOUNT" in os.environ or "OMP_WAIT_POLICY" in os.environ:
        return
    os.environ["GOMP_SPINCOUNT"] = SPINS
    try:
        import_module("numba.np.ufunc.omppool")
    except ImportError:  # no OpenMP here: Numba has another pool
        pass
    finally:
        del os.environ["GOMP_SPINCOUNT"]


def _keep_freed_memory() -> None:
    """Let the C library keep what a step frees for the next one, instead of giving it back to the system.

    Fresh pages cost a fault each, and a step would meet hundreds of them. Other C libraries than GNU's have no such
    setting; one that was made in the environment stays.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None and not any(name.startswith("MALLOC_") for name in os.environ):
        for parameter, size in ((M_MMAP_THRESHOLD, 32 * 2**20), (M_TRIM_THRESHOLD, 256 * 2**20)):
            mallopt(parameter, size)


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # in GNU's malloc.h

_load_thread_pool()
_keep_freed_memory()
team = Lock()  # one parallel kernel at a time: Numba's simplest thread pool aborts the process on a second one


_asked = os.environ.get("OMP_NUM_THREADS", "")
_from_environment = max(1, int(_asked)) if _asked.isdigit() else sys.maxsize


def team_size() -> int:
    """How many threads share a kernel's work: as many as use_backend was told, else OMP_NUM_THREADS, else Numba's.

    The environment is read once, as OpenMP does.
    """
    return min(get_num_threads(), thread_limit() or _from_environment)


def serial(function: Callable[..., Any]) -> Any:
    """Decorator: a function that other compiled ones call. Python cannot: the door for it takes a while to compile."""
    kernel = cached(njit(**INSIDE)(function))

    def refuse(*args: Any, **options: Any) -> None:
        name = function.__name__
        raise TypeError(explain(name, "a call from a kernel", "one from Python", f"Call {name}.py_func instead."))

    kernel._compile_for_args, kernel._insert = refuse, lambda *compiled: None  # else Python would jump to address 0
    return kernel


def parallel(function: Callable[..., None]) -> Callable[..., None]:
    """Decorator: a kernel that the whole team runs.

    Its first two arguments, which callers leave out, say how many parts the work has and which one to do. With
    alone=True the caller's thread does all of it.
    """
    kernel = serial(function)
    addresses: dict[bytes, int] = {}  # of the machine code, by the arguments' types

    @wraps(function)
    def launch(*args: Any, alone: bool = False) -> None:
        kinds = compute_fingerprint(args)
        if kinds not in addresses:
            addresses[kinds] = machine_code(kernel, args)
        threads = 1 if alone else team_size()
        if threads == 1:
            call_all(0, 1, addresses[kinds], args)
        else:
            with team:
                call_all(everyone(), threads, addresses[kinds], args)

    return launch


@serial
def share(items, parts, part):
    """The range of items that falls to one of several parts: contiguous, sizes equal but for one item."""
    return items * part // parts, items * (part + 1) // parts


LINE_BYTES = 64
"""A line of the cache, and the longest vector."""


@serial
def empty(size, like):
    """A flat array of this size and of the dtype of `like`, not filled, that begins with a line of the cache.

    Vectors as long as a line would lie across two of them otherwise, and each of their loads be two.
    """
    memory = np.empty(size + LINE_BYTES // like.itemsize, like.dtype)
    return memory[-memory.ctypes.data % LINE_BYTES // like.itemsize :][:size]


def compilable(*arrays: Array | None) -> bool:
    """Whether the kernels take these arrays: all float32 or all float64. The textbook takes everything else."""
    dtypes = {array.dtype for array in arrays if array is not None}
    return len(dtypes) == 1 and dtypes <= _DTYPES


_DTYPES = {np.dtype(np.float32), np.dtype(np.float64)}


def plain(array: Array) -> Array:
    """The array as kernels are compiled for: contiguous, aligned and writeable; a copy where it is not."""
    return array if array.flags.carray else np.require(array, requirements=["C", "A", "W"])


SHORT = 2**20
"""Multiplications that one thread has done before a second one has woken up."""


def small(array: Array) -> bool:
    """Whether a pass over the array is done before a second thread has woken up."""
    return array.size < 16 * 1024


class _Notice(event.Listener):
    """Says once, on stderr, that kernels are being compiled; kernels that come from the cache raise no such event."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: Any) -> None:
        if not self.said and event.data["dispatcher"].py_func.__module__.startswith(__package__):
            self.said = True
            print("minicnn: compiling its kernels for this machine, once (some 15 seconds) …", file=sys.stderr)

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _Notice())
