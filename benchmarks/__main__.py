"""Run the benchmark: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from . import environments, report
from .bench import LONGEST, Bench, Settings
from .machine import busy_note, describe_machine
from .measures import accuracy, epoch, imports, inference, layers, profile, scaling, startup, training
from .networks import NETWORKS, TITLES, batch_size_of, network_named
from .results import Results
from .rivals import variants
from .workers import available_cpus

PER_MODEL = {"training": training.measure, "inference": inference.measure}
ONCE = {
    "import": imports.measure,
    "start-up": startup.measure,
    "epoch": epoch.measure,
    "scaling": scaling.measure,
    "profile": profile.measure,
    "layers": layers.measure,
    "accuracy": accuracy.measure,
}
MEASURES = [*PER_MODEL, *ONCE]
LONG = ("accuracy",)
"""Measured only if --only names it: it takes hours."""
QUICK = {
    "only": ["training", "inference", "import"],
    "models": ["baseline", "model3", "model5"],
    "rivals": ["minicnn", "keras-tensorflow", "torch"],
}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="minicnn, Keras, PyTorch and DeZero compared: the same networks, verified, timed in turns.",
    )
    names = list(variants())
    parser.add_argument("--quick", action="store_true", help="a few models and rivals, in under three minutes")
    parser.add_argument(
        "--only",
        type=_list_of(MEASURES),
        metavar="A,B",
        help=f"what to measure: {', '.join(MEASURES)} (default: all but {', '.join(LONG)}, which takes hours)",
    )
    parser.add_argument("--models", type=_list_of(NETWORKS), metavar="A,B", help=f"of {', '.join(NETWORKS)}")
    parser.add_argument("--rivals", type=_list_of(names), metavar="A,B", help=f"of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, help="turns of each rival (default 7; 3 with --quick)")
    parser.add_argument(
        "--threads", type=int, default=available_cpus(), help="threads of each rival (default: all CPUs)"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"), help="folder for the results")
    parser.add_argument("--install", action="store_true", help="make the rivals' environments in .venvs/ first")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="[NAME=]PATH",
        help="an interpreter with the libraries, for a rival, an environment "
        "(tensorflow, jax, torch, dezero), or all of them; may be given several times",
    )
    chosen = parser.parse_args(arguments)
    try:
        chosen.pythons = environments.Pythons.parse(chosen.python)
    except ValueError as error:
        parser.error(str(error))
    if not 1 <= chosen.threads <= available_cpus():
        parser.error(f"--threads {chosen.threads}: expected 1 to {available_cpus()}, the CPUs of this process.")
    if chosen.rounds is not None and chosen.rounds < 1:
        parser.error(f"--rounds {chosen.rounds}: expected at least 1.")
    defaults = (
        QUICK
        if chosen.quick
        else {"only": [name for name in MEASURES if name not in LONG], "models": list(NETWORKS), "rivals": names}
    )
    for name, default in defaults.items():
        setattr(chosen, name, getattr(chosen, name) or default)
    if "minicnn" not in chosen.rivals:
        chosen.rivals = ["minicnn", *chosen.rivals]  # all rivals are compared with it
    return chosen


def main(arguments: list[str] | None = None) -> None:
    chosen = parse(arguments)
    try:
        chosen.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"--out {chosen.out}: expected a folder that can be written, found: {error.strerror}.", file=sys.stderr)
        sys.exit(2)
    say = partial(print, flush=True)
    settings = Settings(chosen.models, chosen.rivals, chosen.threads, quick=chosen.quick)
    if chosen.quick:
        settings.rounds, settings.turn, settings.budget = 3, 0.3, 12.0
    settings.rounds = chosen.rounds or settings.rounds
    if chosen.install:
        environments.install(settings.rivals, chosen.pythons, say)
    machine = describe_machine()
    results = Results(machine, vars(settings).copy(), {name: v.label for name, v in variants().items()})
    with (
        tempfile.TemporaryDirectory() as scratch,
        Bench(settings, results, chosen.pythons, Path(scratch), chosen.out / "logs", say) as bench,
    ):
        if note := busy_note(machine["load"], available_cpus()):
            bench.note(note)
        leave_out_missing(bench)
        try:
            run(bench, chosen.only)
        finally:  # an interrupted run keeps its measurements
            results.write(chosen.out / "results.json")
    report.write(results, chosen.out)
    say(f"\n{report.table(results)}\n\nWritten to {chosen.out}: results.json, report.md and figures.")


def leave_out_missing(bench: Bench) -> None:
    """Remove the rivals that are not installed, with a note."""
    for rival in list(bench.settings.rivals):
        if rival != "minicnn" and (reason := environments.why_missing(rival, bench.pythons.of(rival))):
            bench.note(reason)
            bench.settings.rivals.remove(rival)


def run(bench: Bench, only: list[str]) -> None:
    """All requested measurements, one after the other."""
    bench.start_workers()
    measures = [PER_MODEL[name] for name in PER_MODEL if name in only]
    for model in bench.settings.models if measures else []:
        samples = (2 + LONGEST) * batch_size_of(model)
        verified = bench.verified_workers(TITLES[model], network_named(model), samples, bench.workers)
        for measure in measures:
            measure(bench, model, verified)
    for name, measure_once in ONCE.items():
        if name in only:
            measure_once(bench)


def _list_of(known: Any) -> Any:
    def parse_list(text: str) -> list[str]:
        names = [name for name in text.split(",") if name]
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: expected some of {', '.join(known)}")
        return names

    return parse_list


if __name__ == "__main__":
    main()
