"""Time of the import: that of a new interpreter with the import, minus that without."""

from __future__ import annotations

import subprocess
from functools import partial
from time import perf_counter

from ..bench import Bench
from ..rivals import variants
from ..workers import WorkerError, environment


def measure(bench: Bench) -> None:
    statements: dict[tuple[str, ...], str] = {}
    for rival in bench.workers:  # variants that import the same are measured once
        statements.setdefault((variants()[rival].imports, *variants()[rival].variables.values()), rival)
    _measure(bench, "the library", {rival: statement for (statement, *_), rival in statements.items()})
    _measure(bench, "NumPy alone, to compare with", {"minicnn": "import numpy"})


def _measure(bench: Bench, case: str, statements: dict[str, str]) -> None:
    turns = {rival: partial(_import_time, bench, rival, statement) for rival, statement in statements.items()}
    for rival in list(turns):
        warm_up = turns.pop(rival)
        with bench.may_fail(rival, f"import, {case}"):
            warm_up()  # reads the files into the page cache
            turns[rival] = warm_up
    bench.record("import", case, "s", bench.time_turns(case, turns, share=1 / 2))


def _import_time(bench: Bench, rival: str, statement: str) -> float:
    return _run(bench, rival, statement) - _run(bench, rival, "pass")


def _run(bench: Bench, rival: str, code: str) -> float:
    command = [str(bench.pythons.of(rival)), "-c", code]
    start = perf_counter()
    done = subprocess.run(command, env=environment(rival, bench.settings.threads), capture_output=True, text=True)
    seconds = perf_counter() - start
    if done.returncode:
        raise WorkerError(f"{rival} could not run `{code}`: {done.stderr.strip().splitlines()[-1:]}")
    return seconds
