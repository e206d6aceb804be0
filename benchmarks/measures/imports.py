"""How long does the import take? A new interpreter that imports the library, less one that imports nothing."""

from __future__ import annotations

import subprocess
from functools import partial
from time import perf_counter

from ..bench import Bench
from ..crew import environment
from ..rivals import variants


def measure(bench: Bench) -> None:
    def run(rival: str, code: str) -> float:
        command = [str(bench.pythons.of(rival)), "-c", code]
        start = perf_counter()
        subprocess.run(command, env=environment(rival, bench.settings.threads), check=True, capture_output=True)
        return perf_counter() - start

    def import_time(rival: str, module: str) -> float:
        return run(rival, f"import {module}") - run(rival, "pass")

    def race(case: str, modules: dict[str, str]) -> None:
        for rival, module in modules.items():
            import_time(rival, module)  # brings the files into memory
        turns = {rival: partial(import_time, rival, module) for rival, module in modules.items()}
        bench.record("import", case, "s", bench.race(case, turns, share=1 / 2))

    modules: dict[tuple[str, ...], str] = {}
    for rival in bench.crew:  # variants that import the same are measured once
        modules.setdefault((variants()[rival].imports, *variants()[rival].variables.values()), rival)
    race("the library", {rival: module for (module, *_), rival in modules.items()})
    race("NumPy alone, to compare with", {"minicnn": "numpy"})
