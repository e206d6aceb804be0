"""Inference depth first: a few samples go through the whole network before the next ones begin.

Layer by layer, a large batch is written to memory after every layer and read back by the next one. A few samples stay
in the cache on their whole way. The samples are shared out among the threads once, not once a layer, so that no thread
waits for another before the end; and Python runs once for the whole network.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from operator import is_
from typing import Any, NamedTuple

from .. import cpu
from ..contract import Array, Run, Step
from ..textbook.inference import one_by_one
from .activations import general_relu_stages
from .activations import stages as activation_stages
from .conv import stages as conv_stages
from .dense import stages as dense_stages
from .normalization import stages as norm_stages
from .pooling import stages as pool_stages
from .program import Program, addresses_of
from .runtime.memory import compilable, plain
from .runtime.threads import thread_count
from .stages import Shape, Stage

STAGES: dict[str, Any] = {
    "conv2d": conv_stages,
    "dense": dense_stages,
    "max_pool2d": pool_stages,
    "average_pool2d": pool_stages,
    "batch_norm": norm_stages,
    "activation": activation_stages,
    "general_relu": general_relu_stages,
}
"""What makes the stages of each operation."""

PROGRAMS = 8
"""How many shapes of batches a chain remembers its programs for."""


def compile_inference(steps: Sequence[Step]) -> Run:
    """The steps as one function y = run(x, weights): depth first, or one by one where an operation has no stage."""
    one_after_other = one_by_one(steps, cpu)
    names = {name for name, _, _ in steps} - {"flatten"}
    return Chain(steps, one_after_other) if names and names <= STAGES.keys() else one_after_other


class Weights(NamedTuple):
    """One set of weights. It holds their arrays, so their addresses stay good."""

    arrays: Sequence[Array | None]
    addresses: Array
    shapes: tuple[Shape | None, ...]


class Chain:
    """y = run(x, weights): x (N, …) through all steps, nothing kept for a backward.

    Threads may call it at once: what it remembers never changes, it is only replaced.
    """

    def __init__(self, steps: Sequence[Step], otherwise: Run) -> None:
        self._steps = [(operation, len(weights), options) for operation, weights, options in steps]
        self._otherwise = otherwise
        self._latest = Weights([], addresses_of([]), ())
        self._programs: dict[Any, Program] = {}

    def __call__(self, x: Array, weights: Sequence[Array | None]) -> Array:
        if not compilable(x, *weights) or not all(array is None or array is plain(array) for array in weights):
            return self._otherwise(x, weights)
        known = self._latest
        if len(weights) != len(known.arrays) or not all(map(is_, weights, known.arrays)):
            shapes = tuple(None if array is None else array.shape for array in weights)
            known = self._latest = Weights(weights, addresses_of(weights), shapes)
        x = plain(x)
        key = x.shape, x.dtype.char, known.shapes, thread_count()
        program = self._programs.get(key)
        if program is None:
            program = Program(plan(self._steps, x, weights), len(x), x[0].size, x.dtype, key[-1])
            self._programs = dict([*self._programs.items(), (key, program)][-PROGRAMS:])
        return program.run(x, known.addresses)


def plan(steps: Sequence[Any], x: Array, weights: Sequence[Array | None]) -> list[Stage]:
    """The stages of the steps, (operation, number of weights, options), for batches like x and weights like these."""
    sample: Shape = x.shape[1:]
    stages: list[Stage] = []
    rest = iter(weights)
    for operation, count, options in steps:
        if operation == "flatten":
            sample = (prod(sample),)
            continue
        own = tuple(next(rest) for _ in range(count))
        stages += STAGES[operation](len(x), sample, x.itemsize, (operation, own, options))
        sample = stages[-1].shape
    return [*stages[:-1], stages[-1]._replace(shape=sample)]
