"""Builds the device's core with gcc and loads it."""

from __future__ import annotations

import ctypes
import subprocess
import sysconfig
from functools import cache
from pathlib import Path

from .cache import HERE, cached
from .errors import PretendDeviceError
from .signatures import refusals_in_c

DEVICE = {  # the properties of an H100 that programs read
    "name": b"pretend device (this machine's processor)",
    "totalGlobalMem": 80 << 30,
    "sharedMemPerBlock": 49152,
    "sharedMemPerBlockOptin": 232448,
    "regsPerBlock": 65536,
    "warpSize": 32,
    "maxThreadsPerBlock": 1024,
    "maxThreadsDim": (1024, 1024, 64),
    "maxGridSize": (2147483647, 65535, 65535),
    "multiProcessorCount": 132,
    "major": 9,
    "minor": 0,
    "l2CacheSize": 50 << 20,
    "pciBusID": 0,
    "pciDeviceID": 0,
    "pciDomainID": 0,
}


@cache
def core() -> ctypes.PyDLL:
    """The core, whose functions run with Python's lock held and may raise."""
    library = ctypes.PyDLL(str(cached("libcore.so", build)), mode=ctypes.RTLD_GLOBAL)  # kernels are linked to it
    for function in ("mock_set_error_class", "mock_set_cuda_error", "mock_set_device_properties"):
        getattr(library, function).argtypes = [ctypes.py_object]
        getattr(library, function).restype = None
    library.mock_submit_cublas.argtypes = [ctypes.py_object]
    library.mock_submit_cublas.restype = ctypes.py_object
    library.mock_is_device_memory.argtypes = [ctypes.c_ssize_t, ctypes.c_size_t]
    library.mock_set_error_class(PretendDeviceError)
    library.mock_set_cuda_error(cuda_error)
    library.mock_set_device_properties(DEVICE)
    return library


def cuda_error(interface: str, number: int) -> Exception:
    """CuPy's exception for CUDA's error of that number."""
    from cupy_backends.cuda.api.driver import CUDADriverError
    from cupy_backends.cuda.api.runtime import CUDARuntimeError

    error = CUDARuntimeError(number)
    if interface == "driver":
        error = CUDADriverError.__new__(CUDADriverError, str(error))  # __init__ would ask the driver for the name
        error.status = number
    return error


def build(target: Path) -> None:
    refusals = target.parent / "refusals.c"
    refusals.write_text(refusals_in_c(), "utf-8")
    sources = [*sorted((HERE / "core").glob("*.c")), refusals]
    include = [f"-I{sysconfig.get_path('include')}", f"-I{HERE / 'core'}"]
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-O2", "-g", "-fPIC", "-shared", "-U_FORTIFY_SOURCE"]
    command = ["gcc", *flags, *include, *map(str, sources), "-o", str(target), "-ldl"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise PretendDeviceError(f"the pretend device's core does not compile:\n{result.stderr}")
