"""How long is a training step? At batch 64, through each rival's ordinary training loop."""

from __future__ import annotations

from collections.abc import Mapping

from ..bench import BATCH_SIZE, Bench
from ..crew import Worker


def measure(bench: Bench, case: str, field: Mapping[str, Worker]) -> None:
    bench.record("training", case, "ms", bench.race_training(case, field, BATCH_SIZE))
