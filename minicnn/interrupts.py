"""Delayed Ctrl-C: a block that must not be interrupted half-way runs to its end first."""

from __future__ import annotations

import signal
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
