"""How a function becomes a kernel: compiled by Numba, cached on disk, run by the threads of a pool.

Kernels release Python's global interpreter lock, so other Python threads continue meanwhile. Work is divided
explicitly: every thread runs the same kernel, is told how many threads there are and which one it is, and takes its
`share` of the samples. The order of all additions therefore depends on the number of threads only, never on timing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any

import numpy as np

from ....errors import explain
from . import cache as kernel_cache
from .numba_internals import (
    address_of,
    call_by_address,
    compile_for,
    forbid_python_calls,
    keep_in,
    njit,
    prange,
    register_jitable,
    type_fingerprint,
    typeof,
    types,
)
from .threads import pool_lock, thread_count

# As in NumPy, 1 / 0 is infinite. Nobody calls a kernel from C, so the wrapper for that is not compiled.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
KERNEL_OPTIONS = OPTIONS | {"no_cpython_wrapper": True}  # nor does Python call one other than by its address


def _cached(function: Any) -> Any:
    return keep_in(kernel_cache, function)


def serial(function: Callable[..., Any], **options: Any) -> Any:
    """Decorator: a function for kernels to call. Python cannot: compiling its wrapper for that would take a while."""
    kernel = _cached(njit(**KERNEL_OPTIONS, **options)(function))

    def refuse(*args: Any, **options: Any) -> None:
        name = function.__name__
        raise TypeError(explain(name, "a call from a kernel", "one from Python", f"Call {name}.py_func instead."))

    return forbid_python_calls(kernel, refuse)


def inlined(function: Callable[..., Any]) -> Any:
    """Decorator: the same, inlined wherever it is called: for few instructions with many arguments, in inner loops."""
    return serial(function, forceinline=True)


def shared(function: Callable[..., Any]) -> Any:
    """Decorator: a function for Python to call as it is, and for kernels, in which it is inlined."""
    return register_jitable(error_model="numpy", forceinline=True)(function)


def parallel(function: Callable[..., None]) -> Callable[..., None]:
    """Decorator: a kernel that all threads of the pool run.

    Its first two parameters, which callers leave out, are the number of threads and which of them this is. With
    alone=True the calling thread does all of it.
    """
    kernel = serial(function)
    addresses: dict[Any, int] = {}  # of the machine code, by the arguments' types

    @wraps(function)
    def launch(*args: Any, alone: bool = False) -> None:
        threads = 1 if alone else thread_count()
        run = _run_alone if threads == 1 else _run_on_threads
        types_of_arguments = run, type_fingerprint(args)
        if types_of_arguments not in addresses:
            compile_for(run, (types.intp, types.intp, typeof(args)))
            addresses[types_of_arguments] = machine_code(kernel, (1, 0, *args))
        with nullcontext() if threads == 1 else pool_lock:
            failures = run(addresses[types_of_arguments], threads, args)
        if failures:
            raise MemoryError("There is no memory for the arrays of a kernel. Smaller batches need less.")

    return launch


def machine_code(kernel: Any, args: tuple[Any, ...]) -> int:
    """The address of the kernel for arguments of these types, compiled or loaded."""
    return address_of(kernel, types.void(*map(typeof, args)))


@serial
def share(items, threads, thread):
    """The range of items that belongs to one of the threads: contiguous, sizes equal but for one item."""
    return items * thread // threads, items * (thread + 1) // threads


@serial
def even_part(items, most):
    """The size of a part if the items are divided into as few parts of at most `most` items as possible.

    The parts are of one size, but for the last: a part that is much smaller would use the microkernel's tiles badly.
    """
    parts = max(1, -(-items // most))
    return max(1, -(-items // parts))


def _run_alone(kernel, threads, args):
    """Run the kernel at this address. Returns whether it failed."""
    return call_by_address(kernel, (threads, 0) + args)


def _run_on_threads(kernel, threads, args):
    """Run the kernel at this address on all threads. Returns on how many it failed.

    In a `prange`, arrays have no owner. Slicing updates the owner's reference count, which the threads would share; if
    several update one counter, they slow each other down.
    """
    failures = 0
    for thread in prange(threads):
        failures += call_by_address(kernel, (threads, np.intp(thread)) + args)
    return failures


_run_alone = _cached(njit(**OPTIONS)(_run_alone))
_run_on_threads = _cached(njit(parallel=True, **OPTIONS)(_run_on_threads))
