"""One seed for everything random: initial weights, dropout masks, the order of the batches."""

from __future__ import annotations

import numpy as np

from . import arguments

_generator = np.random.default_rng()


def set_random_seed(seed: int) -> None:
    """Make all that follows repeat exactly, on the same backend: initial weights, dropout, shuffling."""
    global _generator
    _generator = np.random.default_rng(arguments.seed("set_random_seed", seed))


def draw_seed() -> int:
    """The next seed from the one generator: every layer and every model draws its own and is reproducible by itself."""
    return int(_generator.integers(2**63))
