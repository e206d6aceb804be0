"""Whether Numba or a GPU can be used here, found out in steps: each thing that may be missing has its own remedy."""

from __future__ import annotations

import re
import warnings
from functools import cache
from importlib import import_module
from importlib.metadata import distributions
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..errors import BackendError
from ..interrupts import delayed_interrupt

NUMBA_VERSIONS = "0.61", "0.69"
"""The versions of Numba that the kernels are tested with: from the first on, below the second. As in pyproject.toml.

Numba 0.60 confuses the types of calls with many arguments: the machine code for other types may run."""
INSTALL_NUMBA = 'pip install "numba>={},<{}"'.format(*NUMBA_VERSIONS)
# The one command that all hints name.
INSTALL = 'pip install "cupy-cuda12x[ctk]"'
USE_THE_CPU = 'Without a GPU: --device cpu, or minicnn.use_device("cpu").'


@cache
@delayed_interrupt()  # a package that is imported by half cannot be imported again
def check_numba() -> None:
    """Try Numba out, once: it can be imported, its version is one of those tested, and a small kernel computes.

    The kernels use parts of Numba that any version may change. Raises BackendError with what is wrong and what to
    do.
    """
    first, end = NUMBA_VERSIONS
    if find_spec("numba") is None:
        raise BackendError(f"The numba backend needs Numba: {INSTALL_NUMBA}")
    try:
        import numba
    except Exception as error:  # too new a NumPy, a broken wheel: whatever it is, it is no Numba
        raise BackendError(
            f"Numba is installed but cannot be imported: {first_line(error)}. Try: {INSTALL_NUMBA}"
        ) from error
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        raise BackendError("The numba backend needs Numba's compiler, which NUMBA_DISABLE_JIT switches off: unset it.")
    if not _numbers(first) <= _numbers(numba.__version__) < _numbers(end):
        raise BackendError(
            f"The numba backend is tested with Numba from {first} on, below {end}; this is Numba {numba.__version__}. "
            f"Install another: {INSTALL_NUMBA}"
        )
    try:
        ones = np.ones((2, 2), np.float32)
        computed, expected = (
            import_module(f".{backend}", __package__).dropout(ones, 0.5, 0, 0)[0] for backend in ("cpu", "textbook")
        )
    except Exception as error:
        raise BackendError(
            f"Numba {numba.__version__} is there, but a small kernel fails: {first_line(error)}. Try: {INSTALL_NUMBA}"
        ) from error
    if not np.array_equal(computed, expected):
        raise BackendError(f"Numba {numba.__version__} compiles a small kernel wrongly. Try: {INSTALL_NUMBA}")


def _numbers(version: str) -> tuple[int, ...]:
    """The first two numbers of a version, to be compared."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


@cache
def check_gpu() -> None:
    """Try the GPU out, once: CuPy is there, finds a driver and a device, and the CUDA libraries compile and multiply.

    Raises BackendError with what is missing and how to get it: having CuPy says nothing about the other two.
    """
    cupy = _imported()
    if cupy.cuda.runtime.is_hip:
        raise BackendError(
            f"This CuPy is built for AMD's GPUs (ROCm), and the GPU backend is CUDA C for NVIDIA's. {USE_THE_CPU}"
        )
    if not cupy.cuda.is_available():
        raise BackendError(
            "CuPy finds no NVIDIA GPU that it can use: no device, or no driver (nvidia-smi shows both), or a driver "
            f"older than its CUDA needs. {USE_THE_CPU}"
        )
    try:
        ones = cupy.ones((2, 2), "float32")
        works = float((ones @ ones).sum()) == 8
    except Exception as error:  # a CUDA library that is missing or does not fit raises many things
        raise BackendError(
            f"The GPU is there, but a product of two small matrices fails: {first_line(error)}. If a CUDA library is "
            f"missing, this brings them all: {libraries()}. {USE_THE_CPU}"
        ) from error
    if not works:
        raise BackendError(f"The GPU multiplies two small matrices wrongly: it or its driver is broken. {USE_THE_CPU}")


def _imported() -> Any:
    """CuPy."""
    if find_spec("cupy") is None:
        raise BackendError(
            f"The GPU backend needs CuPy, and an NVIDIA card with a driver for CUDA 12: {INSTALL}. {USE_THE_CPU}"
        )
    try:
        import cupy
    except Exception as error:  # a broken wheel, two of them, another CUDA: whatever it is, it is no GPU
        raise BackendError(
            f"CuPy is installed but cannot be imported: {first_line(error)}. It wants exactly one of its wheels, and "
            f"found {' and '.join(installed_cupy()) or 'none'}: {libraries()}. {USE_THE_CPU}"
        ) from error
    return cupy


def installed_cupy() -> list[str]:
    """The installed distributions of CuPy: it has one for each CUDA, and two of them break each other."""
    names = {str(distribution.metadata["Name"]).lower() for distribution in distributions()}
    return sorted(name for name in names if re.fullmatch(r"cupy(-(cuda|rocm).*)?", name))


def libraries() -> str:
    """How to get the CUDA libraries for the CuPy that is installed: never by a second one."""
    found = installed_cupy()
    if len(found) > 1:
        return f"pip uninstall {' '.join(found)}, then {INSTALL}"
    if found in ([], ["cupy-cuda12x"]):
        return INSTALL
    if found == ["cupy-cuda13x"]:
        return 'pip install "cupy-cuda13x[ctk]"'
    return f"the CUDA Toolkit that {found[0]} was built for"


def has_tf32() -> bool:
    """Whether the GPU's tensor cores know TF32: from sm_80 on (A100, RTX 30). Needs a usable GPU."""
    import cupy

    return int(cupy.cuda.Device().compute_capability) >= 80


@cache
def warn_without_tf32() -> None:
    """Say, the first time, that TF32 was asked for where there is none."""
    warnings.warn("This GPU has no TF32, which came with sm_80 (A100, RTX 30): it computes in float32.", stacklevel=3)


def first_line(error: BaseException) -> str:
    """An exception's kind and the first line of what it says."""
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
