"""How does a training step scale, for minicnn and the fastest Keras? With batch, image, channels and threads."""

from __future__ import annotations

from contextlib import ExitStack

from ..bench import BATCH_SIZE, Bench
from ..networks import Network, example, two_convolutions

BATCH_SIZES = (1, 4, 16, 64, 256, 1024)
SIDES, SIDE_CHANNELS, SIDE_BATCH = (28, 56, 112, 224), 16, 8
CHANNELS, CHANNEL_SIDE, CHANNEL_BATCH = (8, 16, 32, 64, 128, 256), 14, 32
SHARE = 1 / 4  # of a case's budget: only two take part
BATCHES = 10  # in a turn, for the larger networks: their samples take hundreds of megabytes


def measure(bench: Bench) -> None:
    model5 = example("model5")
    for size in BATCH_SIZES:
        _race(bench, "batch size", size, model5, size, most=BATCHES if size > 64 else 100)
    for side in SIDES:
        _race(bench, "image side", side, two_convolutions(side, SIDE_CHANNELS), SIDE_BATCH, most=BATCHES)
    for channels in CHANNELS:
        _race(bench, "channels", channels, two_convolutions(CHANNEL_SIDE, channels), CHANNEL_BATCH, most=BATCHES)
    for threads in sorted({1, 2, bench.settings.threads}):
        if threads <= bench.settings.threads:
            with ExitStack() as stack:
                workers = {r: stack.enter_context(bench.new_worker(r, threads)) for r in bench.finalists()}
                _race(bench, "threads", threads, model5, BATCH_SIZE, most=50, workers=workers)


def _race(bench: Bench, axis: str, x: int, network: Network, batch_size: int, most: int, workers=None) -> None:
    case = f"{axis} {x}"
    workers = workers or {rival: bench.crew[rival] for rival in bench.finalists()}
    field = bench.field_for(case, network, samples=(most + 2) * batch_size, workers=workers)
    bench.record(f"scaling, {axis}", case, "ms", bench.race_training(case, field, batch_size, most, SHARE), x)
