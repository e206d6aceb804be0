"""The device's counters, which tests read, and its knobs, which tests set."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .core import core

ORDERS = {"forward": 0, "reversed": 1, "shuffled": 2}
KNOBS = {"order": range(3), "guard": range(2), "lazy": range(2), "memory": range(2**31), "broken": range(1000)}
SYNCHRONISATIONS = (
    "device_synchronisations",
    "stream_synchronisations",
    "event_synchronisations",
    "blocking_copies",
)


def counts() -> dict[str, int]:
    """The counters since the last reset, by name.

    `launches` includes cuBLAS's calls, and `synchronisations` is the sum of all kinds: each makes the host wait.
    """
    library = core()
    names = counter_names(library)
    values = dict(zip(names, (ctypes.c_int64 * len(names)).in_dll(library, "mock_counts"), strict=True))
    return values | {"synchronisations": sum(values[name] for name in SYNCHRONISATIONS)}


def reset() -> None:
    """Sets all counters to 0."""
    library = core()
    count = len(counter_names(library))
    (ctypes.c_int64 * count).in_dll(library, "mock_counts")[:] = [0] * count


def counter_names(library: ctypes.CDLL) -> list[str]:
    pointers = (ctypes.c_char_p * 100).in_dll(library, "mock_counter_names")
    names: list[str] = []
    while (name := pointers[len(names)]) is not None:
        names.append(name.decode())
    return names


def knobs(**settings: int) -> Any:
    """Sets knobs at once; used as a context manager, it sets them back at its end.

    order: 0 runs blocks and threads forward, 1 backward, 2 shuffled: a result that depends on it is a race.
    guard: 1 borders each new allocation with pages that fault, and fills it, and shared memory, with NaNs. Allocations
        must reach the driver one by one: `cupy.cuda.set_allocator(None)`.
    lazy: 1 does nothing before the next synchronisation, which reveals buffers that are reused too early.
    memory: the largest allocation that succeeds, in bytes; 0 for no limit.
    broken: the number of the CUDA error that every launch, copy and synchronisation raises; 0 for none.
    """
    previous = {name: knob(name).value for name in settings}
    turn(settings)
    return restoring(previous)


def turn(settings: dict[str, int]) -> None:
    for name, value in settings.items():
        if value not in KNOBS[name]:
            raise ValueError(f"knobs: {name} is one of {KNOBS[name]}, not {value!r}")
        knob(name).value = value
    if settings.get("lazy") == 0:
        core().mock_finish_queue()  # raises the errors of the queued work


def knob(name: str) -> ctypes.c_int:
    if name not in KNOBS:
        raise TypeError(f"knobs: there is no knob {name!r}; there are {', '.join(KNOBS)}")
    return ctypes.c_int.in_dll(core(), f"mock_{name}")


@contextmanager
def restoring(previous: dict[str, int]) -> Iterator[None]:
    try:
        yield
    finally:
        turn(previous)
