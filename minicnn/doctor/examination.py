"""The whole examination as one dictionary, for the terminal and for the JSON report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from .. import __version__
from ..backends import DEVICES
from ..backends.availability import has_tf32
from ..errors import BackendError
from .checks import Check, check_backend
from .machine import default_backend, describe_backends, describe_machine, describe_packages

SCHEMA = 1  # version of the dictionary; incremented by changes that matter to programs that read reports


def examine(
    device: str | None = None,
    models: bool = False,
    *,
    batch_size: int = 64,
    rounds: int = 5,
    calls: int = 4,
    progress: Callable[[str], None] = lambda what: None,
) -> dict[str, Any]:
    """The machine, its backends, whether they compute the same as the textbook, and their times.

    `device` restricts it to "cpu" or "gpu". `models` times training steps of the report's seven models, too, on the
    default backend and the GPU. A time is the median of `rounds` rounds of `calls` calls. Raises BackendError if a
    device is given, but cannot be used.
    """
    here = describe_machine()  # first, so that the load does not include this examination
    found = describe_backends(device)
    usable = [name for name, facts in found.items() if facts["available"]]
    if device and not usable:
        raise BackendError(" ".join(facts["why_not"] for facts in found.values()))
    checks, broken = [], []
    for name in list(usable):
        progress(f"checking every operation of {name}")
        try:
            checks += check_backend(name, rounds, calls)
        except BackendError as error:
            if device:
                raise
            broken.append(str(error))
            usable.remove(name)
    steps = _steps(usable, batch_size, rounds, calls, progress) if models else []
    rounding = _rounding(usable, batch_size, progress) if models else []
    failures = [*broken, *_failures(found, checks, steps, rounding)]
    return {
        "schema": SCHEMA,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "minicnn": __version__,
        "machine": here,
        "packages": describe_packages(),
        "backends": found,
        "operations": [asdict(check) for check in checks],
        "steps": {"batch_size": batch_size, "times": steps} if models else None,
        "rounding": rounding if models else None,
        "failures": failures,
        "summary": _summary(device, found, checks, failures),
    }


def _steps(
    usable: list[str], batch_size: int, rounds: int, calls: int, progress: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Times of training steps of the seven models on the best backend of each device; on the GPU with TF32, too."""
    from .networks import time_steps

    best = [next(name for name in names if name in usable) for names in DEVICES.values() if {*names} & {*usable}]
    times = []
    for name in best:
        for tf32 in (False, True) if name in DEVICES["gpu"] and has_tf32() else (False,):
            progress(f"timing the seven models on {name}{' with TF32' if tf32 else ''}")
            times += time_steps(name, batch_size, rounds, calls, tf32)
    return [asdict(time) for time in times]


def _rounding(usable: list[str], batch_size: int, progress: Callable[[str], None]) -> list[dict[str, Any]]:
    """The rounding errors of products on the GPU, in float32 and with TF32."""
    from .rounding import rounding_errors

    errors = []
    for name in DEVICES["gpu"]:
        if name in usable:
            progress(f"comparing float32 with TF32 on {name}")
            errors += rounding_errors(name, batch_size)
            errors += rounding_errors(name, batch_size, tf32=True) if has_tf32() else []
    return [asdict(error) for error in errors]


def _failures(
    found: dict[str, Any], checks: list[Check], steps: list[dict[str, Any]], rounding: list[dict[str, Any]]
) -> list[str]:
    """What does not work, one sentence each. A missing backend is no failure, unless it is the default one."""
    broken = [facts["why_not"] for facts in found.values() if facts["default"] and not facts["available"]]
    wrong = [
        f"{check.operation} of {check.backend} in {check.dtype}: {check.problem}" for check in checks if not check.ok
    ]
    measured = [(f"a step of {step['model']}", step) for step in steps] + [(r["operation"], r) for r in rounding]
    stuck = [
        f"{what} on {facts['backend']}{' with TF32' if facts['tf32'] else ''}: {facts['problem']}"
        for what, facts in measured
        if facts["problem"]
    ]
    return broken + wrong + stuck


def _summary(device: str | None, found: dict[str, Any], checks: list[Check], failures: list[str]) -> str:
    wrong = {(check.operation, check.backend): None for check in checks if not check.ok}
    if wrong:
        names = ", ".join(f"{operation} ({backend})" for operation, backend in wrong)
        operations = "1 operation differs" if len(wrong) == 1 else f"{len(wrong)} operations differ"
        return f"{operations} from the textbook: {names}."
    if failures:
        return f"Something does not work: {'; '.join(failures)}."
    if device == "gpu":
        return "Everything works: cupy will be used on the GPU."
    if default_backend() == "numpy":
        return f"Everything works: numpy will be used, many times slower than numba. {found['numba']['why_not']}"
    gpu = ", cupy if you ask for the GPU" if "cupy" in found and found["cupy"]["available"] else ""
    return f"Everything works: numba will be used{gpu}."
