"""A whole network in inference: its operations, one after the other, without `saved`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import textbook
from ..contract import Array, Run, Step


def compile_inference(steps: Sequence[Step]) -> Run:
    """The steps as one function y = run(x, weights)."""
    return one_by_one(steps, textbook)


def one_by_one(steps: Sequence[Step], ops: Any) -> Run:
    """A function that sends x through the steps, each computed by the backend's operation of its name."""

    def run(x: Array, weights: Sequence[Array | None]) -> Array:
        rest = iter(weights)
        for name, own, options in steps:
            if name == "flatten":
                x = x.reshape(len(x), -1)
                continue
            sequence = name.endswith("2d") and x.ndim == 3  # (N, L, C) is an image of height 1
            arrays = [next(rest) for _ in own]
            if sequence:
                x = x[:, None]
                arrays = [a[None] if a is not None and a.ndim == 3 else a for a in arrays]
            y, *_ = getattr(ops, name)(x, *arrays, *options)
            x = y[:, 0] if sequence else y
        return x

    return run
