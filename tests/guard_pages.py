"""Runs every operation of a CPU backend on arrays that end, or begin, exactly beside a page that faults.

    python tests/guard_pages.py numba float32 end 0     every fourth operation, from the first on

NumPy allocates all arrays in this way, also the results. A read or a write outside of one ends the process with a
segmentation fault, which `test_guard_pages.py` detects.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import warnings
from contextlib import contextmanager

import numpy as np

try:
    from numpy._core import _multiarray_umath
except ImportError:  # NumPy 1
    from numpy.core import _multiarray_umath

PAGE = mmap.PAGESIZE
PROT_NONE, PROT_BOTH, PRIVATE_ANONYMOUS, NO_RESERVE = 0, 3, 0x22, 0x4000  # as in Linux's mman.h
RESERVED = 2**38  # bytes of addresses
SET_HANDLER = 304  # the index of PyDataMem_SetHandler in NumPy's table of functions

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

pointer, size_t = ctypes.c_void_p, ctypes.c_size_t
Malloc = ctypes.CFUNCTYPE(pointer, pointer, size_t)
Calloc = ctypes.CFUNCTYPE(pointer, pointer, size_t, size_t)
Realloc = ctypes.CFUNCTYPE(pointer, pointer, pointer, size_t)
Free = ctypes.CFUNCTYPE(None, pointer, pointer, size_t)


class Handler(ctypes.Structure):
    """NumPy's PyDataMem_Handler."""

    _fields_ = (
        *(("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("context", pointer)),
        *(("malloc", Malloc), ("calloc", Calloc), ("realloc", Realloc), ("free", Free)),
    )


class Guarded:
    """Memory whose last byte lies before a page that faults, or whose first byte lies behind one.

    Memory is never freed: NumPy also frees arrays while an exception is being raised, when no Python code may run.
    """

    def __init__(self, at_the_end: bool) -> None:
        self.at_the_end = at_the_end
        self.next = libc.mmap(None, RESERVED, PROT_NONE, PRIVATE_ANONYMOUS | NO_RESERVE, -1, 0)
        self.sizes: dict[int, int] = {}
        does_nothing = ctypes.cast(libc.getpid, Free)
        functions = Malloc(self.malloc), Calloc(self.calloc), Realloc(self.realloc), does_nothing
        self.handler = Handler(b"guarded", 1, None, *functions)

    def malloc(self, context: int, size: int) -> int:
        pages = -(-max(size, 1) // PAGE) * PAGE
        begin = self.next + PAGE
        self.next = begin + pages
        if libc.mprotect(begin, pages, PROT_BOTH):
            return 0
        address = begin + (pages - max(size, 1) if self.at_the_end else 0)
        self.sizes[address] = size
        return address

    def calloc(self, context: int, count: int, size: int) -> int:
        return self.malloc(context, count * size)  # new pages are zero

    def realloc(self, context: int, old: int, size: int) -> int:
        new = self.malloc(context, size)
        if new and old:
            ctypes.memmove(new, old, min(size, self.sizes[old]))
        return new


@contextmanager
def guarded_numpy(at_the_end: bool):
    """Inside the block, NumPy allocates all arrays in guarded memory, arguments and results."""
    api = ctypes.pythonapi
    api.PyCapsule_GetPointer.restype, api.PyCapsule_GetPointer.argtypes = pointer, [ctypes.py_object, ctypes.c_char_p]
    api.PyCapsule_New.restype = ctypes.py_object
    api.PyCapsule_New.argtypes = [pointer, ctypes.c_char_p, pointer]
    table = api.PyCapsule_GetPointer(_multiarray_umath._ARRAY_API, None)
    function = ctypes.cast(table, ctypes.POINTER(pointer))[SET_HANDLER]
    set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(function)
    guarded = Guarded(at_the_end)
    KEPT.append(guarded)  # arrays that outlive the block refer to it
    before = set_handler(api.PyCapsule_New(ctypes.addressof(guarded.handler), b"mem_handler", None))
    try:
        yield guarded
    finally:
        set_handler(before)


KEPT: list[Guarded] = []


def main(name: str, dtype: str, side: str, first: str) -> None:
    import test_arguments as tests

    from minicnn.backends import active, use_backend

    warnings.simplefilter("ignore", RuntimeWarning)
    calls = refused = 0
    operations = tests.CHECKED[int(first) :: 4]  # Linux limits the number of memory mappings
    with use_backend(name):
        ops = active()
        for operation in operations:  # compiles the kernels
            getattr(ops, operation)(*tests.right_arguments(ops, operation, dtype))
        with guarded_numpy(side == "end") as guarded:
            probe = np.empty(5)
            assert probe.ctypes.data in guarded.sizes, "NumPy allocates elsewhere"
            for operation in operations:
                for arguments in variants(tests, ops, operation, dtype):
                    calls += 1
                    try:
                        getattr(ops, operation)(*arguments)
                    except (TypeError, ValueError):
                        refused += 1
    print(f"{calls} calls, {refused} refused", flush=True)
    os._exit(0)  # without freeing the arrays that are left, whose memory has no owner any more


def variants(tests, ops, operation, dtype):
    """The arguments of a correct call, then these arguments with each mistake in each array."""
    right = tests.right_arguments(ops, operation, dtype)
    yield right
    for at, argument in enumerate(right):
        for mistake in (tests.SHAPES | tests.DTYPES | tests.LAYOUTS).values():
            if isinstance(argument, list):
                yield [*right[:at], [tests.applied(mistake, ops, argument[0]), *argument[1:]], *right[at + 1 :]]
            elif isinstance(argument, np.ndarray):
                yield [*right[:at], tests.applied(mistake, ops, argument), *right[at + 1 :]]


if __name__ == "__main__":
    main(*sys.argv[1:])
