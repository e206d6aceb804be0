"""Time of a training step with the network's batch size, in each rival's ordinary training loop."""

from __future__ import annotations

from collections.abc import Mapping

from ..bench import Bench
from ..networks import TITLES, batch_size_of
from ..workers import Worker


def measure(bench: Bench, name: str, workers: Mapping[str, Worker]) -> None:
    case = TITLES[name]
    bench.record("training", case, "ms", bench.time_training(case, workers, batch_size_of(name)))
