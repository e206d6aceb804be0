"""A whole network in inference: one launch after another."""

from __future__ import annotations

from collections.abc import Sequence

from .. import gpu
from ..contract import Run, Step
from ..textbook.inference import one_by_one


def compile_inference(steps: Sequence[Step]) -> Run:
    """The steps as one function y = run(x, weights)."""
    return one_by_one(steps, gpu)
