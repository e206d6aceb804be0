"""Whether Numba or a GPU can be used on this machine, checked in steps: each missing part has its own remedy."""

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

NUMBA_VERSIONS = "0.62", "0.69"
"""The versions of Numba that the kernels are tested with: at least the first, below the second; as in pyproject.toml.

With Numba 0.61 (LLVM 15), compiling the kernels aborts the process. Numba 0.60 confuses the types of calls with many
arguments and may run the machine code for other types."""

THREAD_POOLS = {"omp": "omppool", "tbb": "tbbpool", "workqueue": "workqueue"}
"""The module of each of Numba's threading layers."""

INSTALL_NUMBA = 'pip install "numba>={},<{}"'.format(*NUMBA_VERSIONS)
INSTALL = 'pip install "cupy-cuda12x[ctk]"'
USE_THE_CPU = 'Without a GPU: --device cpu, or minicnn.use_device("cpu").'


@cache
@delayed_interrupt()  # a package whose import was interrupted cannot be imported again
def check_numba() -> None:
    """Check Numba, once: it can be imported, its version is a tested one, and a small kernel computes correctly.

    The kernels use internals of Numba that any version may change. Raises BackendError with the reason and a remedy.
    """
    first, end = NUMBA_VERSIONS
    if find_spec("numba") is None:
        raise BackendError(f"The numba backend needs Numba: {INSTALL_NUMBA}")
    try:
        import numba
    except Exception as error:  # NumPy is too new, the wheel is broken: an import may raise anything
        raise BackendError(
            f"Numba is installed but cannot be imported: {first_line(error)}. Try: {INSTALL_NUMBA}"
        ) from error
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        raise BackendError("The numba backend needs Numba's compiler, which NUMBA_DISABLE_JIT switches off: unset it.")
    layer = numba.config.THREADING_LAYER  # type: ignore[attr-defined]
    if layer not in ("default", "safe", "threadsafe", "forksafe"):  # these choose one that is there
        try:
            import_module(f"numba.np.ufunc.{THREAD_POOLS[layer]}")
        except (KeyError, ImportError) as error:
            raise BackendError(
                f"NUMBA_THREADING_LAYER names {layer!r}, which this Numba cannot use. Unset it."
            ) from error
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
    except Exception as error:  # a compiler that does not fit this machine may raise anything
        raise BackendError(
            f"Numba {numba.__version__} is installed, but a small kernel fails: {first_line(error)}. "
            f"Try: {INSTALL_NUMBA}"
        ) from error
    if not np.array_equal(computed, expected):
        raise BackendError(f"Numba {numba.__version__} compiles a small kernel wrongly. Try: {INSTALL_NUMBA}")


def _numbers(version: str) -> tuple[int, ...]:
    """The first two numbers of a version, for comparison."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


@cache
def check_gpu() -> None:
    """Check the GPU, once: CuPy can be imported, finds driver and device, and CUDA compiles and multiplies.

    Raises BackendError with what is missing and how to install it.
    """
    cupy = _imported()
    if cupy.cuda.runtime.is_hip:
        raise BackendError(
            f"This CuPy is built for AMD's GPUs (ROCm); the GPU backend is CUDA C for NVIDIA's. {USE_THE_CPU}"
        )
    if not cupy.cuda.is_available():
        raise BackendError(
            "CuPy finds no NVIDIA GPU that it can use: no device, no driver (nvidia-smi shows both), or a driver too "
            f"old for its CUDA. {USE_THE_CPU}"
        )
    try:
        ones = cupy.ones((2, 2), "float32")
        works = float((ones @ ones).sum()) == 8
    except Exception as error:  # a missing or mismatched CUDA library may raise anything
        raise BackendError(
            f"There is a GPU, but a product of two small matrices fails: {first_line(error)}. If a CUDA library is "
            f"missing, this installs all of them: {libraries()}. {USE_THE_CPU}"
        ) from error
    if not works:
        raise BackendError(
            f"The GPU computes a wrong product of two small matrices: it or its driver is broken. {USE_THE_CPU}"
        )


def _imported() -> Any:
    """The module cupy. Raises BackendError if it cannot be imported."""
    if find_spec("cupy") is None:
        raise BackendError(
            f"The GPU backend needs CuPy, and an NVIDIA card with a driver for CUDA 12: {INSTALL}. {USE_THE_CPU}"
        )
    try:
        import cupy
    except Exception as error:  # a broken wheel, two of them, another CUDA: an import may raise anything
        raise BackendError(
            f"CuPy is installed but cannot be imported: {first_line(error)}. It needs exactly one of its wheels, found "
            f"{' and '.join(installed_cupy()) or 'none'}: {libraries()}. {USE_THE_CPU}"
        ) from error
    return cupy


def installed_cupy() -> list[str]:
    """The installed distributions of CuPy. There is one for each CUDA version; two of them break each other."""
    names = {str(distribution.metadata["Name"]).lower() for distribution in distributions()}
    return sorted(name for name in names if re.fullmatch(r"cupy(-(cuda|rocm).*)?", name))


def libraries() -> str:
    """How to install the CUDA libraries for the installed CuPy, without a second CuPy."""
    found = installed_cupy()
    if len(found) > 1:
        return f"pip uninstall {' '.join(found)}, then {INSTALL}"
    if found in ([], ["cupy-cuda12x"]):
        return INSTALL
    if found == ["cupy-cuda13x"]:
        return 'pip install "cupy-cuda13x[ctk]"'
    return f"the CUDA Toolkit that {found[0]} was built for"


def has_tf32() -> bool:
    """Whether the GPU's tensor cores support TF32: from sm_80 on (A100, RTX 30). Needs a usable GPU."""
    import cupy

    return int(cupy.cuda.Device().compute_capability) >= 80


@cache
def warn_without_tf32() -> None:
    """Warn, once, that this GPU has no TF32."""
    warnings.warn("This GPU has no TF32 (it needs sm_80: A100, RTX 30), so it computes in float32.", stacklevel=3)


def first_line(error: BaseException) -> str:
    """An exception's class and the first line of its message."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0].rstrip('.')}"


def describe_gpu() -> dict[str, str | float]:
    """The device in use, for a bug report: name, compute capability, versions, memory. Needs a usable GPU."""
    import cupy

    runtime = cupy.cuda.runtime
    device = cupy.cuda.Device()
    properties = runtime.getDeviceProperties(device.id)
    return {
        "name": properties["name"].decode(),
        "compute_capability": f"{properties['major']}.{properties['minor']}",
        "memory_gib": round(runtime.memGetInfo()[1] / 2**30, 1),
        "driver_cuda": _cuda_version(runtime.driverGetVersion()),  # the newest CUDA that the driver supports
        "runtime_cuda": _cuda_version(runtime.runtimeGetVersion()),
    }


def _cuda_version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
