"""The gain of each mechanism of the CPU backend: how long the networks take without it, all others in place.

    python -m benchmarks.ladder                          all networks, in training and in inference
    python -m benchmarks.ladder --fill                   the same, and the tables go into docs/performance.md
    python -m benchmarks.ladder model5 --rows pooling    one network, and the rows whose names contain a word

Every row runs in its own process, with plain code in the mechanism's place (`plain_code.py`). The rows take turns; a
gain is a row's time divided by that of the whole backend in the same round. `docs/performance.md` explains the
mechanisms.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from .machine import describe_machine
from .networks import NETWORKS, TITLES, batch_size_of, model_of, network_named, samples_for
from .plain_code import ROWS, Row
from .report import fill_page, markdown_table
from .rounds import interleave, ratio, summarise
from .workers import ROOT, Worker, available_cpus

ROUNDS = 5
SECONDS = 0.1  # per turn
NO_LIMIT = float("inf")
SAMPLES = 1000  # of an inference
TRAINING_STEPS, CALLS = 12, 200  # at most, in a turn
PAGE = ROOT / "docs" / "performance.md"
WHOLE = ROWS[0].without

Rounds = dict[str, list[float]]


def start(rows: Sequence[Row], folder: str, stack: ExitStack) -> dict[str, Worker]:
    """A worker for each row. Those that change what is compiled have a kernel cache of their own."""
    workers = {}
    for number, row in enumerate(rows):
        variables = {"LADDER_WITHOUT": row.without, "NUMBA_CACHE_DIR": f"{folder}/{number * row.recompiles}"}
        worker = Worker("minicnn", Path(sys.executable), available_cpus(), Path(folder), variables)
        workers[row.without] = stack.enter_context(worker)
    return workers


def measure(names: Sequence[str], rows: Sequence[Row]) -> Iterator[tuple[str, str, Rounds]]:
    """Title of a table, network, and the rows' seconds in rounds."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        workers = start(rows, folder, stack)
        training = {row.without: workers[row.without] for row in rows if row.training}
        inference = {row.without: workers[row.without] for row in rows if row.inference}
        for name in names:
            batch_size = batch_size_of(name)
            build(name, batch_size, workers, folder)
            yield "training step", name, time_rows(training, "train", batch_size, "batches", TRAINING_STEPS)
            yield f"inference, {SAMPLES:,} images", name, time_rows(inference, "predict", SAMPLES, "calls", CALLS)


def build(name: str, batch_size: int, workers: dict[str, Worker], folder: str) -> None:
    """Build the network in every worker, with the same weights, and compile its kernels."""
    network, weights, data = network_named(name), f"{folder}/weights.npz", f"{folder}/data.npz"
    np.savez(weights, *model_of(network).get_weights())
    x, y = samples_for(network, max(SAMPLES, (2 + TRAINING_STEPS) * batch_size))
    np.savez(data, x=x, y=y)

    def prepare(worker: Worker) -> None:
        worker.ask("data", path=data)
        worker.ask("build", network=network, weights=weights)
        worker.ask("train", batches=1, batch_size=batch_size)
        worker.ask("predict", samples=SAMPLES, calls=1)

    first, *others = workers.values()
    prepare(first)  # what it compiles, others find in the cache
    with ThreadPoolExecutor(available_cpus()) as pool:
        list(pool.map(prepare, others))


def time_rows(workers: dict[str, Worker], call: str, samples: int, count: str, most: int) -> Rounds:
    """Seconds per step or prediction, in rounds; a turn has up to `most` of them."""
    size = {"train": "batch_size", "predict": "samples"}[call]
    turns: dict[str, Callable[[], float]] = {}
    for name, worker in workers.items():
        once = worker.ask(call, **{size: samples, count: 2})
        turns[name] = partial(worker.ask, call, **{size: samples, count: int(np.clip(SECONDS / once, 2, most))})
    return interleave(turns, ROUNDS, NO_LIMIT)


def table(rows: Sequence[Row], found: dict[str, Rounds]) -> str:
    """Milliseconds of the whole backend, then how many times as long it takes without each mechanism."""
    lines = [[WHOLE, *(f"{1e3 * summarise(rounds[WHOLE]).median:.3g} ms" for rounds in found.values())]]
    for name in (row.without for row in rows[1:]):
        gains = [ratio(rounds[name], rounds[WHOLE]) if name in rounds else None for rounds in found.values()]
        if any(gains):
            lines.append([name, *(f"{gain.median:.2f}" if gain else "" for gain in gains)])
    return markdown_table(["without", *(TITLES[name] for name in found)], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="network", help=f"of {', '.join(NETWORKS)} (default: all)")
    parser.add_argument("--rows", default="", help="only rows whose names contain this")
    parser.add_argument("--fill", action="store_true", help=f"write the tables into {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    names = options.networks or [name for name in NETWORKS if name != "model6"]  # the same network as Model 5
    if unknown := set(names) - set(NETWORKS):
        parser.error(f"{', '.join(sorted(unknown))}: expected some of {', '.join(NETWORKS)}")
    rows = [row for row in ROWS if row is ROWS[0] or options.rows in row.without]
    tables: dict[str, dict[str, Rounds]] = {}
    for title, name, rounds in measure(names, rows):
        tables.setdefault(title, {})[name] = rounds
    machine = describe_machine()
    text = f"Measured on {machine['date']}: {machine['cpu']}, {machine['cores']} cores. Medians of {ROUNDS} rounds.\n"
    for title, found in tables.items():
        text += f"\n{title.capitalize()}:\n\n{table(rows, found)}\n"
    print(text)
    if options.fill:
        fill_page(PAGE, "ladder", text)


if __name__ == "__main__":
    main()
