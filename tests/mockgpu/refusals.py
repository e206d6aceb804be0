"""Functions that the pretend device cannot run raise an error instead of returning wrong results.

Sorting, cuFFT and cuRAND's generators are machine code for GPUs inside CuPy's wheel, or libraries of NVIDIA.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn

from .errors import PretendDeviceError

LIBRARIES = {
    "curand": "cuRAND (cupy.random). Draw with NumPy and copy, or in a kernel",
    "cusolver": "cuSOLVER (cupy.linalg's solvers and decompositions). Compute with NumPy",
    "cusparse": "cuSPARSE (cupyx.scipy.sparse). Compute with SciPy",
    "nccl": "NCCL. Use one device",
}
GENERATORS = ("default_rng", "Generator", "BitGenerator", "XORWOW", "MRG32k3a", "Philox4x3210")
PRECOMPILED = {
    "thrust": "Thrust (sort, argsort, unique, median, partition, permutation). Sort with NumPy",
    "cub": "CUB's reductions and scans. Leave CUPY_ACCELERATORS empty",
}


def refuse(what: str) -> NoReturn:
    raise PretendDeviceError(f"the pretend device has no {what}, or run on a real GPU.")


class RefusedLibrary(ModuleType):
    """Replaces a library: every access raises."""

    def __init__(self, name: str, what: str):
        super().__init__(name)
        self.what = what

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python itself asks for these
            raise AttributeError(name)
        refuse(self.what)


class RefusedCall:
    """Replaces a function or a class of code that is precompiled for GPUs."""

    def __init__(self, what: str):
        self.what = what

    def __call__(self, *arguments: Any, **options: Any) -> NoReturn:
        refuse(self.what)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        refuse(self.what)


def refuse_libraries() -> None:
    """Replaces the modules from which CuPy imports NVIDIA's libraries. Call it before CuPy is imported."""
    for name, what in LIBRARIES.items():
        put_module(RefusedLibrary(f"cupy_backends.cuda.libs.{name}", what))


def put_module(module: ModuleType) -> None:
    """Makes `import` find the module, by its full name and as an attribute of its package."""
    package, _, name = module.__name__.rpartition(".")
    sys.modules[module.__name__] = module
    setattr(import_module(package), name, module)


def refuse_precompiled_code() -> None:
    """Replaces the functions of CuPy's wheel that hold machine code for GPUs."""
    import cupy
    import cupy.random

    put_module(RefusedLibrary("cupy.cuda.cufft", "cuFFT (cupy.fft). Compute with NumPy"))
    put_module(RefusedLibrary("cupy.cuda.nccl", LIBRARIES["nccl"]))
    put_module(RefusedLibrary("cupyx._cusolver", LIBRARIES["cusolver"]))
    cupy.cuda.get_elapsed_time = RefusedCall("clock. Leave the timing out")
    for module, what in ((cupy.cuda.thrust, PRECOMPILED["thrust"]), (cupy.cuda.cub, PRECOMPILED["cub"])):
        for name in vars(module).copy():
            if callable(getattr(module, name)) and name[0] != "_" and name not in ("available",):
                setattr(module, name, RefusedCall(what))
    for name in GENERATORS:
        setattr(cupy.random, name, RefusedCall(LIBRARIES["curand"]))
