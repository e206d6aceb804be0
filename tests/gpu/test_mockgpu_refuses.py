"""Functions that the pretend device cannot run raise an error instead of returning wrong results."""

from __future__ import annotations

import mockgpu
import numpy as np
import pytest

cp = pytest.importorskip("cupy")
pytestmark = pytest.mark.skipif(not mockgpu.is_installed(), reason="tests the pretend device, and this is a real one")

FLOATS = np.arange(9, dtype=np.float32)


def sparse():
    from cupyx.scipy.sparse import csr_matrix

    return csr_matrix(cp.eye(3)) @ cp.ones(3)


def graph():
    stream = cp.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()


def elapsed_time():
    start, end = cp.cuda.Event(), cp.cuda.Event()
    start.record()
    end.record()
    return cp.cuda.get_elapsed_time(start, end)


REFUSED = {
    "sort": lambda: cp.sort(cp.asarray(FLOATS)),
    "argsort": lambda: cp.argsort(cp.asarray(FLOATS)),
    "sort in place": lambda: cp.asarray(FLOATS).sort(),
    "lexsort": lambda: cp.lexsort(cp.asarray(FLOATS)[None]),
    "partition": lambda: cp.partition(cp.asarray(FLOATS), 3),
    "argpartition": lambda: cp.argpartition(cp.asarray(FLOATS), 3),
    "unique": lambda: cp.unique(cp.asarray(FLOATS)),
    "median": lambda: cp.median(cp.asarray(FLOATS)),
    "permutation": lambda: cp.random.permutation(9),
    "shuffle": lambda: cp.random.shuffle(cp.asarray(FLOATS)),
    "seed": lambda: cp.random.seed(0),
    "rand": lambda: cp.random.rand(3),
    "normal": lambda: cp.random.normal(size=3),
    "randint": lambda: cp.random.randint(3, size=3),
    "RandomState": lambda: cp.random.RandomState(0),
    "default_rng": lambda: cp.random.default_rng(0),
    "Generator": lambda: cp.random.Generator(cp.random.XORWOW(0)),
    "XORWOW": lambda: cp.random.XORWOW(0),
    "Philox": lambda: cp.random.Philox4x3210(0),
    "cub": lambda: cp.cuda.cub.device_reduce(cp.asarray(FLOATS), cp.cuda.cub.CUPY_CUB_SUM, (0,)),
    "fft": lambda: cp.fft.fft(cp.asarray(FLOATS)),
    "solve": lambda: cp.linalg.solve(cp.eye(3), cp.ones(3)),
    "svd": lambda: cp.linalg.svd(cp.eye(3)),
    "inv": lambda: cp.linalg.inv(cp.eye(3)),
    "qr": lambda: cp.linalg.qr(cp.eye(3)),
    "eigh": lambda: cp.linalg.eigh(cp.eye(3)),
    "sparse": sparse,
    "nccl": lambda: cp.cuda.nccl.NcclCommunicator(1, (), 0),
    "graph": graph,
    "time": elapsed_time,
    "managed memory": lambda: cp.cuda.malloc_managed(16),
    "asynchronous pool": lambda: cp.cuda.MemoryAsyncPool(),
    "texture": lambda: cp.cuda.texture.CUDAarray(cp.cuda.texture.ChannelFormatDescriptor(32, 0, 0, 0, 2), 4),
    "complex product": lambda: cp.ones((2, 2), np.complex64) @ cp.ones((2, 2), np.complex64),
    "float16": lambda: cp.ones(3, np.float16) + 1,
    "nvcc": lambda: cp.RawModule(code="", backend="nvcc").get_function("k"),
    "module from a file": lambda: cp.RawModule(path=__file__).get_function("k"),
    "cooperative launch": lambda: cp.RawKernel(
        'extern "C" __global__ void k() {}', "k", enable_cooperative_groups=True
    )((1,), (1,), ()),
    "constant memory": lambda: cp.RawModule(
        code='__constant__ float c[4]; extern "C" __global__ void k() {}'
    ).get_global("c"),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED.keys())
def test_refused(call):
    with pytest.raises(mockgpu.PretendDeviceError, match=r"pretend device|cuBLAS"):
        call()


def test_code_compiled_for_a_gpu():
    with pytest.raises(mockgpu.PretendDeviceError, match="compiled for a GPU"):
        cp.cuda.function.Module().load(b"\x7fELF, say")
