"""What each trick of the numba backend is worth: a training step, or a prediction, without it, beside one with all.

    python -m benchmarks.ladder model5          a training step
    python -m benchmarks.ladder model5 1000     a prediction for 1,000 samples

Every variant works in a process of its own, with kernels compiled for it alone, and they take turns; the figure is the
ratio to the whole backend, round by round. `docs/performance.md` explains the tricks.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from time import perf_counter
from typing import Any

from .networks import NETWORKS, batch_size_of, model_of, network_named, samples_for
from .report import markdown_table
from .rounds import interleave, ratio, summarise

ROUNDS = 9
SECONDS = 0.4  # a turn
NEVER_SPENT = 3600.0

CPU = "minicnn.backends.cpu"


def _change(name: str, value: Any) -> None:
    """Give a name another value in every module of the CPU backend that has it, before any kernel is compiled."""
    import_module(CPU)
    for module in [module for path, module in sys.modules.items() if path.startswith(CPU)]:
        if hasattr(module, name):
            setattr(module, name, value)


def _all_input_gradients() -> None:
    from minicnn import Sequential

    backward = Sequential.backward
    Sequential.backward = lambda model, dy, need_dx=True: backward(model, dy)  # type: ignore[method-assign]


def _twelve_rows() -> None:
    tile = import_module(f"{CPU}.tile")
    _change("ROWS", 12)
    for name, rows in (("tile", 12), ("low_tile", 11), ("lower_tile", 10)):
        _change(name, tile.make_tile(rows, tile.VECTORS))


def _count_uses() -> None:
    cgutils = import_module(f"{CPU}.runtime.numba_internals").cgutils
    _change("_borrowed", lambda context, builder, kinds, values: cgutils.unpack_tuple(builder, values))


def _one_height() -> None:
    rows = import_module(f"{CPU}.tile").ROWS
    _change("_height", import_module(f"{CPU}.runtime.compile").serial(lambda M: rows))


def _one_product_a_call() -> None:
    serial, products = import_module(f"{CPU}.runtime.compile").serial, import_module(f"{CPU}.products")
    multiply, accumulate, once = products.multiply, products.accumulate, products.ONCE

    def multiply_each(times, a, rows, M, cols, K, b, panel_step, row_step, panels, bias, floor, out, out_at, F):
        for i in range(times[0]):
            left, right, at = a[i * times[1] :], b[i * times[2] :], out_at + i * times[3]
            multiply(once, left, rows, M, cols, K, right, panel_step, row_step, panels, bias, floor, out, at, F)

    def accumulate_each(times, a, rows, cols, M, b, panel_step, out, shape, wanted):
        for i in range(times[0]):
            left, right, sums = a[i * times[1] :], b[i * times[2] :], out[i * times[3] :]
            accumulate(once, left, rows, cols, M, right, panel_step, sums, shape, wanted)

    _change("multiply", serial(multiply_each))
    _change("accumulate", serial(accumulate_each))


def _anywhere() -> None:
    import numpy as np

    _change("empty", import_module(f"{CPU}.runtime.compile").serial(lambda size, like: np.empty(size, like.dtype)))


def _layer_by_layer() -> None:
    from minicnn import Sequential

    Sequential.infer = lambda model, x: model.forward(x)  # type: ignore[method-assign]


def _whole_batches() -> None:
    _change("CACHE_BYTES", 2**40)
    _change("MOST_SAMPLES", 2**40)


Variants = dict[str, Callable[[], object]]

EVERYWHERE: Variants = {
    "nothing: the whole backend": lambda: None,
    "compiled kernels: the textbook": lambda: import_module("minicnn").use_backend("numpy"),
    "a second thread": lambda: import_module("minicnn").use_backend("numba", threads=1),
    "sums that stay in registers (12 rows a tile)": _twelve_rows,
    "Winograd's minimal filtering": lambda: _change("suits", lambda *_: False),
    "products of one shape in one call": _one_product_a_call,
    "a cache line between points": partial(_change, "GAP_BYTES", 0),
    "arrays that begin with a cache line (anywhere)": _anywhere,
    "blocks that fit the cache (all samples at once)": _whole_batches,
    "keeping freed memory": partial(os.environ.setdefault, "MALLOC_TOP_PAD_", str(128 * 1024)),
}
TRAINING: Variants = EVERYWHERE | {
    "leaving out the first layer's input gradient": _all_input_gradients,
    "short passes on one thread": lambda: _change("small", lambda _: False),
    "arrays lent to kernels (each use counted)": _count_uses,
}
INFERENCE: Variants = EVERYWHERE | {
    "depth first (layer by layer)": _layer_by_layer,
    "kernels as they lie, for few windows (always in panels)": partial(_change, "PACKED_ROWS", 0),
    "lower tiles for few windows": _one_height,
    "threads that share one image": partial(_change, "TOGETHER", 2**62),
}


def work(change: Callable[[], object], model_name: str, samples: int, cache: str, pipe: Any) -> None:
    """The process of one variant: every message asks for the seconds of a prediction for so many samples, or, if there
    are none, of a training step."""
    os.environ["NUMBA_CACHE_DIR"] = cache
    change()
    network, batch_size = network_named(model_name), batch_size_of(model_name)
    model = model_of(network)
    model.compile("adam", "categorical_crossentropy")
    images, _ = samples_for(network, samples or 1)

    def seconds(times: int) -> float:
        if samples:
            start = perf_counter()
            for _ in range(times):
                model.predict_on_batch(images)
        else:
            x, y = samples_for(network, times * batch_size)
            start = perf_counter()
            model.fit(x, y, batch_size=batch_size, verbose=0)
        return (perf_counter() - start) / times

    seconds(3)  # compiles
    times = max(2, int(SECONDS / seconds(5)))
    pipe.send("ready")
    while pipe.recv():
        pipe.send(seconds(times))


def measure(model_name: str, samples: int) -> dict[str, list[float]]:
    """Seconds of every variant, in rounds."""
    context, turns, pipes = get_context("spawn"), {}, []

    def turn(pipe: Any) -> float:
        pipe.send(True)
        return pipe.recv()

    with tempfile.TemporaryDirectory() as caches:
        for name in INFERENCE if samples else TRAINING:
            ours, theirs = context.Pipe()
            arguments = (name, model_name, samples, f"{caches}/{len(pipes)}", theirs)
            context.Process(target=_work, args=arguments, daemon=True).start()
            ours.recv()
            turns[name] = partial(turn, ours)
            pipes.append(ours)
        rounds = interleave(turns, ROUNDS, NEVER_SPENT)
        for pipe in pipes:
            pipe.send(False)
    return rounds


def _work(name: str, *rest: Any) -> None:
    """`work`, for a new process: functions travel by name, and most variants have none of their own."""
    work((TRAINING | INFERENCE)[name], *rest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="model5", choices=NETWORKS)
    parser.add_argument("samples", nargs="?", type=int, default=0, help="predict for so many (default: train)")
    options = parser.parse_args()
    rounds = measure(options.model, options.samples)
    whole, *others = rounds
    rows = [[whole, f"{1e3 * summarise(rounds[whole]).median:.3g}", ""]]
    for name in others:
        gain = ratio(rounds[name], rounds[whole])
        milliseconds = f"{1e3 * summarise(rounds[name]).median:.3g}"
        rows.append([name, milliseconds, f"{gain.median:.2f} ({gain.low:.2f}–{gain.high:.2f})"])
    print(markdown_table(["without", "ms", "times as long"], rows))


if __name__ == "__main__":
    main()
