"""One seed for everything random: initial weights, dropout masks, the order of the batches."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from . import arguments

_generator = np.random.default_rng()
_of_this_thread = threading.local()


def set_random_seed(seed: int) -> None:
    """Make all that follows repeat exactly, on the same backend: initial weights, dropout, shuffling."""
    global _generator
    _generator = np.random.default_rng(arguments.seed("set_random_seed", seed))


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """In this block and thread the seed alone decides what is drawn; other threads draw as before. None: at random."""
    previous = getattr(_of_this_thread, "generator", None)
    _of_this_thread.generator = np.random.default_rng(seed)
    try:
        yield
    finally:
        _of_this_thread.generator = previous


def draw_seed() -> int:
    """The next seed from the one generator: every layer and every model draws its own and is reproducible by itself."""
    generator = getattr(_of_this_thread, "generator", None) or _generator
    return int(generator.integers(2**63))
