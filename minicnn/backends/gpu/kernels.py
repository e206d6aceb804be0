"""How CUDA C becomes a kernel: a source with its types left open, compiled for each type on its first call.

CuPy compiles with NVRTC and keeps what it compiled on disk, so only the first run ever waits. A kernel is launched and
runs by itself; nothing here waits for one. Arrays have fewer than 2³¹ elements, so that an `int` can number them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import product
from threading import local
from typing import Any

import cupy
import numpy as np

from ...errors import explain
from ..contract import Array

OPTIONS = ("--std=c++17",)
THREADS = 256  # in a block
WARP = 32  # threads that run in step
LIMIT = 2**31 - 2**20  # elements: an `int` that steps over the last one, by a whole grid at most, must not wrap

CUDA_NAMES = {
    "bool": "bool",
    "uint8": "unsigned char",
    "int32": "int",
    "int64": "long long",
    "float32": "float",
    "float64": "double",
}
FLOATS = ("float32", "float64")

_sources: dict[str, Source] = {}


class Source:
    """CUDA C in which some type names are open: real=FLOATS means that `real` may be float or double."""

    def __init__(self, name: str, *parts: str, **types: Sequence[str]) -> None:
        self.name, self.code, self.types = name, "\n".join(parts), types
        self._kernels: dict[Any, Any] = {}
        _sources[name] = self

    def kernel(self, name: str, *dtypes: Any) -> Any:
        """The kernel of that name, with the open types filled in, in their order; compiled if it is not yet."""
        key = (name, *dtypes)
        if key not in self._kernels:
            code = self.text(*(np.dtype(dtype).name for dtype in dtypes))
            module = cupy.RawModule(code=code, options=OPTIONS)
            module.compile(log_stream=_notice)
            self._kernels[key] = module.get_function(name)
        return self._kernels[key]

    def text(self, *dtypes: str) -> str:
        """What the compiler gets: the open types as typedefs, then the code; in ASCII.

        CuPy writes it to a file in the locale's encoding, which need not have the mathematical signs of our comments.
        """
        filled = zip(self.types, dtypes, strict=True)
        code = "".join(f"typedef {CUDA_NAMES[dtype]} {name};\n" for name, dtype in filled) + self.code
        return code.encode("ascii", "backslashreplace").decode()

    def instances(self) -> Iterator[tuple[str, str]]:
        """The name and text of every choice of types."""
        for dtypes in product(*self.types.values()):
            yield "-".join((self.name, *dtypes)), self.text(*dtypes)


class _Notice:
    """A log for CuPy's compiler, which writes to it when it compiles, not when it loads what it compiled before."""

    said = False

    def write(self, log: str) -> None:
        if not self.said:
            print("minicnn: compiling its kernels for this GPU, once (some seconds) …", file=sys.stderr)
            self.said = True


_notice = _Notice()


def all_sources() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Every kernel source in every type, by name, with the compiler's options: what can be compiled without a GPU."""
    return {name: (text, OPTIONS) for source in _sources.values() for name, text in source.instances()}


def launch_each(kernel: Any, count: int, *arguments: Any) -> None:
    """Launch a kernel with one thread for each of `count` elements; its last parameter is that count."""
    check_size(count)
    if count:
        kernel((-(-count // THREADS),), (THREADS,), (*arguments, np.int32(count)))


def check_size(count: int) -> None:
    """Raise ValueError for an array of more elements than an `int` can number."""
    if count > LIMIT:
        raise ValueError(
            explain("the GPU's kernels", f"arrays of at most {LIMIT} elements", str(count), "Use smaller batches.")
        )


def multiprocessors() -> int:
    """How many blocks the device runs side by side, at the least: one on each of its multiprocessors."""
    device = cupy.cuda.runtime.getDevice()
    if device not in _multiprocessors:
        _multiprocessors[device] = cupy.cuda.Device(device).attributes["MultiProcessorCount"]
    return _multiprocessors[device]


_multiprocessors: dict[int, int] = {}


def counters(count: int) -> Array:
    """At least `count` zeros (int32) for the blocks of a launch to count themselves with; they are left at zero.

    Each stream has its own, for launches of one stream never run at the same time; so has each of Python's threads, for
    "the thread's own stream" is another one in each.
    """
    key = cupy.cuda.runtime.getDevice(), cupy.cuda.get_current_stream().ptr
    mine = _of_this_thread.counters
    if key not in mine or mine[key].size < count:
        mine[key] = cupy.zeros(max(1024, 2 * count), np.int32)
    return mine[key]


class _OfThisThread(local):
    def __init__(self) -> None:
        self.counters: dict[tuple[int, int], Array] = {}


_of_this_thread = _OfThisThread()

LAST_TO_ARRIVE = """
// Whether this block is the last of several to come here: then it sees all that the others wrote before they came,
// and can add up their parts in a fixed order. The counter is zero again for the next launch.
__device__ bool last_to_arrive(int* counter, int blocks)
{
    __shared__ bool last;
    __threadfence();  // what this block wrote is there for all, before it is counted
    __syncthreads();
    if (threadIdx.x == 0 && threadIdx.y == 0) {
        last = atomicAdd(counter, 1) == blocks - 1;
        if (last) *counter = 0;
    }
    __syncthreads();
    __threadfence();  // nothing below is read before the count
    return last;
}
"""
