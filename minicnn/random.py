"""One seed for all random numbers: initial weights, dropout masks, the order of the batches."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from . import arguments
from .compatibility import reporter

_generator = np.random.default_rng()
_of_this_thread = threading.local()


def set_random_seed(seed: int) -> None:
    """Make all that follows repeat exactly, on the same backend: initial weights, dropout, shuffling.

    As in Keras, it also seeds NumPy's global generator and Python's, from which scripts draw their data.
    """
    global _generator
    _generator = np.random.default_rng(arguments.seed("set_random_seed", seed))
    np.random.seed(int(seed) % 2**32)
    random.seed(int(seed))


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Inside the block, this thread draws from a generator with this seed (None: a random one); others do not."""
    previous = getattr(_of_this_thread, "generator", None)
    _of_this_thread.generator = np.random.default_rng(seed)
    try:
        yield
    finally:
        _of_this_thread.generator = previous


def draw_seed() -> int:
    """The generator's next seed. Every layer and every model draws one, so each is reproducible by itself."""
    generator = getattr(_of_this_thread, "generator", None) or _generator
    return int(generator.integers(2**63))


__getattr__ = reporter(__name__, ("set_random_seed",))
