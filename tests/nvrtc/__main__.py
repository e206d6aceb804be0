"""Compiles every kernel for every architecture, prints the resources of each, and fails if one spills."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from cupy.cuda.compiler import CompileException

from .compiler import compile_to_machine_code
from .report import Usage, complaints, table, usages
from .sources import all_sources

ARCHITECTURES = (70, 75, 80, 89, 90, 120)  # V100, T4, A100, RTX 40, H100, RTX 50


def main(sources: Mapping[str, tuple[str, Sequence[str]]], architectures: Sequence[int] = ARCHITECTURES) -> int:
    """Prints the table; 0 if all kernels compile without spills, else 1."""
    found: list[Usage] = []
    errors: dict[tuple[str, int], str] = {}
    for name, (source, options) in sources.items():
        for architecture in architectures:
            try:
                found += usages(name, compile_to_machine_code(source, options, architecture))
            except CompileException as error:
                errors[name, architecture] = str(error)
    print(table(found, architectures))
    problems = complaints(found, errors)
    if not found and not errors:
        problems.append("there is no kernel in the sources")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(all_sources()))
