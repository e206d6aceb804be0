"""Inference depth first: a few samples go through the whole network before the next ones begin.

Layer by layer, a large batch is written to memory after every layer and read back by the next one. A few samples stay in
the cache on their whole way. The samples are shared out among the threads once, not once a layer, so that no thread
waits for another before the end; and Python runs once for the whole network.

A thread takes a chunk of samples at a time. The stages between one convolution (or dense layer) and the next, a group,
take it in blocks of the size that suits the convolution. A batch with fewer samples than there are threads goes the
other way: stage by stage, the threads sharing the work inside each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_
from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange
from numba.np.unsafe.ndarray import to_fixed_tuple

from ..contract import Array, Step
from ..textbook.chain import one_by_one
from . import activations, conv, dense, normalization, pooling
from .kernel_cache import cached
from .kernels import OPTIONS, call, compilable, machine_code, parallel, plain, serial, share, team, team_size
from .stages import Shape, Stage

OPERATIONS = {
    "conv2d": conv.conv2d,
    "dense": dense.dense,
    "max_pool2d": pooling.max_pool2d,
    "average_pool2d": pooling.average_pool2d,
    "batch_norm": normalization.batch_norm,
    "activation": activations.activation,
}

STAGES = {
    "conv2d": conv.stages,
    "dense": dense.stages,
    "max_pool2d": pooling.stages,
    "batch_norm": normalization.stages,
    "activation": activations.stages,
    "flatten": None,
}
"""What makes the stages of each operation."""

SHORT = 2**20
"""Work that one thread has done before a second one has woken up."""

PROGRAMS = 8
"""How many shapes of batches a chain remembers its programs for."""


def chain(steps: Sequence[Step]) -> Callable[[Array], Array]:
    """The steps as one function y = run(x): depth first, or one by one where an operation has no stage."""
    one_after_other = one_by_one(steps, OPERATIONS)
    return Chain(steps, one_after_other) if all(step.operation in STAGES for step in steps) else one_after_other


class Chain:
    """y = run(x): x (N, …) through all steps, nothing kept for a backward. Weights may change between two runs."""

    def __init__(self, steps: Sequence[Step], otherwise: Callable[[Array], Array]) -> None:
        self._steps, self._otherwise = steps, otherwise
        self._weights = [weight for step in steps for weight in step.weights if weight is not None]
        self._values: list[Array] = []
        self._programs: dict[tuple[Shape, int], Program] = {}

    def __call__(self, x: Array) -> Array:
        values = [weight.value for weight in self._weights]
        if len(values) != len(self._values) or not all(map(is_, values, self._values)):
            if not compilable(x, *values) or any(value is not plain(value) for value in values):
                return self._otherwise(x)
            self._values = values
            self._programs.clear()
        x = plain(x)
        key = x.shape, team_size()
        if key not in self._programs:
            if len(self._programs) == PROGRAMS:
                self._programs.clear()
            self._programs[key] = Program(self._steps, x, key[1])
        return self._programs[key].run(x)


class Entry(NamedTuple):
    """A stage, as the drivers see it: a row of a table."""

    address: int
    numbers_at: int
    end: int  # of its group
    block: int
    alone: int  # whether it is too short to share
    source_at: int
    source_step: int  # from one sample to the next, where the source holds more than a block
    target_at: int
    target_step: int


FIELDS = len(Entry._fields)


class Program:
    """The stages for batches of one shape, and where in a thread's memory each of them reads and writes."""

    def __init__(self, steps: Sequence[Step], x: Array, threads: int) -> None:
        stages = plan(steps, x.shape, x.itemsize)
        self.samples = len(x)
        self.shape = stages[-1].shape
        self.stage_by_stage = self.samples < threads
        self.alone = self.samples * sum(stage.work for stage in stages) < SHORT
        self.arrays = [array for stage in stages for array in (*stage.weights, *stage.tables)]  # keep them alive
        numbers: list[int] = []
        self.prepared = []
        rows = []
        for stage in stages:
            if stage.prepare:
                self.prepared.append((len(numbers), stage.prepare, stage.weights[0]))
            rows.append([_address(stage.kernel, x), len(numbers)])
            numbers += [array.ctypes.data for array in (*stage.weights, *stage.tables)] + list(stage.numbers)
        self.numbers = np.array(numbers, np.int64)
        self.chunk, self.room, places = _places(stages, x, self.samples if self.stage_by_stage else 0)
        self.table = np.array([[*row, *place] for row, place in zip(rows, places, strict=True)], np.int64)

    def run(self, x: Array) -> Array:
        y = np.empty((self.samples, *self.shape), x.dtype)
        numbers, kept = self.numbers, []
        if self.prepared:
            numbers = numbers.copy()
            for at, prepare, weight in self.prepared:
                kept.append(prepare(weight))
                numbers[at] = kept[-1].ctypes.data
        if self.stage_by_stage and not self.alone:
            with team:
                _stage_by_stage(team_size(), self.table, numbers, self.room, self.samples, x.reshape(-1), y.reshape(-1))
        else:
            _depth_first(
                self.table, numbers, self.room, self.chunk, self.samples, x.reshape(-1), y.reshape(-1), alone=self.alone
            )
        return y


def plan(steps: Sequence[Step], shape: Shape, itemsize: int) -> list[Stage]:
    """The stages of the steps, for a batch of this shape."""
    samples, sample = shape[0], shape[1:]
    stages: list[Stage] = []
    for step in steps:
        if step.operation == "flatten":
            sample = (int(np.prod(sample)),)
            continue
        weights = [None if weight is None else weight.value for weight in step.weights]
        for stage in STAGES[step.operation](samples, sample, itemsize, weights, step.options):
            stages.append(stage)
        sample = stages[-1].shape
    stages[-1] = stages[-1]._replace(shape=sample)
    return stages


def _places(stages: list[Stage], x: Array, whole: int) -> tuple[int, int, list[list[int]]]:
    """How large a chunk is, how many numbers a thread has to have room for, and the rest of each stage's entry.

    Two areas of the size of a chunk take turns in holding what one group hands to the next, two of the size of a block
    what a stage hands to the next. With `whole`, that many samples are chunk and block.
    """
    blocks = [stage.block for stage in stages]
    for i in range(len(blocks)):
        blocks[i] = whole or blocks[i] or (blocks[i - 1] if i else len(x))
    starts = [i for i, stage in enumerate(stages) if stage.block or i == 0]
    ends = [*starts[1:], len(stages)]
    group_end = [end for start, end in zip(starts, ends, strict=True) for _ in range(start, end)]
    chunk = max(blocks)
    sizes = [int(np.prod(stage.shape)) for stage in stages]
    last = [i + 1 in ends for i in range(len(stages))]
    large = chunk * max((size for size, at_end in zip(sizes, last, strict=True) if at_end), default=0)
    little = max(
        (size * block for size, block, at_end in zip(sizes, blocks, last, strict=True) if not at_end), default=0
    )
    places = []
    source = (0, x[0].size)
    areas = {True: [0, large], False: [2 * large, 2 * large + little]}
    for i, stage in enumerate(stages):
        target = (areas[last[i]][0], sizes[i] if last[i] else 0)
        areas[last[i]].reverse()
        alone = int(len(x) * stage.work < SHORT)
        places.append([group_end[i], blocks[i], alone, *source, *target])
        source = target
    return chunk, 2 * (large + little), places


def _address(kernel: Any, x: Array) -> int:
    """Where the machine code of a stage for x's dtype is."""
    flat = np.empty(0, x.dtype)
    return machine_code(kernel, (flat, 0, flat, 0, 0, np.empty(0, np.int64)))


@serial
def _run(parts, part, entry, numbers, source, source_at, target, target_at, count):
    call(entry.address, parts, part, (source, source_at, target, target_at, count, numbers[entry.numbers_at :]))


@parallel
def _depth_first(threads, t, table, numbers, room, chunk, samples, x, y):
    """One thread's samples: chunk by chunk, group by group, block by block, stage by stage."""
    memory = np.empty(room, x.dtype)
    first, last = share(samples, threads, t)
    for chunk_at in range(first, last, chunk):
        in_chunk = min(chunk, last - chunk_at)
        start = 0
        while start < len(table):
            group = Entry(*to_fixed_tuple(table[start], FIELDS))
            for block_at in range(0, in_chunk, group.block):
                count = min(group.block, in_chunk - block_at)
                for i in range(start, group.end):
                    entry = Entry(*to_fixed_tuple(table[i], FIELDS))
                    source_at = entry.source_at + entry.source_step * (block_at + (chunk_at if i == 0 else 0))
                    final = i == len(table) - 1
                    target_at = (
                        entry.target_step * (block_at + chunk_at)
                        if final
                        else (entry.target_at + entry.target_step * block_at)
                    )
                    _run(
                        1,
                        0,
                        entry,
                        numbers,
                        x if i == 0 else memory,
                        source_at,
                        y if final else memory,
                        target_at,
                        count,
                    )
            start = group.end


def _in_turn(threads, table, numbers, room, samples, x, y):
    """All samples through one stage after the other, the threads sharing each."""
    memory = np.empty(room, x.dtype)
    for i in range(len(table)):
        entry = Entry(*to_fixed_tuple(table[i], FIELDS))
        source, target = x if i == 0 else memory, y if i == len(table) - 1 else memory
        target_at = 0 if i == len(table) - 1 else entry.target_at
        if entry.alone:
            _run(1, 0, entry, numbers, source, entry.source_at, target, target_at, samples)
        else:
            for part in prange(threads):
                _run(threads, np.intp(part), entry, numbers, source, entry.source_at, target, target_at, samples)


_stage_by_stage = cached(njit(parallel=True, **OPTIONS)(_in_turn))
