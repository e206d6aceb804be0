"""Inference of a whole network: the stages of its operations, run depth first by the executor.

Layer by layer, a large batch is written to memory after every layer and read back by the next one. Depth first, a few
samples stay in the cache on their whole way; threads divide the samples once for the network, not once per layer; and
Python runs once for the whole network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from operator import is_
from typing import Any, NamedTuple

from .. import cpu
from ..contract import Array, Run, Step
from ..textbook.inference import one_by_one
from . import activations, conv, dense, normalization, pooling
from .executor import Executor, Shape, Stage, addresses_of
from .runtime.memory import compilable

STAGES: dict[str, Callable[..., list[Stage]]] = {
    "conv2d": conv.stages,
    "dense": dense.stages,
    "max_pool2d": pooling.max_stages,
    "average_pool2d": pooling.average_stages,
    "batch_norm": normalization.stages,
    "activation": activations.stages,
    "general_relu": activations.general_relu_stages,
}
"""What makes the stages of each operation."""

MAX_EXECUTORS = 8
"""How many shapes of batches and weights a chain remembers its executors for."""


def compile_inference(steps: Sequence[Step]) -> Run:
    """The steps as one function y = run(x, weights): depth first, or one by one where an operation has no stage."""
    one_after_other = one_by_one(steps, cpu)
    names = {name for name, _, _ in steps} - {"flatten"}
    return Chain(steps, one_after_other) if names and names <= STAGES.keys() else one_after_other


class Weights(NamedTuple):
    """One set of weights. It holds their arrays, so their addresses stay good."""

    arrays: Sequence[Array | None]
    addresses: Array


class Chain:
    """y = run(x, weights): x (N, …) through all steps, nothing kept for a backward.

    Threads may call it at once: what it remembers never changes, it is only replaced.
    """

    def __init__(self, steps: Sequence[Step], otherwise: Run) -> None:
        self._steps = [(operation, len(weights), options) for operation, weights, options in steps]
        self._otherwise = otherwise
        self._latest = Weights([], addresses_of([]))
        self._executors: dict[Any, Executor] = {}

    def __call__(self, x: Array, weights: Sequence[Array | None]) -> Array:
        if not compilable(x, *weights):
            return self._otherwise(x, weights)
        known = self._latest
        if len(weights) != len(known.arrays) or not all(map(is_, weights, known.arrays)):
            known = self._latest = Weights(weights, addresses_of(weights))
        shapes = tuple([None if array is None else array.shape for array in weights])  # may be set in place
        key = x.shape, x.dtype.char, shapes
        executor = self._executors.get(key)
        if executor is None:
            executor = Executor(plan(self._steps, x, shapes), x.shape, x.dtype)
            self._executors = dict([*self._executors.items(), (key, executor)][-MAX_EXECUTORS:])
        return executor(x, known.addresses)


def plan(steps: Sequence[Any], x: Array, weights: Sequence[Shape | None]) -> list[Stage]:
    """The stages of the steps, (operation, number of weights, options), for batches like x and weights so shaped."""
    sample: Shape = x.shape[1:]
    stages: list[Stage] = []
    rest = iter(weights)
    for operation, count, options in steps:
        if operation == "flatten":
            sample = (prod(sample),)
            continue
        own = [next(rest) for _ in range(count)]
        sequence = operation.endswith("2d") and len(sample) == 2  # (N, L, C) is an image of height 1
        if sequence:
            sample = (1, *sample)
            own = [(1, *shape) if shape is not None and len(shape) == 3 else shape for shape in own]
        stages += STAGES[operation]((len(x), *sample), x.itemsize, tuple(own), *options)
        sample = stages[-1].shape[1:] if sequence else stages[-1].shape
    return [*stages[:-1], stages[-1]._replace(shape=sample)]
