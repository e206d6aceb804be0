"""A run: its rivals, its settings, and the measurements so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from . import agreement
from .environments import Pythons
from .networks import Network, model_of, samples_for
from .results import Measurement, Results
from .rounds import interleave, summarise
from .workers import Worker, WorkerError

LONGEST = 100  # batches in one training turn
KERAS = "keras-"
UNITS = {"ms": 1e3, "s": 1.0, "MB": 1e-6}  # of a second or a byte


@dataclass
class Settings:
    """The settings of a run. A turn is the time that a rival computes before the next rival's turn."""

    models: list[str]
    rivals: list[str]
    threads: int
    rounds: int = 7
    turn: float = 0.5  # seconds
    budget: float = 25.0  # seconds for all rounds of one case
    quick: bool = False


@dataclass
class Bench:
    settings: Settings
    results: Results
    pythons: Pythons
    scratch: Path
    logs: Path
    say: Callable[[str], None]
    workers: dict[str, Worker] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def new_worker(self, rival: str, threads: int | None = None, **variables: str) -> Worker:
        """A new process of a rival; the caller closes it."""
        return Worker(rival, self.pythons.of(rival), threads or self.settings.threads, self.logs, variables)

    def start_workers(self) -> None:
        """Start every rival's worker for the whole run. A rival that cannot start is left out."""
        for rival in self.settings.rivals:
            worker = self._stack.enter_context(self.new_worker(rival))
            with self.may_fail(rival):
                self.results.versions[rival] = worker.ask("versions")
                self.workers[rival] = worker

    @contextmanager
    def may_fail(self, rival: str, case: str = "") -> Iterator[None]:
        """A rival that fails here is left out, with a note; minicnn's failure ends the run."""
        try:
            yield
        except WorkerError as error:
            if rival == "minicnn":
                raise
            self.note(f"Left out{f' of {case}' if case else ''}: {error}")

    def note(self, sentence: str) -> None:
        self.results.notes.append(sentence)
        self.say(sentence)

    def write_inputs(self, network: Network, samples: int) -> tuple[str, str]:
        """Write new weights and samples, the same for all rivals, to files; returns their paths."""
        weights, data = self.scratch / "weights.npz", self.scratch / "data.npz"
        np.savez(weights, *model_of(network).get_weights())
        x, y = samples_for(network, samples)
        np.savez(data, x=x, y=y)
        return str(weights), str(data)

    def verified_workers(
        self, case: str, network: Network, samples: int, workers: Mapping[str, Worker]
    ) -> dict[str, Worker]:
        """The workers whose network equals minicnn's, ready to train on `samples` samples."""
        weights, data = self.write_inputs(network, samples)
        for rival, worker in list(workers.items()):
            with self.may_fail(rival, case):
                worker.ask("data", path=data)
        found = agreement.compare(case, network, weights, workers, self.scratch, self.may_fail)
        self.results.agreements += found
        verified = {}
        for agreed in found:
            if not agreed.holds:
                self.note(f"Left out of {case}: {agreed.sentence()}")
                continue
            with self.may_fail(agreed.rival, case):
                workers[agreed.rival].ask("build", network=network, weights=weights)
                verified[agreed.rival] = workers[agreed.rival]
        return verified

    def time_training(
        self, case: str, workers: Mapping[str, Worker], batch_size: int, most: int = LONGEST, share: float = 1.0
    ) -> dict[str, list[float]]:
        """Seconds per training step, in rounds; each turn has at most `most` batches."""
        turns = {}
        for rival, worker in workers.items():
            with self.may_fail(rival, case):
                worker.ask("train", batches=1, batch_size=batch_size)  # compiles
                step = worker.ask("train", batches=min(3, most), batch_size=batch_size)
                batches = int(np.clip(self.settings.turn / step, 1, most))
                turns[rival] = partial(worker.ask, "train", batches=batches, batch_size=batch_size)
        return self.time_turns(case, turns, share)

    def time_turns(
        self, case: str, turns: Mapping[str, Callable[[], float]], share: float = 1.0
    ) -> dict[str, list[float]]:
        """The turns in rounds, within this share of the budget; a rival that fails is left out."""
        budget = self.settings.budget * share
        return interleave(turns, self.settings.rounds, budget, lambda rival: self.may_fail(rival, case))

    def record(
        self, measure: str, case: str, unit: str, rounds: Mapping[str, list[float]], x: float | None = None
    ) -> None:
        """Store the measurements, given in seconds or bytes, in their unit, and print the medians."""
        scaled = {rival: [UNITS[unit] * one for one in values] for rival, values in rounds.items()}
        self.results.measurements += [
            Measurement(measure, case, rival, unit, values, x) for rival, values in scaled.items()
        ]
        medians = [f"{self.results.labels[rival]} {summarise(f).median:.3g}" for rival, f in scaled.items()]
        self.say(f"{case if x else f'{measure}, {case}'} ({unit}): {', '.join(medians)}")

    def fastest_keras(self) -> str | None:
        """The fastest of Keras's backends."""
        return self.fastest(KERAS)

    def fastest(self, library: str) -> str | None:
        """The rival with the shortest total time of all training cases so far; without any, the first one.

        Only rivals whose names begin with `library` are considered.
        """
        candidates = [rival for rival in self.workers if rival.startswith(library)]
        training = list(self.results.of("training"))
        cases = {m.case for m in training}

        def slowness(rival: str) -> float:
            mine = [summarise(f.rounds).median for f in training if f.rival == rival]
            return sum(mine) if len(mine) == len(cases) else float("inf")

        return min(candidates, key=slowness, default=None)

    def minicnn_and_keras(self) -> list[str]:
        """minicnn and the fastest Keras, for measurements that would take too long with all rivals."""
        keras = self.fastest_keras()
        return ["minicnn", *([keras] if keras else [])]
