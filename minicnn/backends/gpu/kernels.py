"""Compiling and launching CUDA C: sources with open type names, compiled for each type at the first call.

CuPy compiles with NVRTC and caches the result on disk, so only the first run waits. Launches are asynchronous; nothing
here waits for a kernel. Arrays have fewer than 2³¹ elements, so that an `int` can index them.
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
THREADS = 256  # threads per block
WARP = 32  # threads per warp
LIMIT = 2**31 - 2**20  # elements: an `int` index may exceed the last element by up to a grid and must not overflow

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
    """CUDA C with open type names: real=FLOATS means that `real` may be float or double."""

    def __init__(self, name: str, *parts: str, **types: Sequence[str]) -> None:
        self.name, self.code, self.types = name, "\n".join(parts), types
        self._kernels: dict[Any, Any] = {}
        _sources[name] = self

    def kernel(self, name: str, *dtypes: Any) -> Any:
        """The kernel of this name with these types for the open names, in order; compiled on the first call."""
        key = (name, *dtypes)
        if key not in self._kernels:
            code = self.text(*(np.dtype(dtype).name for dtype in dtypes))
            module = cupy.RawModule(code=code, options=OPTIONS)
            module.compile(log_stream=_notice)
            self._kernels[key] = module.get_function(name)
        return self._kernels[key]

    def text(self, *dtypes: str) -> str:
        """The text for the compiler: the open types as typedefs, then the code; in ASCII.

        CuPy writes it to a file in the locale's encoding, which may lack the mathematical signs of the comments.
        """
        filled = zip(self.types, dtypes, strict=True)
        code = "".join(f"typedef {CUDA_NAMES[dtype]} {name};\n" for name, dtype in filled) + self.code
        return code.encode("ascii", "backslashreplace").decode()

    def instances(self) -> Iterator[tuple[str, str]]:
        """The name and text for every combination of types."""
        for dtypes in product(*self.types.values()):
            yield "-".join((self.name, *dtypes)), self.text(*dtypes)


class _Notice:
    """A log for CuPy's compiler, which writes to it when it compiles, but not when it loads from its cache."""

    said = False

    def write(self, log: str) -> None:
        if not self.said:
            print("minicnn: compiling its kernels for this GPU, once (some seconds) …", file=sys.stderr)
            self.said = True


_notice = _Notice()


def all_sources() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Every kernel source in every type, by name, with the compiler's options; they compile without a GPU, too."""
    return {name: (text, OPTIONS) for source in _sources.values() for name, text in source.instances()}


def launch_each(kernel: Any, count: int, *arguments: Any) -> None:
    """Launch a kernel with one thread per element; its last parameter is `count`, the number of elements."""
    check_size(count)
    if count:
        kernel((-(-count // THREADS),), (THREADS,), (*arguments, np.int32(count)))


def check_size(count: int) -> None:
    """Raise ValueError for an array of more elements than an `int` can index."""
    if count > LIMIT:
        raise ValueError(
            explain("the GPU's kernels", f"arrays of at most {LIMIT} elements", str(count), "Use smaller batches.")
        )


def multiprocessors() -> int:
    """The device's number of multiprocessors: at least so many blocks run at the same time."""
    device = cupy.cuda.runtime.getDevice()
    if device not in _multiprocessors:
        _multiprocessors[device] = cupy.cuda.Device(device).attributes["MultiProcessorCount"]
    return _multiprocessors[device]


_multiprocessors: dict[int, int] = {}


def counters(count: int) -> Array:
    """At least `count` zeros (int32), with which the blocks of a launch count their arrivals; the launch resets them.

    Each stream has its own counters, since only launches of one stream never overlap. Each Python thread has its own,
    too: the per-thread default stream has the same number in all threads.
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
// Whether this block is the last of `blocks` to arrive here. The last one sees everything that the others wrote before
// they arrived, and can add up their parts in a fixed order. It resets the counter to zero for the next launch.
__device__ bool last_to_arrive(int* counter, int blocks)
{
    __shared__ bool last;
    __threadfence();  // makes this block's writes visible to all before it is counted
    __syncthreads();
    if (threadIdx.x == 0 && threadIdx.y == 0) {
        last = atomicAdd(counter, 1) == blocks - 1;
        if (last) *counter = 0;
    }
    __syncthreads();
    __threadfence();  // orders the reads below after the count
    return last;
}
"""
