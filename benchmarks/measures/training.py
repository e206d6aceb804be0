"""Time of a training step with the network's batch size, in each rival's ordinary training loop."""

from __future__ import annotations

from collections.abc import Mapping

from ..bench import Bench
from ..crew import Worker
from ..networks import TITLES, batch_size_of


def measure(bench: Bench, name: str, field: Mapping[str, Worker]) -> None:
    case = TITLES[name]
    bench.record("training", case, "ms", bench.race_training(case, field, batch_size_of(name)))
