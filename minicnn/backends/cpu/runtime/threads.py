"""The thread pool that runs parallel kernels: its lock, the number of threads, and when a second thread pays."""

from __future__ import annotations

import os
import sys
from threading import RLock

from ... import thread_limit
from ...contract import Array
from .numba_internals import compiler_locks, load_openmp, num_threads, pool_started

SPIN_COUNT = "20000"
"""Iterations that an idle OpenMP thread spins before it sleeps, about 50 µs: longer than the time between two kernels,
far shorter than the operating system's time slice."""

MIN_PARALLEL_WORK = 2**20
"""Multiply-adds that one thread completes before a second one has woken up."""

pool_lock = RLock()
"""Held while a parallel kernel runs: Numba's simplest thread pool (workqueue) aborts the process on a second one."""

_omp_num_threads = os.environ.get("OMP_NUM_THREADS", "")
_environment_limit = max(1, int(_omp_num_threads)) if _omp_num_threads.isdigit() else sys.maxsize
_forked_after_use = False  # then the pool's threads exist in the parent only, and GNU OpenMP ends a child that asks


def thread_count() -> int:
    """The number of threads that share a kernel's work: use_backend's `threads`, else OMP_NUM_THREADS, else Numba's.

    The environment is read once, as OpenMP does. In a process forked from one that has used the thread pool it is 1.
    """
    if _forked_after_use:
        return 1
    return min(num_threads(), thread_limit() or _environment_limit)


def _before_fork() -> None:
    """Wait until no other thread holds a lock: in the child, where that thread is gone, nobody would release it."""
    pool_lock.acquire()
    for lock in compiler_locks:
        lock.__enter__()


def _after_fork() -> None:
    for lock in reversed(compiler_locks):
        lock.__exit__(None, None, None)
    pool_lock.release()


def _after_fork_in_child() -> None:
    global _forked_after_use
    _forked_after_use = pool_started()
    _after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)


def small(*arrays: Array) -> bool:
    """Whether one pass over the arrays ends before a second thread has woken up."""
    return sum(array.size for array in arrays) < 16 * 1024


def _load_thread_pool() -> None:
    """Load Numba's OpenMP thread pool with a short spin time.

    By default, idle threads of GNU OpenMP spin for milliseconds. On shared cores they take the time of the thread that
    they wait for, and steps become ten times slower. OpenMP reads the setting while it is loaded, so the environment is
    restored at once.
    """
    if "GOMP_SPINCOUNT" in os.environ or "OMP_WAIT_POLICY" in os.environ:
        return
    os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT
    try:
        load_openmp()
    finally:
        del os.environ["GOMP_SPINCOUNT"]


_load_thread_pool()
