"""Inference of a whole network: the stages of its operations, run depth first by the executor.

Layer by layer, a large batch is written to memory after every layer and read back by the next one. Depth first, a few
samples stay in the cache on their whole way; threads divide the samples once for the network, not once per layer; and
Python runs once for the whole network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from operator import is_
from typing import Any

from .. import cpu
from ..contract import Array, Run, Step
from ..textbook.inference import one_by_one
from . import activations, conv, curves, dense, normalization, pooling
from .executor import Shape, Stage, addresses_of, executor_for
from .runtime.memory import compilable

STAGES: dict[str, Callable[..., list[Stage]]] = {
    "conv2d": conv.stages,
    "dense": dense.stages,
    "max_pool2d": pooling.max_stages,
    "average_pool2d": pooling.average_stages,
    "batch_norm": normalization.stages,
    "activation": activations.stages,
    "general_relu": activations.general_relu_stages,
    "curve": curves.stages,
}
"""What makes the stages of each operation."""


def compile_inference(steps: Sequence[Step]) -> Run:
    """The steps as one function y = run(x, weights): depth first, or one by one where an operation has no stage."""
    one_after_other = one_by_one(steps, cpu)
    names = {name for name, _, _ in steps} - {"flatten"}
    if not names or not names <= STAGES.keys():
        return one_after_other
    counted = [(operation, len(weights), options) for operation, weights, options in steps]
    latest: tuple[list[Array | None], Array] = [], addresses_of([])  # the arrays, and where they are while they live

    def run(x: Array, weights: Sequence[Array | None]) -> Array:
        nonlocal latest
        if not compilable(x, *weights):
            return one_after_other(x, weights)
        arrays, addresses = latest
        if len(arrays) != len(weights) or not all(map(is_, arrays, weights)):
            addresses = addresses_of(weights)
            latest = list(weights), addresses  # replaced, not changed: several threads may be here
        return executor_for(_plan, x, weights, *counted)(x, addresses)

    return run


def _plan(shape: Shape, itemsize: int, weights: Sequence[Shape | None], *steps: tuple[str, int, Any]) -> list[Stage]:
    """The stages of the steps, (operation, number of weights, options), for batches and weights of these shapes."""
    samples, *rest = shape
    sample: Shape = tuple(rest)
    stages: list[Stage] = []
    remaining = iter(weights)
    for operation, count, options in steps:
        if operation == "flatten":
            sample = (prod(sample),)
            continue
        own = [next(remaining) for _ in range(count)]
        sequence = operation.endswith("2d") and len(sample) == 2  # (N, L, C) is an image of height 1
        if sequence:
            sample = (1, *sample)
            own = [(1, *shape) if shape is not None and len(shape) == 3 else shape for shape in own]
        stages += STAGES[operation]((samples, *sample), itemsize, tuple(own), *options)
        sample = stages[-1].shape[1:] if sequence else stages[-1].shape
    return [*stages[:-1], stages[-1]._replace(shape=sample)]
