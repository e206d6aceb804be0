"""A whole network in inference, launch after launch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .. import gpu
from ..contract import Array, Step
from ..textbook.inference import one_by_one


def compile_inference(steps: Sequence[Step]) -> Callable[[Array], Array]:
    """The steps as one function y = run(x)."""
    return one_by_one(steps, gpu)
