"""Time of a prediction: one call on a batch of 1, 64 and 1,000 images."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from ..bench import Bench
from ..networks import TITLES
from ..workers import Worker

BATCH_SIZES = (1, 64, 1000)


def measure(bench: Bench, name: str, workers: Mapping[str, Worker]) -> None:
    case = TITLES[name]
    for size in BATCH_SIZES:
        turns = {}
        for rival, worker in workers.items():
            with bench.may_fail(rival, case):
                worker.ask("predict", samples=size, calls=2)  # compiles
                call = worker.ask("predict", samples=size, calls=2)
                calls = int(np.clip(bench.settings.turn / 4 / call, 1, 500))
                turns[rival] = partial(worker.ask, "predict", samples=size, calls=calls)
        bench.record("inference", f"{case}, batch {size}", "ms", bench.time_turns(case, turns, share=1 / 4))
