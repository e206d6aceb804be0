"""The private parts of Numba that the kernels use: calls by address, a store of compiled functions, types."""

from __future__ import annotations

import ast
import ctypes
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

import minicnn
from minicnn.backends.cpu.runtime import numba_internals
from minicnn.backends.cpu.runtime.compile import KERNEL_OPTIONS, machine_code, parallel, serial, share
from minicnn.backends.cpu.runtime.threads import pool_lock

PACKAGE = Path(minicnn.__file__).parent


def test_one_file_imports_numba_and_llvmlite():
    """Apart from the one that checks whether Numba is installed, and the exercises, which are code of a student."""
    importing = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            if {name.partition(".")[0] for name in names} & {"numba", "llvmlite"}:
                importing.add(path.relative_to(PACKAGE).as_posix())
    importing = {path for path in importing if not path.startswith("exercises/")}
    assert importing == {"backends/availability.py", "backends/cpu/runtime/numba_internals.py"}


@parallel
def _mark(parts, part, marks, factor):
    first, last = share(len(marks), parts, part)
    for i in range(first, last):
        marks[i] += factor * (part + 1)


@parallel
def _fail(parts, part, failing):
    if failing[part] == 1:
        raise MemoryError


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_part_is_done_once_with_its_arguments(threads, monkeypatch):
    compile_module = _mark.__globals__  # of `parallel`, where the number of threads is looked up
    monkeypatch.setitem(compile_module, "thread_count", lambda: threads)
    marks = np.zeros(12)
    _mark(marks, 2.0)
    expected = np.repeat(np.arange(1, threads + 1), 12 // threads)
    np.testing.assert_array_equal(marks, 2.0 * expected)
    _mark(marks, 1.0, alone=True)
    np.testing.assert_array_equal(marks, 2.0 * expected + 1)


def is_free(lock):
    """Whether another thread could take the lock."""
    with ThreadPoolExecutor(1) as other:
        return other.submit(lambda: lock.acquire(blocking=False) and (lock.release() or True)).result()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_part_without_memory_is_an_error_and_leaves_the_lock_free(threads, monkeypatch):
    monkeypatch.setitem(_fail.__globals__, "thread_count", lambda: threads)
    for part in range(threads):
        failing = np.zeros(2, np.int64)
        _fail(failing)
        failing[part] = 1
        with pytest.raises(MemoryError, match="Smaller batches need less"):
            _fail(failing)
        assert is_free(pool_lock)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_kernel_takes_arguments_of_several_types(dtype):
    marks = np.zeros(4, dtype)
    _mark(marks, dtype(3), alone=True)
    np.testing.assert_array_equal(marks, np.full(4, 3, dtype))
    assert marks.dtype == dtype


def test_fingerprints_tell_types_apart():
    read_only = np.zeros((2, 3))
    read_only.flags.writeable = False
    arrays = [np.zeros((2, 3)), np.zeros(6), np.zeros((2, 3), np.float32), np.zeros((2, 3)).T, np.zeros((2, 6))[:, ::2]]
    values = [*arrays, read_only, 1, 1.0, np.float32(1), np.uint32(1)]
    assert len({numba_internals.typeof(value) for value in values}) == len(values)
    fingerprints = [numba_internals.type_fingerprint((value,)) for value in values]
    assert len(set(fingerprints)) == len(values)
    assert numba_internals.type_fingerprint((np.ones((5, 7)),)) == fingerprints[0]


class MemoryStore(dict):
    """A store of compiled functions that records the requests to it."""

    def __init__(self):
        self.asked = []

    def load(self, name):
        self.asked.append("load" if name in self else "miss")
        return self.get(name)

    def save(self, name, content):
        self.asked.append("save")
        self[name] = content

    def drop(self, name):
        self.asked.append("drop")
        del self[name]


def new_function(store, amount=1):
    """A compiled function, as in a new process."""

    def add(array):
        array += amount

    return numba_internals.keep_in(store, numba_internals.njit(add))


def added(function, dtype=np.float64):
    array = np.zeros(3, dtype)
    function(array)
    return array.tolist()


def test_compiled_functions_are_saved_and_loaded():
    store = MemoryStore()
    assert added(new_function(store)) == [1, 1, 1]
    assert added(new_function(store)) == [1, 1, 1]
    assert store.asked == ["miss", "save", "load"]


def test_other_types_and_other_variables_are_other_entries():
    store = MemoryStore()
    function = new_function(store)
    assert added(function) == [1, 1, 1]
    assert added(function, np.float32) == [1, 1, 1]
    assert added(new_function(store, amount=2)) == [2, 2, 2]
    assert store.asked == ["miss", "save"] * 3
    assert len(store) == 3
    assert all(name.startswith("add-") for name in store)


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x04K\x01."])
def test_content_that_cannot_be_used_is_dropped(content):
    store = MemoryStore()
    added(new_function(store))
    store.update(dict.fromkeys(store, content))
    assert added(new_function(store)) == [1, 1, 1]
    assert store.asked[2:] == ["load", "drop", "save"]
    assert all(saved != content for saved in store.values())


_is_initialized = ctypes.pythonapi.Py_IsInitialized
_is_initialized.argtypes, _is_initialized.restype = [], ctypes.c_int


def test_functions_that_contain_an_address_are_not_saved():
    """It would mean nothing in the next process."""
    store = MemoryStore()
    assert numba_internals.keep_in(store, numba_internals.njit(lambda: _is_initialized()))() == 1
    assert store.asked == ["miss"]


def test_arrays_stay_alive_and_uncounted_in_a_kernel():
    """Kernels borrow their arguments: many calls neither free an array nor keep it."""
    marks = np.zeros(12)
    before = sys.getrefcount(marks)
    for _ in range(100):
        _mark(marks, 0.0)
    assert sys.getrefcount(marks) == before
    alive = weakref.ref(marks)
    del marks
    assert alive() is None


def test_machine_code_has_one_address_for_one_signature():
    kernel = serial(lambda array: None)
    one = machine_code(kernel, (np.zeros(2),))
    assert one == machine_code(kernel, (np.ones(7),)) != 0
    assert one != machine_code(kernel, (np.zeros(2, np.float32),))
    assert KERNEL_OPTIONS["nogil"]


def test_the_number_of_threads_is_numbas():
    before = numba_internals.get_num_threads()
    try:
        for threads in range(1, before + 1):
            numba_internals.parallel.set_num_threads(threads)
            assert numba_internals.num_threads() == threads
    finally:
        numba_internals.parallel.set_num_threads(before)
