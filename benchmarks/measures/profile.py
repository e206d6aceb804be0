"""The time of each of minicnn's layers, and its fraction of the machine's limits."""

from __future__ import annotations

from ..bench import Bench
from ..networks import batch_size_of, network_named

BATCHES = 20


def measure(bench: Bench) -> None:
    worker = bench.workers["minicnn"]
    before = worker.ask("ceilings")
    for model in bench.settings.models:
        network, batch_size = network_named(model), batch_size_of(model)
        weights, data = bench.write_inputs(network, BATCHES * batch_size)
        worker.ask("data", path=data)
        worker.ask("build", network=network, weights=weights)
        worker.ask("train", batches=2, batch_size=batch_size)
        bench.results.profiles[model] = worker.ask("profile", batches=BATCHES, batch_size=batch_size)
        bench.say(f"profile, {model}: done")
    after = worker.ask("ceilings")  # the maximum of two: a short disturbance must not lower the roof
    bench.results.peak = {name: max(before[name], after[name]) for name in before}
