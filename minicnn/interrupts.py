"""Ctrl-C at a safe point: not in the middle of what cannot be left half done."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any


@contextmanager
def delayed_interrupt() -> Iterator[None]:
    """Inside, Ctrl-C takes effect at the end; also a decorator. It changes nothing in threads other than the main one,
    for in those Python raises no KeyboardInterrupt."""
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
