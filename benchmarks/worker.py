"""The process of one rival: it reads a request per line from stdin and writes an answer per line to stdout, as JSON.

    python -m benchmarks.worker keras-jax 2
    {"call": "train", "with": {"batches": 20, "batch_size": 64}}
    {"result": 0.0137}

What libraries print goes to stderr, so that it never mixes with the answers.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from . import rivals
from .rival import Optimizer, Rival

LEAD = 2  # batches of each training turn before the clock starts, so that the cost of starting a fit is not in the step
EVALUATED = 1000  # samples of a batch in an evaluation


class Session:
    """The requests that a worker answers; arrays are passed in .npz files."""

    def __init__(self, rival: Rival) -> None:
        self.rival = rival

    def versions(self) -> dict[str, str]:
        return self.rival.versions()

    def data(self, path: str) -> None:
        """Load samples, x (N, …) and one-hot y (N, 10), which replace earlier ones."""
        with np.load(path) as arrays:
            self.x, self.y = arrays["x"], arrays["y"]

    def build(self, network: dict[str, Any], weights: str, optimizer: Optimizer = "adam") -> None:
        """Make a network with the weights of a file."""
        with np.load(weights) as arrays:
            values = [arrays[f"arr_{index}"] for index in range(len(arrays.files))]
        self.rival.build(network, values, optimizer)

    def outputs_and_step(self, first: int, samples: int, path: str) -> None:
        """Write outputs for some samples, and all weights after one step on them."""
        x, y = self.x[first : first + samples], self.y[first : first + samples]
        output = np.array(self.rival.predict(x))
        self.rival.train(x, y, samples, lambda: None)
        np.savez(path, *map(np.array, self.rival.get_weights()), output=output)

    def train(self, batches: int, batch_size: int) -> float:
        """Seconds per step, in an epoch of this many batches after a few that are not timed."""
        samples = (LEAD + batches) * batch_size
        ticks: list[float] = []
        self.rival.train(self.x[:samples], self.y[:samples], batch_size, lambda: ticks.append(perf_counter()))
        return (perf_counter() - ticks[LEAD - 1]) / batches

    def epoch(self, samples: int, batch_size: int) -> float:
        """Seconds for one epoch over this many samples, everything included."""
        start = perf_counter()
        self.rival.train(self.x[:samples], self.y[:samples], batch_size, lambda: None)
        return perf_counter() - start

    def predict(self, samples: int, calls: int) -> float:
        """Seconds per call on one batch."""
        x = self.x[:samples]
        start = perf_counter()
        for _ in range(calls):
            self.rival.predict(x)
        return (perf_counter() - start) / calls

    def accuracy(self, path: str) -> float:
        """The share of the samples in a file, x (N, …) and one-hot y (N, 10), whose class is predicted correctly."""
        with np.load(path) as arrays:
            x, y = arrays["x"], arrays["y"]
        batches = range(0, len(x), EVALUATED)
        classes = np.concatenate([self.rival.predict(x[at : at + EVALUATED]).argmax(axis=1) for at in batches])
        return float((classes == y.argmax(axis=1)).mean())

    def backpropagate(self, calls: int) -> float:
        """Median seconds of a forward and a backward on all samples as one batch."""
        run, times = self.rival.backpropagate(self.x), []
        for _ in range(calls):
            start = perf_counter()
            run()
            times.append(perf_counter() - start)
        return float(np.median(times))

    def peak_memory(self) -> float:
        """Peak memory of this process, in bytes."""
        status = Path("/proc/self/status")
        if status.exists():  # Linux's ru_maxrss would include what the parent process held when it started this one
            line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
            return int(line.split()[1]) * 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def ceilings(self) -> dict[str, float]:
        """The machine's peak FLOP rate and memory bandwidth with this worker's threads; minicnn only."""
        from .ceilings import ceilings

        return ceilings()

    def profile(self, batches: int, batch_size: int) -> dict[str, Any]:
        """The time of each layer in a training step; minicnn only."""
        from .layer_times import profile

        samples = batches * batch_size
        return profile(self.rival.model, self.x[:samples], self.y[:samples], batch_size)  # type: ignore[attr-defined]


def main() -> None:
    name, threads = sys.argv[1], int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    session: Session | None = None
    for line in sys.stdin:
        question = json.loads(line)
        try:
            session = session or Session(rivals.make(name, threads))
            answer = {"result": getattr(session, question["call"])(**question["with"])}
        except Exception as error:  # each library has exceptions of its own; the driver reports all of them
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
