"""Installs the pretend device, step by step."""

from __future__ import annotations

import os
from types import ModuleType

from . import cublas, kernels, nvrtc, pointers, refusals
from .conditions import check_conditions

state = {"installed": False}


def is_installed() -> bool:
    return state["installed"]


def install(check_bounds: bool = False) -> None:
    """Makes CuPy, which must not have been imported yet, run on the pretend device. A second call does nothing.

    With `check_bounds`, an index outside of a shared or local array that a kernel declares stops the kernel.

    Raises PretendDeviceError where a real GPU is present, CuPy has another version than the one this was written for,
    or g++ is missing.
    """
    if is_installed():
        return
    check_conditions()
    os.environ["CUPY_ACCELERATORS"] = ""  # the others are precompiled for GPUs
    pointers.swap(modules_with_entry_points())
    refusals.put_module(cublas.stand_in("cupy_backends.cuda.libs.cublas"))
    nvrtc.replace_functions(check_bounds)
    refusals.refuse_libraries()
    kernels.compile_with_nvrtc_only()
    refusals.refuse_precompiled_code()
    state["installed"] = True


def modules_with_entry_points() -> dict[str, ModuleType]:
    from cupy_backends.cuda.api import driver, runtime

    return {"runtime": runtime, "driver": driver}
