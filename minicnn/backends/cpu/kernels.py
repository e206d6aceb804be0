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
from numba import get_num_threads, njit, prange, typeof, types
from numba._dispatcher import compute_fingerprint
from numba.core import cgutils, event
from numba.extending import intrinsic

from .. import thread_limit
from ..contract import Array
from .kernel_cache import cached

# As in NumPy, 1 / 0 is infinite; nobody calls a kernel from C, so no door for that is compiled.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}

SPINS = "20000"  # some 50 microseconds: longer than from one kernel to the next, far shorter than a turn on a busy core


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
    """Decorator: a function that kernels call, or a kernel too small to share out."""
    return cached(njit(**OPTIONS)(function))


def parallel(function: Callable[..., None]) -> Callable[..., None]:
    """Decorator: a kernel that the whole team runs.

    Its first two arguments, which callers leave out, say how many parts the work has and which one to do. With
    alone=True the caller's thread does all of it.
    """
    kernel = serial(function)
    addresses: dict[bytes, int] = {}  # of the machine code, by the arguments' types

    @wraps(function)
    def launch(*args: Any, alone: bool = False) -> None:
        threads = 1 if alone else team_size()
        if threads == 1:
            kernel(1, 0, *args)
            return
        kinds = compute_fingerprint(args)
        if kinds not in addresses:
            addresses[kinds] = machine_code(kernel, args)
        with team:
            _run(threads, addresses[kinds], args)

    return launch


def machine_code(kernel: Any, args: tuple[Any, ...]) -> int:
    """Where the kernel for parts, a part and arguments of these types lies in memory, compiled or loaded."""
    signature = types.void(types.intp, types.intp, *map(typeof, args))
    kernel.compile(signature)
    compiled = kernel.overloads[signature.args]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


@intrinsic
def call(typingctx, address, parts, part, args):
    """Call the kernel at an address.

    Calling it by name would compile its code into every place that does, again and again: that was a third of the
    time that the first run took.
    """
    argument_types = (parts, part, *args.types)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        convention = context.call_conv
        function_type = convention.get_function_type(types.none, argument_types)
        function = builder.inttoptr(values[0], function_type.as_pointer())
        arguments = [values[1], values[2], *cgutils.unpack_tuple(builder, values[3])]
        convention.call_function(builder, function, types.none, argument_types, arguments)
        return context.get_dummy_value()

    return types.void(address, parts, part, args), codegen


def _everyone(threads, address, args):
    for part in prange(threads):
        call(address, threads, np.intp(part), args)


_run = cached(njit(parallel=True, **OPTIONS)(_everyone))


@serial
def share(items, parts, part):
    """The range of items that falls to one of several parts: contiguous, sizes equal but for one item."""
    return items * part // parts, items * (part + 1) // parts


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
            print("minicnn: compiling its kernels for this machine, once (up to a minute) …", file=sys.stderr)

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _Notice())
