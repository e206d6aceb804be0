"""Runs that end early: delayed Ctrl-C, and a program whose output nobody reads any more."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any


@contextmanager
def delayed_interrupt() -> Iterator[None]:
    """Inside the block (or a decorated function), Ctrl-C takes effect at the end.

    Other threads than the main one are not affected: Python raises no KeyboardInterrupt in them.
    """
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or current_thread() is not main_thread():
        yield
        return
    caught: list[Any] = []
    signal.signal(signal.SIGINT, lambda *details: caught.append(details))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if caught:
            handler(*caught[0])


def reader_ended() -> int:
    """The exit code after a BrokenPipeError, as in `… | head -1`: 141, as of a program that SIGPIPE ends.

    Python flushes stdout once more at its end, and would complain: the rest goes to the null device.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141
