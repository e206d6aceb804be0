"""Time and memory of an epoch of 60,000 images, end to end: Model 5, in new processes."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from ..bench import Bench
from ..networks import BATCH_SIZE, network_named
from ..rounds import interleave

IMAGES = 60_000
ROUNDS = 2
LIMIT = 600.0  # seconds, for a very slow machine


def measure(bench: Bench) -> None:
    network = network_named("model5")
    weights, data = bench.write_inputs(network, IMAGES)
    with ExitStack() as stack:
        workers = {rival: stack.enter_context(bench.new_worker(rival)) for rival in bench.minicnn_and_keras()}
        for worker in workers.values():
            worker.ask("data", path=data)
            worker.ask("build", network=network, weights=weights)
            worker.ask("epoch", samples=10 * BATCH_SIZE, batch_size=BATCH_SIZE)  # compiles
        epoch = {"samples": IMAGES, "batch_size": BATCH_SIZE}
        turns = {rival: partial(worker.ask, "epoch", **epoch) for rival, worker in workers.items()}
        bench.record("epoch", "Model 5, 60,000 images", "s", interleave(turns, ROUNDS, LIMIT))
        memory = {rival: [worker.ask("peak_memory")] for rival, worker in workers.items()}
        bench.record("memory", "Model 5, training on 60,000 images", "MB", memory)
