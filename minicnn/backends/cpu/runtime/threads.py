"""The thread pool that runs parallel kernels: its lock, the number of threads, and when a second thread pays."""

from __future__ import annotations

import os
import sys
from threading import Lock

from ... import thread_limit
from ...contract import Array
from .numba_internals import get_num_threads, load_openmp

SPIN_COUNT = "20000"
"""Iterations that an idle OpenMP thread spins before it sleeps, about 50 µs: longer than the time between two kernels,
far shorter than the operating system's time slice."""

AWAKE_SECONDS = 50e-6
"""The same in seconds. Waking a thread that has slept longer takes longer than many networks need for one image."""

MIN_PARALLEL_WORK = 2**20
"""Multiply-adds that one thread completes before a second one has woken up."""

pool_lock = Lock()
"""Held while a parallel kernel runs: Numba's simplest thread pool (workqueue) aborts the process on a second one."""

_omp_num_threads = os.environ.get("OMP_NUM_THREADS", "")
_environment_limit = max(1, int(_omp_num_threads)) if _omp_num_threads.isdigit() else sys.maxsize


def thread_count() -> int:
    """The number of threads that share a kernel's work: use_backend's `threads`, else OMP_NUM_THREADS, else Numba's.

    The environment is read once, as OpenMP does.
    """
    return min(get_num_threads(), thread_limit() or _environment_limit)


def small(array: Array) -> bool:
    """Whether one pass over the array ends before a second thread has woken up."""
    return array.size < 16 * 1024


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
