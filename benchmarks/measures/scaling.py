"""Time of a training step over batch size, image size, channels and threads, for minicnn and the fastest Keras."""

from __future__ import annotations

from contextlib import ExitStack

from ..bench import Bench
from ..networks import BATCH_SIZE, Network, network_named, two_convolutions

BATCH_SIZES = (1, 4, 16, 64, 256, 1024)
SIDES, SIDE_CHANNELS, SIDE_BATCH = (28, 56, 112, 224), 16, 8
CHANNELS, CHANNEL_SIDE, CHANNEL_BATCH = (8, 16, 32, 64, 128, 256), 14, 32
SHARE = 1 / 4  # of a case's budget: there are only two rivals
BATCHES = 10  # per turn, for the larger networks: their samples need hundreds of megabytes


def measure(bench: Bench) -> None:
    model5 = network_named("model5")
    for size in BATCH_SIZES:
        _measure_point(bench, "Model 5 by batch size", size, model5, size, most=BATCHES if size > 64 else 100)
    for side in SIDES:
        network = two_convolutions(side, SIDE_CHANNELS)
        _measure_point(bench, "two convolutions by image side", side, network, SIDE_BATCH, most=BATCHES)
    for channels in CHANNELS:
        network = two_convolutions(CHANNEL_SIDE, channels)
        _measure_point(bench, "two convolutions by channels", channels, network, CHANNEL_BATCH, most=BATCHES)
    for threads in sorted({1, 2, bench.settings.threads}):
        if threads <= bench.settings.threads:
            with ExitStack() as stack:
                workers = {r: stack.enter_context(bench.new_worker(r, threads)) for r in bench.minicnn_and_keras()}
                _measure_point(bench, "Model 5 by threads", threads, model5, BATCH_SIZE, most=50, workers=workers)


def _measure_point(bench: Bench, axis: str, x: int, network: Network, batch_size: int, most: int, workers=None) -> None:
    """One point of a series; the default of `workers` is the run's."""
    case = f"{axis}: {x}"
    workers = workers or {rival: bench.workers[rival] for rival in bench.minicnn_and_keras()}
    verified = bench.verified_workers(case, network, samples=(most + 2) * batch_size, workers=workers)
    bench.record(axis, case, "ms", bench.time_training(case, verified, batch_size, most, SHARE), x)
