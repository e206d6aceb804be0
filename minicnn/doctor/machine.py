"""The machine: versions, processors, backends, and for each missing backend the reason."""

from __future__ import annotations

import os
import platform
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

from .. import backends
from ..backends.availability import INSTALL, INSTALL_NUMBA, describe_gpu, installed_cupy
from ..errors import BackendError

PACKAGES = {
    "NumPy": "pip install numpy",
    "Numba": INSTALL_NUMBA,
    "CuPy": INSTALL,
    "scikit-learn": "pip install scikit-learn",
    "matplotlib": "pip install matplotlib",
}
NUMBERS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "CUPY_TF32")  # variables that are numbers
PATHS = ("CUDA_PATH",)  # paths may be private: only whether they are set is reported


def describe_machine() -> dict[str, Any]:
    """Python, system, processors and the relevant environment variables."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()}, {platform.machine()}",
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "usable_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "environment": _environment(),
    }


def describe_packages() -> dict[str, dict[str, str | None]]:
    """{package: {"version": …, "install": None}}, or {"version": None, "install": command} for a missing one."""
    found = {}
    for name, command in PACKAGES.items():
        distributions = installed_cupy() if name == "CuPy" else [name.lower()]
        there = {distribution: _version(distribution) for distribution in distributions}
        versions = [v if known == name.lower() else f"{v} ({known})" for known, v in there.items() if v]
        found[name] = {"version": " and ".join(versions) or None, "install": None if versions else command}
    return found


def describe_backends(device: str | None = None) -> dict[str, dict[str, Any]]:
    """Every backend (of one device, if given): whether it can be used, whether it is the default, and why not."""
    places = {name: place for place, names in backends.DEVICES.items() for name in names if device in (None, place)}
    tried = {name: _tried(name) for name in places}
    default = default_backend()  # it loads the backend, so the time of loading is measured before
    return {name: {"device": places[name], "default": name == default} | tried[name] for name in places}


def default_backend() -> str:
    """The backend that is used without a choice."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing Numba is shown in the list of packages
        with backends.use_device("cpu"):
            return backends.backend_name()


def _tried(name: str) -> dict[str, Any]:
    """Whether a backend can be chosen and loaded; `why_not` is the reason if it cannot."""
    facts: dict[str, Any] = {"available": False, "why_not": None, "load_ms": None, "threads": None, "gpu": None}
    try:
        start = perf_counter()
        with backends.use_backend(name):
            backends.active()
            facts["load_ms"] = 1000 * (perf_counter() - start)
            if name == "numba":
                from ..backends.cpu.runtime.threads import thread_count

                facts["threads"] = thread_count()
            if name == "cupy":
                facts["gpu"] = describe_gpu()
        facts["available"] = True
    except BackendError as error:
        facts["why_not"] = str(error)
    except Exception as error:  # a broken installation may raise anything
        facts["why_not"] = f"The {name} backend cannot be loaded: {one_line(error)}"
    return facts


def one_line(error: Exception) -> str:
    """An exception's class and the first line of its message."""
    return ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])


def _environment() -> dict[str, str]:
    numbers = {name: os.environ.get(name, "not set") for name in NUMBERS}
    told = {name: value if value.isdigit() or value == "not set" else "no number" for name, value in numbers.items()}
    return told | {name: "set" if os.environ.get(name) else "not set" for name in PATHS}


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def cpu_model() -> str:
    """The processor's name, if the system provides it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return " ".join(line.split(":", 1)[1].split())
    return platform.processor() or platform.machine()
