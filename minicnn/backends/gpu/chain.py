"""A whole network in inference, launch after launch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..contract import Array, Step
from ..textbook.chain import one_by_one
from .activations import activation
from .conv import conv2d
from .dense import dense
from .normalization import batch_norm
from .pooling import average_pool2d, max_pool2d


def chain(steps: Sequence[Step]) -> Callable[[Array], Array]:
    """The steps as one function y = run(x)."""
    return one_by_one(steps, OPERATIONS)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "conv2d": conv2d,
    "dense": dense,
    "max_pool2d": max_pool2d,
    "average_pool2d": average_pool2d,
    "batch_norm": batch_norm,
    "activation": activation,
}
