"""Where the pretend device refuses to be installed, and what to do there."""

from __future__ import annotations

import ctypes
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .errors import PretendDeviceError

CUPY = "cupy-cuda12x"
CUPY_VERSION = "14.2.0"


def check_conditions() -> None:
    """Raises PretendDeviceError, with a remedy, unless all conditions hold."""
    for problem in (wrong_platform(), real_gpu(), cupy_imported(), wrong_cupy(), missing_compiler()):
        if problem:
            raise PretendDeviceError(f"pretend device: {problem}")


def wrong_platform() -> str | None:
    system, machine = platform.system(), platform.machine()
    if (system, machine) == ("Linux", "x86_64"):
        return None
    return f"expected Linux on x86-64, found {system} on {machine}. Run it in such a machine or container."


def real_gpu() -> str | None:
    """Tests must use a real GPU if there is one; its libraries cannot handle the pretend device's pointers."""
    found = sorted(str(path) for path in Path("/dev").glob("nvidia[0-9]*"))
    if not found and driver_initialises():
        found = ["libcuda.so.1, which initialises"]
    if not found:
        return None
    return f"expected no GPU, found {', '.join(found)}. Use the real one: leave mockgpu.install() out."


def driver_initialises() -> bool:
    try:
        return ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
    except (OSError, AttributeError):
        return False


def cupy_imported() -> str | None:
    if not any(name in sys.modules for name in ("cupy", "cupy_backends")):
        return None
    return "expected cupy not to be imported yet, and it is. Call mockgpu.install() before anything imports cupy."


def wrong_cupy() -> str | None:
    remedy = f"pip install {CUPY}=={CUPY_VERSION}"
    try:
        found = version(CUPY)
    except PackageNotFoundError:
        return f"expected {CUPY} {CUPY_VERSION}, and it is not installed: {remedy}"
    if found == CUPY_VERSION:
        return None
    return f"expected {CUPY} {CUPY_VERSION}, whose entry points to CUDA it knows, found {found}: {remedy}"


def missing_compiler() -> str | None:
    missing = [name for name in ("gcc", "g++") if shutil.which(name) is None]
    if not missing:
        return None
    return f"it compiles kernels with g++, and there is no {' and no '.join(missing)}: apt install g++"
