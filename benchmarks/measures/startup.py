"""Time from the start of a process to the first trained batch: Model 5, in a new process each time.

minicnn's kernels are compiled in the first run and loaded from a cache later: both are measured, the first with a new,
empty cache folder.
"""

from __future__ import annotations

import tempfile
from functools import partial
from time import perf_counter

from ..bench import Bench
from ..networks import BATCH_SIZE, network_named

SHARE = 2.0  # of a case's budget: a turn takes seconds


def measure(bench: Bench) -> None:
    network = network_named("model5")
    weights, data = bench.write_inputs(network, BATCH_SIZE)

    def first_batch(rival: str, cache: str) -> float:
        start = perf_counter()
        with bench.new_worker(rival, NUMBA_CACHE_DIR=cache) as worker:
            worker.ask("data", path=data)
            worker.ask("build", network=network, weights=weights)
            worker.ask("epoch", samples=BATCH_SIZE, batch_size=BATCH_SIZE)
            return perf_counter() - start

    with tempfile.TemporaryDirectory(dir=bench.scratch) as cache:
        cold = first_batch("minicnn", cache)
        bench.record("start-up", "Model 5, first run ever: kernels are compiled", "s", {"minicnn": [cold]})
        turns = {rival: partial(first_batch, rival, cache) for rival in bench.workers}
        case = "Model 5, from process start to first trained batch"
        bench.record("start-up", case, "s", bench.time_turns(case, turns, SHARE))
