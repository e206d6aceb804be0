"""Inference depth first: a few samples go through the whole network before the next ones begin.

Layer by layer, a large batch is written to memory after every layer and read back by the next one. A few samples stay
in the cache on their whole way. The samples are shared out among the threads once, not once a layer, so that no thread
waits for another before the end; and Python runs once for the whole network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from operator import is_
from typing import Any

from .. import cpu
from ..contract import Array, Step
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


def compile_inference(steps: Sequence[Step]) -> Callable[[Array], Array]:
    """The steps as one function y = run(x): depth first, or one by one where an operation has no stage."""
    one_after_other = one_by_one(steps, cpu)
    names = {name for name, _, _ in steps} - {"flatten"}
    return Chain(steps, one_after_other) if names and names <= STAGES.keys() else one_after_other


class Chain:
    """y = run(x): x (N, …) through all steps, nothing kept for a backward. Weights may change between two runs."""

    def __init__(self, steps: Sequence[Step], otherwise: Callable[[Array], Array]) -> None:
        self._steps, self._otherwise = steps, otherwise
        self._weights = [weight for _, weights, _ in steps for weight in weights]
        self._values: list[Array | None] = []
        self._letter = ""  # of the dtype that the programs are for
        self._programs: dict[tuple[Shape, int], Program] = {}

    def __call__(self, x: Array) -> Array:
        values = [None if weight is None else weight.value for weight in self._weights]
        if x.dtype.char != self._letter or not all(map(is_, values, self._values)):
            if not all(value is None or value is plain(value) for value in values) or not compilable(x, *values):
                return self._otherwise(x)
            self._letter, self._values, self._addresses = x.dtype.char, values, addresses_of(values)
            self._programs = {}
        programs, x, key = self._programs, plain(x), (x.shape, thread_count())
        if key not in programs:
            if len(programs) == PROGRAMS:
                programs.pop(next(iter(programs)))
            programs[key] = Program(plan(self._steps, x), len(x), x[0].size, x.dtype, key[1])
        return programs[key].run(x, self._addresses)


def plan(steps: Sequence[Step], x: Array) -> list[Stage]:
    """The stages of the steps, for a batch like x."""
    sample: Shape = x.shape[1:]
    stages: list[Stage] = []
    for step in steps:
        operation = step[0]
        if operation == "flatten":
            sample = (prod(sample),)
            continue
        stages += STAGES[operation](len(x), sample, x.itemsize, step)
        sample = stages[-1].shape
    return [*stages[:-1], stages[-1]._replace(shape=sample)]
