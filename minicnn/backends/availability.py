"""Whether a GPU can be used here, found out in steps: each thing that may be missing has its own remedy."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

from ..errors import BackendError

INSTALL = 'pip install "cupy-cuda12x[ctk]"'
USE_THE_CPU = 'Without a GPU: --device cpu, or minicnn.use_device("cpu").'


@cache
def check_gpu() -> None:
    """Try the GPU out, once: CuPy finds a driver and a device, and the CUDA libraries compile and multiply.

    Raises BackendError with what is missing and how to get it: having CuPy says nothing about the other two.
    """
    if find_spec("cupy") is None:
        raise BackendError(
            f"The GPU backend needs CuPy, and an NVIDIA card with a driver for CUDA 12: {INSTALL}. {USE_THE_CPU}"
        )
    try:
        import cupy
    except Exception as error:  # a broken wheel, two of them, another CUDA: whatever it is, it is no GPU
        raise BackendError(
            f"CuPy is installed but cannot be imported: {_first_line(error)}. It wants exactly one of its wheels: "
            f"{INSTALL}. {USE_THE_CPU}"
        ) from error
    if not cupy.cuda.is_available():
        raise BackendError(
            "CuPy finds no NVIDIA GPU that it can use: no device, or no driver (nvidia-smi shows both), or a driver "
            f"older than CUDA 12 needs. {USE_THE_CPU}"
        )
    try:
        ones = cupy.ones((2, 2), "float32")
        works = float((ones @ ones).sum()) == 8
    except Exception as error:
        raise BackendError(
            f"The GPU is there, but a product of two small matrices fails: {_first_line(error)}. If a CUDA library is "
            f"missing, this brings them all: {INSTALL}. {USE_THE_CPU}"
        ) from error
    if not works:
        raise BackendError(f"The GPU multiplies two small matrices wrongly: it or its driver is broken. {USE_THE_CPU}")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0].rstrip('.')}"


def describe_gpu() -> dict[str, str | float]:
    """The device in use, as a bug report needs it: name, compute capability, versions, memory. Needs a usable GPU."""
    import cupy

    runtime = cupy.cuda.runtime
    device = cupy.cuda.Device()
    properties = runtime.getDeviceProperties(device.id)
    return {
        "name": properties["name"].decode(),
        "compute_capability": f"{properties['major']}.{properties['minor']}",
        "memory_gib": round(runtime.memGetInfo()[1] / 2**30, 1),
        "driver_cuda": _cuda_version(runtime.driverGetVersion()),  # the newest CUDA that the driver takes
        "runtime_cuda": _cuda_version(runtime.runtimeGetVersion()),
    }


def _cuda_version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
