"""A stage: one operation of a network in inference, as native code that takes a few samples at a time.

All stages have one signature, so that a program can call them by address, one after the other:

    stage(parts, part, x, x_at, y, y_at, count, numbers)

It computes one of so many parts of y, whose samples begin at y[y_at], from `count` samples that begin at x[x_at].
`numbers` has all the rest: the addresses of its weights and of its tables, then its sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...errors import explain
from ..contract import Array
from .runtime.compile import serial
from .runtime.numba_internals import carray, intrinsic, types

Shape = tuple[int, ...]

MOST_SAMPLES = 32
"""That a stage takes at a time: enough to use a kernel often while it is in the cache."""


class Stage(NamedTuple):
    """What a program has to know of a stage."""

    kernel: Any
    shape: Shape
    """Of a sample that comes out."""
    sizes: tuple[int, ...]
    arrays: int = 0
    """How many arrays it is given, its weights; the address 0 stands for one that there is not."""
    tables: tuple[Array, ...] = ()
    """The arrays that come with it."""
    prepare: Any = None
    """A kernel like that of a stage: its y is what this one wants instead of its first weight, made for every run."""
    prepared: int = 0
    """How many numbers that is."""
    block: int = 0
    """How many samples it takes at a time, if it begins a group; 0: as many as the stage before it."""
    work: int = 0
    """Roughly how many numbers it computes or multiplies, for one sample."""


def check_vectors(operation: str, vectors: Sequence[Array | None], length: int) -> None:
    """Raise ValueError unless all have this length: kernels look at no shapes, and would read what is not there."""
    for vector in vectors:
        if vector is not None and vector.shape != (length,):
            remedy = "There is one number for each channel."
            raise ValueError(explain(operation, f"a weight of shape {(length,)}", f"one of {vector.shape}", remedy))


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
