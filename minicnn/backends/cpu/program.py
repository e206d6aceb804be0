"""A program: stages, one after the other, and the drivers that run them.

A thread takes a chunk of samples at a time. The stages between one convolution (or dense layer) and the next, a group,
take it in blocks of the size that suits the convolution; so what a stage leaves for the next one stays in the cache. A
batch with fewer samples than there are threads, if they are worth it, goes the other way: stage by stage, the threads
sharing the work inside each. Who does what changes nothing in what comes out, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import prod
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from ..contract import Array
from .runtime.atomics import claim, tell, wait
from .runtime.compile import machine_code, parallel, serial, share
from .runtime.memory import LINE_BYTES, empty
from .runtime.numba_internals import call_by_address, to_fixed_tuple
from .runtime.threads import AWAKE_SECONDS, MIN_PARALLEL_WORK
from .stages import MOST_SAMPLES, Stage

CHUNK_BYTES = 16 * 2**20
"""What one group may hand to the next: a share of the last-level cache."""

TOGETHER = 2**21
"""From so much work on, a few samples are worth a second thread, if it is awake."""

LONG = 2**24
"""From so much work on, they are worth waking it."""

ALONE = 2**13
"""A stage of less work is left to one thread, while the others wait."""


class Entry(NamedTuple):
    """A stage, or what prepares one, as the drivers see it: a row of a table."""

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
    """Some stages for batches of one size and dtype, and where in a thread's memory each of them reads and writes."""

    def __init__(self, stages: Sequence[Stage], samples: int, size: int, dtype: Any, threads: int) -> None:
        self.shape = (samples, *stages[-1].shape)
        self.threads = threads
        work = samples * sum(stage.work for stage in stages)
        few = samples < threads
        self.together = few and work >= TOGETHER  # threads share each stage, not the samples
        self.alone = work < (LONG if few else MIN_PARALLEL_WORK)  # unless the others are awake and share the stages
        self.ended = -np.inf  # the last run, in seconds
        self.tables = [table for stage in stages for table in stage.tables]  # keeps them alive
        numbers: list[int] = []
        slots: list[int] = []
        preparing, rows = [], []
        for stage in stages:
            if stage.prepare:
                preparing.append((_address(stage.prepare, dtype), len(numbers), stage.prepared))
            rows.append([_address(stage.kernel, dtype), len(numbers)])
            slots += range(len(numbers), len(numbers) + stage.arrays)
            numbers += [0] * stage.arrays + [table.ctypes.data for table in stage.tables] + list(stage.sizes)
        self.numbers, self.slots = np.array(numbers, np.int64), np.array(slots, np.int64)
        self.chunk, self.room, places = _places(stages, samples, size, np.dtype(dtype).itemsize, self.together)
        self.first = len(preparing)  # of the stages: before them stands what prepares their weights
        self.room += -self.room % (LINE_BYTES // np.dtype(dtype).itemsize)
        entries = []
        for address, numbers_at, count in preparing:
            entries.append([address, numbers_at, self.first, samples, False, 0, 0, self.room, 0])
            self.room += count
        for row, (end, *place) in zip(rows, places, strict=True):
            entries.append([*row, self.first + end, *place])
        self.table = np.array(entries, np.int64)

    def run(self, x: Array, addresses: Array) -> Array:
        """x (N, …) -> y (N, …), with the stages' weights at these addresses, in their order."""
        numbers = self.numbers.copy()
        numbers[self.slots] = addresses
        y = np.empty(self.shape, x.dtype)
        samples, source, target = len(x), x.reshape(-1), y.reshape(-1)
        if self.together and (not self.alone or perf_counter() - self.ended < AWAKE_SECONDS):
            memory, notes = np.empty(self.room, x.dtype), np.zeros(len(self.table) * (self.threads + 1), np.int64)
            _stage_by_stage(self.table, self.first, numbers, memory, samples, notes, source, target)
        else:
            _depth_first(
                self.table, self.first, numbers, self.room, self.chunk, samples, source, target, alone=self.alone
            )
        self.ended = perf_counter()  # even alone: who comes again so soon is worth waking the others once
        return y


def addresses_of(weights: Sequence[Array | None]) -> Array:
    """Where they are in memory; 0 for None."""
    return np.array([0 if weight is None else weight.ctypes.data for weight in weights], np.int64)


def _places(
    stages: Sequence[Stage], samples: int, size: int, itemsize: int, together: bool
) -> tuple[int, int, list[list[int]]]:
    """How large a chunk is, how many numbers a thread has to have room for, and the rest of each stage's entry.

    Two areas of the size of a chunk take turns in holding what one group hands to the next, two of the size of a block
    what a stage hands to the next of its group. Where threads share the stages, all samples are one chunk and each
    stage a group.
    """
    begins = [i == 0 or stage.block > 0 or together for i, stage in enumerate(stages)]
    ends = [i for i in range(1, len(stages) + 1) if i == len(stages) or begins[i]]
    sizes = [prod(stage.shape) for stage in stages]
    handed_on = max((sizes[end - 1] for end in ends[:-1]), default=0)
    blocks: list[int] = []
    for stage in stages:
        blocks.append(stage.block or (blocks[-1] if blocks else min(samples, MOST_SAMPLES)))
    chunk = samples
    if not together:
        chunk = min(max(blocks), max(1, CHUNK_BYTES // max(1, handed_on * itemsize)))
        blocks = [min(block, chunk) for block in blocks]
    large = chunk * handed_on
    little = max((sizes[i] * blocks[i] for i in range(len(stages)) if i + 1 not in ends), default=0)
    large_areas, little_areas = [0, large], [2 * large, 2 * large + little]
    places, source = [], (0, size)
    for i, stage in enumerate(stages):
        areas, step = (large_areas, sizes[i]) if i + 1 in ends else (little_areas, 0)
        areas.reverse()
        target = (areas[0], step)
        end = next(end for end in ends if end > i)
        places.append([end, blocks[i], samples * stage.work < ALONE, *source, *target])
        source = target
    return chunk, 2 * (large + little), places


@cache
def _address(kernel: Any, dtype: Any) -> int:
    """Where the machine code of a stage for this dtype is."""
    flat = np.empty(0, dtype)
    return machine_code(kernel, (flat, 0, flat, 0, 0, np.empty(0, np.int64)))


@serial
def _with_prepared(numbers, table, first, memory):
    """The numbers, with the addresses of what has been prepared."""
    numbers = numbers.copy()
    for i in range(first):
        entry = Entry(*to_fixed_tuple(table[i], FIELDS))
        numbers[entry.numbers_at] = memory.ctypes.data + entry.target_at * memory.itemsize
    return numbers


@parallel
def _depth_first(threads, t, table, first, numbers, room, chunk, samples, x, y):
    """One thread's samples: chunk by chunk, group by group, block by block, stage by stage."""
    begin, end = share(samples, threads, t)
    if begin == end:
        return
    memory = empty(room, x)
    for i in range(first):  # every thread for itself: what it has made lies in its own cache
        entry = Entry(*to_fixed_tuple(table[i], FIELDS))
        arguments = (memory, entry.source_at, memory, entry.target_at, samples, numbers[entry.numbers_at :])
        if call_by_address(entry.address, np.intp(1), np.intp(0), arguments):
            raise MemoryError
    numbers = _with_prepared(numbers, table, first, memory)
    for chunk_at in range(begin, end, chunk):
        in_chunk = min(chunk, end - chunk_at)
        start = first
        while start < len(table):
            group = Entry(*to_fixed_tuple(table[start], FIELDS))
            for block_at in range(0, in_chunk, group.block):
                count = min(group.block, in_chunk - block_at)
                for i in range(start, group.end):
                    entry = Entry(*to_fixed_tuple(table[i], FIELDS))
                    source, source_at = memory, entry.source_at + entry.source_step * block_at
                    target, target_at = memory, entry.target_at + entry.target_step * block_at
                    if i == first:
                        source, source_at = x, entry.source_step * (chunk_at + block_at)
                    if i == len(table) - 1:
                        target, target_at = y, entry.target_step * (chunk_at + block_at)
                    own = numbers[entry.numbers_at :]
                    arguments = (source, source_at, target, target_at, count, own)
                    if call_by_address(entry.address, np.intp(1), np.intp(0), arguments):
                        raise MemoryError
            start = group.end


@parallel
def _stage_by_stage(threads, t, table, first, numbers, memory, samples, notes, x, y):
    """One thread's way through all stages. A stage begins when all parts of the one before it are done."""
    failed = False
    most = len(notes) // len(table) - 1  # parts; the last note of a stage counts those that are done
    for i in range(len(table)):
        if i == first:
            numbers = _with_prepared(numbers, table, first, memory)
        entry = Entry(*to_fixed_tuple(table[i], FIELDS))
        own, parts = numbers[entry.numbers_at :], 1 if entry.alone else most
        for turn in range(parts):
            part = (t + turn) % parts  # its own, whose inputs are in its cache, and then what nobody has begun
            if not claim(notes, i * (most + 1) + part):
                continue
            for n in range(0, samples, entry.block):
                count = min(entry.block, samples - n)
                source, source_at = memory, entry.source_at + entry.source_step * n
                target, target_at = memory, entry.target_at + entry.target_step * n
                if i == first:
                    source, source_at = x, entry.source_step * n
                if i == len(table) - 1:
                    target, target_at = y, entry.target_step * n
                failed |= call_by_address(
                    entry.address, parts, part, (source, source_at, target, target_at, count, own)
                )
            tell(notes, i * (most + 1) + most)
        wait(notes, i * (most + 1) + most, parts)
    if failed:  # not earlier: the others would wait for ever
        raise MemoryError
