"""Reads the assembler's log: registers, shared memory and spills of each kernel.

A kernel that needs more registers than a thread may have keeps values in "local" memory, which is as slow as the
device's main memory: spills. So does an array whose index the compiler does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

ENTRY = re.compile(r"Compiling entry function '(?P<name>\w+)' for 'sm_(?P<architecture>\d+)'")
STACK = re.compile(r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill")
USED = re.compile(r"Used (?P<registers>\d+) registers")
SHARED = re.compile(r"(?P<shared>\d+) bytes smem")


@dataclass
class Usage:
    """The resources of one kernel on one architecture, in bytes except for registers."""

    source: str
    kernel: str
    architecture: int
    registers: int = 0
    shared: int = 0
    stack: int = 0
    spilled: int = 0

    @property
    def is_bad(self) -> bool:
        return self.stack > 0 or self.spilled > 0


def usages(source: str, log: str) -> list[Usage]:
    """The kernels that a log names. The functions that a kernel calls count for the kernel."""
    found: list[Usage] = []
    for line in log.splitlines():
        if entry := ENTRY.search(line):
            found.append(Usage(source, entry["name"], int(entry["architecture"])))
        elif not found:
            continue
        elif stack := STACK.search(line):
            found[-1].stack += int(stack["stack"])
            found[-1].spilled += int(stack["stores"]) + int(stack["loads"])
        elif used := USED.search(line):
            found[-1].registers = int(used["registers"])
            found[-1].shared = int(shared["shared"]) if (shared := SHARED.search(line)) else 0
    return found


def table(found: Iterable[Usage], architectures: Iterable[int]) -> str:
    """A line for each kernel, a column for each architecture: registers of a thread / bytes of shared memory."""
    architectures = list(architectures)
    rows: dict[tuple[str, str], dict[int, Usage]] = {}
    for usage in found:
        rows.setdefault((usage.source, usage.kernel), {})[usage.architecture] = usage
    width = max((len(f"{source}: {kernel}") for source, kernel in rows), default=0)
    head = " " * width + "".join(f"  {f'sm_{architecture}':>12}" for architecture in architectures)
    lines = [
        f"{f'{source}: {kernel}':<{width}}" + "".join(f"  {cell(row.get(a)):>12}" for a in architectures)
        for (source, kernel), row in rows.items()
    ]
    return "\n".join([head, *lines, "(registers of a thread / bytes of shared memory; ! spills or uses local memory)"])


def cell(usage: Usage | None) -> str:
    if usage is None:
        return "-"
    return f"{usage.registers} / {usage.shared}{'!' if usage.is_bad else ''}"


def complaints(found: Iterable[Usage], errors: Mapping[tuple[str, int], str]) -> list[str]:
    """A sentence for each kernel that spills, and each source that does not compile."""
    spills = [
        f"{u.source}: {u.kernel} on sm_{u.architecture}: expected no local memory, found {u.stack} bytes of it and "
        f"{u.spilled} bytes spilled. Use fewer values at once, or larger __launch_bounds__; index arrays by constants."
        for u in found
        if u.is_bad
    ]
    failures = [f"{source} does not compile for sm_{a}:\n{log}" for (source, a), log in errors.items()]
    return spills + failures
