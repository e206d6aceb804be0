"""How a function becomes a kernel: compiled by Numba, cached on disk, run by the threads of a pool.

Kernels release Python's global interpreter lock, so other Python threads continue meanwhile. Work is divided
explicitly: every thread runs the same kernel, is told how many threads there are and which one it is, and takes its
`share` of the samples. The order of all additions therefore depends on the number of threads only, never on timing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import numpy as np

from ....errors import explain
from . import cache as kernel_cache
from .numba_internals import (
    address_of,
    call_by_address,
    call_on_all_threads,
    compile_for,
    forbid_python_calls,
    keep_in,
    njit,
    prange,
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


def parallel(function: Callable[..., None]) -> Callable[..., None]:
    """Decorator: a kernel that all threads of the pool run.

    Its first two parameters, which callers leave out, are the number of threads and which of them this is. With
    alone=True the calling thread does all of it.
    """
    kernel = serial(function)
    addresses: dict[bytes, int] = {}  # of the machine code, by the arguments' types

    @wraps(function)
    def launch(*args: Any, alone: bool = False) -> None:
        fingerprint = type_fingerprint(args)
        if fingerprint not in addresses:
            compile_for(_launch, (types.intp, types.intp, types.intp, typeof(args)))
            addresses[fingerprint] = machine_code(kernel, (1, 0, *args))
        threads = 1 if alone else thread_count()
        if threads == 1:
            _launch(0, 1, addresses[fingerprint], args)
        else:
            with pool_lock:
                _launch(_fan_out_address(), threads, addresses[fingerprint], args)

    return launch


def machine_code(kernel: Any, args: tuple[Any, ...]) -> int:
    """The address of the kernel for arguments of these types, compiled or loaded."""
    return address_of(kernel, types.void(*map(typeof, args)))


@serial
def share(items, threads, thread):
    """The range of items that belongs to one of the threads: contiguous, sizes equal but for one item."""
    return items * thread // threads, items * (thread + 1) // threads


def _fan_out(threads, unpack, arguments):
    """Call the function at the address `unpack` on all threads."""
    for thread in prange(threads):
        call_by_address(unpack, (threads, np.intp(thread), arguments))


_fan_out = _cached(njit(parallel=True, **KERNEL_OPTIONS)(_fan_out))


@cache
def _fan_out_address() -> int:
    return address_of(_fan_out, types.void(types.intp, types.intp, types.intp))


def _launch(fan_out, threads, address, args):
    """Run the kernel at this address, on the calling thread or by `fan_out` on all."""
    if threads == 1:
        failed = call_by_address(address, (np.intp(1), np.intp(0)) + args)
    else:
        failed = call_on_all_threads(fan_out, threads, address, args)
    if failed:
        raise MemoryError("There is no memory for the arrays of a kernel. Smaller batches need less.")


_launch = _cached(njit(**OPTIONS)(_launch))
