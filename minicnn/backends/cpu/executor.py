"""How a forward runs, in training and in inference: as stages, depth first.

A stage is one operation as a kernel that takes a few samples, and all stages have one signature:

    kernel(x, x_at, y, y_at, count, numbers)

It computes `count` samples of y, from y[y_at] on, from those of x, from x[x_at] on. `numbers` has all the rest: the
addresses of what was prepared, of its weights and of its tables, then its sizes. So any network is a table of
addresses, and running it is four loops around one call.

Depth first means: each thread takes some samples, a chunk, through all stages before the next ones begin; what a stage
writes is still in the cache when the next one reads it. From one convolution (or dense layer) to the next, a group, a
chunk is taken in blocks of the size that suits the convolution. In training, a forward is a network of one operation.
The result is bit-identical for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ctypes import addressof, c_char
from functools import cache, lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..contract import Array
from ..geometry import Windows
from .runtime.compile import even_part, machine_code, parallel, serial, share
from .runtime.memory import LINE_BYTES, empty
from .runtime.numba_internals import call_by_address, carray, intrinsic, to_fixed_tuple, types
from .runtime.threads import MIN_PARALLEL_WORK

Shape = tuple[int, ...]

MAX_BLOCK = 32
"""Maximum samples of a block: enough to use a kernel often while it is in the cache."""

CHUNK_BYTES = 16 * 2**20
"""Maximum bytes that one group hands to the next: a share of the last-level cache."""


class Stage(NamedTuple):
    """What the executor has to know of a stage."""

    kernel: Any
    shape: Shape
    """Of a sample that comes out."""
    sizes: tuple[int, ...]
    weights: int = 0
    """How many arrays it is given; the address 0 stands for one that is None."""
    tables: tuple[Array, ...] = ()
    """The arrays that come with it."""
    prepare: Any = None
    """A kernel like that of a stage whose y every thread computes once a run, before the first stage."""
    prepared: int = 0
    """How many numbers that is."""
    block: int = 0
    """How many samples it takes at a time, if it begins a group; 0: as many as the stage before it."""
    work: int = 0
    """Roughly how many multiply-adds a sample takes."""


def forward(make_stages: Callable[..., list[Stage]], x: Array, weights: Sequence[Array | None], *options: Any) -> Array:
    """y of one operation, whose stages are make_stages(x.shape, x.itemsize, the weights' shapes, *options)."""
    return executor_for(make_stages, x, weights, *options)(x, addresses_of(weights))


def executor_for(
    make_stages: Callable[..., list[Stage]], x: Array, weights: Sequence[Array | None], *options: Any
) -> Executor:
    """What runs these stages; remembered for the next arrays of the same shapes."""
    shapes = tuple(None if weight is None else weight.shape for weight in weights)
    return _operation(make_stages, x.shape, x.dtype, shapes, options)


@lru_cache(maxsize=256)
def _operation(make_stages: Any, shape: Shape, dtype: Any, weights: Any, options: tuple[Any, ...]) -> Executor:
    return Executor(make_stages(shape, dtype.itemsize, weights, *options), shape, dtype)


def addresses_of(weights: Sequence[Array | None]) -> Array:
    """Where they are in memory; 0 for None. NumPy's own `ctypes.data` takes three times as long."""
    return np.array([0 if weight is None else addressof(_NOTHING.from_buffer(weight)) for weight in weights], np.int64)


_NOTHING = c_char * 0


class Entry(NamedTuple):
    """A stage, or what prepares one, as the kernel sees it: a row of its table."""

    address: int
    numbers_at: int
    end: int  # of its group
    block: int
    source_at: int
    source_step: int  # from one sample to the next; 0 where the source holds no more than a block
    target_at: int
    target_step: int


FIELDS, WINDOWS_FIELDS = len(Entry._fields), len(Windows._fields)


class Executor:
    """Stages for batches of one shape and dtype, and where in a thread's workspace each of them reads and writes."""

    def __init__(self, stages: Sequence[Stage], shape: Shape, dtype: Any) -> None:
        samples, line = shape[0], LINE_BYTES // dtype.itemsize
        self.shape = (samples, *stages[-1].shape)
        self.alone = samples == 1 or samples * sum(stage.work for stage in stages) < MIN_PARALLEL_WORK
        self.tables = [table for stage in stages for table in stage.tables]  # keeps them alive
        numbers: list[int] = []
        slots: list[int] = []
        self.chunk, self.workspace, places = _places(stages, samples, prod(shape[1:]), dtype.itemsize)
        prepare, rows = [], []
        for stage, place in zip(stages, places, strict=True):
            if stage.prepare:
                self.workspace += -self.workspace % line
                prepare.append([_address(stage.prepare, dtype), len(numbers), 0, 0, 0, 0, self.workspace, 0])
                self.workspace += stage.prepared
            rows.append([_address(stage.kernel, dtype), len(numbers), *place])
            slots += range(len(numbers) + 1, len(numbers) + 1 + stage.weights)
            numbers += [0] * (1 + stage.weights) + [table.ctypes.data for table in stage.tables] + list(stage.sizes)
        self.numbers, self.slots = np.array(numbers, np.int64), np.array(slots, np.int64)
        self.prepare, self.table = np.array(prepare, np.int64).reshape(-1, FIELDS), np.array(rows, np.int64)

    def __call__(self, x: Array, addresses: Array) -> Array:
        """x (N, …) -> y (N, …), with the stages' weights at these addresses, in their order."""
        numbers = self.numbers  # kernels copy them
        if len(self.slots):
            numbers = numbers.copy()
            numbers[self.slots] = addresses
        y = np.empty(self.shape, x.dtype)
        _run(
            self.prepare, self.table, numbers, self.workspace, self.chunk, len(x), x.reshape(-1), y.reshape(-1),
            alone=self.alone,
        )  # fmt: skip
        return y


def _places(stages: Sequence[Stage], samples: int, size: int, itemsize: int) -> tuple[int, int, list[list[int]]]:
    """The samples of a chunk, the size of a thread's workspace, and the rest of each stage's entry.

    Two areas of a chunk's size take turns in holding what one group hands to the next, two of a block's size what a
    stage hands to the next of its group.
    """
    ends = [i for i in range(1, len(stages)) if stages[i].block] + [len(stages)]
    sizes = [prod(stage.shape) for stage in stages]
    handed_on = max((sizes[end - 1] for end in ends[:-1]), default=0)
    blocks = [stages[0].block or min(samples, MAX_BLOCK)]
    for stage in stages[1:]:
        blocks.append(stage.block or blocks[-1])
    chunk = min(max(blocks), max(1, CHUNK_BYTES // max(1, handed_on * itemsize)))
    inside = max((size for i, size in enumerate(sizes) if i + 1 not in ends), default=0)
    large, little = chunk * handed_on, max(blocks) * inside
    large_areas, little_areas = [0, large], [2 * large, 2 * large + little]
    places, source = [], [0, size]
    for i, size in enumerate(sizes):
        areas, step = (large_areas, size) if i + 1 in ends else (little_areas, 0)
        areas.reverse()
        target = [areas[0], step]
        end = next(end for end in ends if end > i)
        places.append([end, min(blocks[i], chunk), *source, *target])
        source = target
    return chunk, 2 * (large + little), places


@cache
def _address(kernel: Any, dtype: Any) -> int:
    """Where the machine code of a stage's kernel for this dtype is."""
    flat = np.empty(0, dtype)
    return machine_code(kernel, (flat, 0, flat, 0, 0, np.empty(0, np.int64)))


@parallel
def _run(threads, thread, prepare, table, numbers, size, chunk, samples, x, y):
    """One thread's samples: chunk by chunk, group by group, block by block, stage by stage."""
    begin, end = share(samples, threads, thread)
    if begin == end:
        return
    workspace, numbers = empty(size, x), numbers.copy()
    for i in range(len(prepare)):  # each thread for itself: what it has prepared lies in its own cache
        entry = Entry(*to_fixed_tuple(prepare[i], FIELDS))
        own = numbers[entry.numbers_at :]
        own[0] = workspace.ctypes.data + entry.target_at * workspace.itemsize
        if call_by_address(entry.address, (workspace, 0, workspace, entry.target_at, 0, own)):
            raise MemoryError
    chunk = even_part(end - begin, chunk)
    for chunk_at in range(begin, end, chunk):
        in_chunk, start = min(chunk, end - chunk_at), 0
        while start < len(table):
            group = Entry(*to_fixed_tuple(table[start], FIELDS))
            block = even_part(in_chunk, group.block)
            for block_at in range(0, in_chunk, block):
                count = min(block, in_chunk - block_at)
                for i in range(start, group.end):
                    entry = Entry(*to_fixed_tuple(table[i], FIELDS))
                    source, source_at = workspace, entry.source_at + entry.source_step * block_at
                    target, target_at = workspace, entry.target_at + entry.target_step * block_at
                    if i == 0:
                        source, source_at = x, entry.source_step * (chunk_at + block_at)
                    if i == len(table) - 1:
                        target, target_at = y, entry.target_step * (chunk_at + block_at)
                    own = numbers[entry.numbers_at :]
                    if call_by_address(entry.address, (source, source_at, target, target_at, count, own)):
                        raise MemoryError
            start = group.end


@intrinsic
def _pointer(typingctx, address, like):
    pointer = types.CPointer(like.dtype)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(pointer))

    return pointer(address, like), codegen


@serial
def array_at(address, size, like):
    """The flat array of `size` numbers at an address, of the dtype of the array `like`."""
    return carray(_pointer(address, like), size)


@serial
def geometry(numbers):
    """The Windows that an array of integers begins with."""
    return Windows(*to_fixed_tuple(numbers, WINDOWS_FIELDS))
