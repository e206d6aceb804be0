"""The machine of the measurements, without names of hosts or users, because the page is public."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from minicnn.doctor.machine import cpu_model

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def describe_machine() -> dict[str, Any]:
    """CPU, cores, caches, memory, system, date and load average."""
    import psutil

    return {
        "cpu": cpu_model(),
        "cores": psutil.cpu_count(logical=False),
        "logical_cpus": psutil.cpu_count(),
        "caches": _caches(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()}, {platform.machine()}",
        "python": platform.python_version(),
        "date": datetime.now(timezone.utc).date().isoformat(),
        "load": load_average(),
    }


def load_average() -> float:
    """The average number of processes that ran or waited for a CPU in the last minute."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0


def busy_note(load: float, cpus: int) -> str:
    """A warning if other programs use the machine, otherwise an empty string."""
    if load < 0.25 * cpus:
        return ""
    return (
        f"The load average was {load:g} on {cpus} CPUs when the run began: other programs used the machine, "
        "so the times, and to a lesser degree the ratios, are unreliable."
    )


def _caches() -> dict[str, str]:
    """{"L1d": "32K", "L2": …}, if the system provides it."""
    found = {}
    for entry in sorted(CACHES.glob("index*")):
        level, kind, size = ((entry / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            found[f"L{level}{'d' if kind == 'Data' else ''}"] = size
    return found
