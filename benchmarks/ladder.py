"""What each trick of the numba backend is worth: a training step without it, beside one with all of them.

    python -m benchmarks.ladder [model5]

Every variant trains in a process of its own, with kernels compiled for it alone, and they take turns; the figure is the
ratio to the whole backend, round by round. `docs/performance.md` explains the tricks.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from time import perf_counter
from typing import Any

from .bench import BATCH_SIZE
from .networks import example, model_of, samples_for
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


WITHOUT: dict[str, Callable[[], object]] = {
    "nothing: the whole backend": lambda: None,
    "compiled kernels: the textbook": lambda: import_module("minicnn").use_backend("numpy"),
    "a second thread": lambda: import_module("minicnn").use_backend("numba", threads=1),
    "sums that stay in registers (12 rows a tile)": partial(_change, "ROWS", 12),
    "Winograd's minimal filtering": lambda: _change("suits", lambda *_: False),
    "a cache line between points": partial(_change, "LINE_BYTES", 0),
    "blocks that fit the cache (all samples at once)": partial(_change, "CACHE_BYTES", 2**40),
    "leaving out the first layer's input gradient": _all_input_gradients,
    "short passes on one thread": lambda: _change("small", lambda _: False),
    "keeping freed memory": partial(os.environ.setdefault, "MALLOC_TOP_PAD_", str(128 * 1024)),
}


def train(change: Callable[[], object], model_name: str, cache: str, pipe: Any) -> None:
    """The process of one variant: every message asks for the seconds of one step."""
    os.environ["NUMBA_CACHE_DIR"] = cache
    change()
    network = example(model_name)
    model = model_of(network)
    model.compile("adam", "categorical_crossentropy")

    def seconds_a_step(steps: int) -> float:
        x, y = samples_for(network, steps * BATCH_SIZE)
        start = perf_counter()
        model.fit(x, y, batch_size=BATCH_SIZE, verbose=0)
        return (perf_counter() - start) / steps

    seconds_a_step(3)  # compiles
    steps = max(2, int(SECONDS / seconds_a_step(5)))
    pipe.send("ready")
    while pipe.recv():
        pipe.send(seconds_a_step(steps))


def measure(model_name: str) -> dict[str, list[float]]:
    """Seconds a step of every variant, in rounds."""
    context, turns, pipes = get_context("spawn"), {}, []

    def turn(pipe: Any) -> float:
        pipe.send(True)
        return pipe.recv()

    with tempfile.TemporaryDirectory() as caches:
        for index, name in enumerate(WITHOUT):
            ours, theirs = context.Pipe()
            context.Process(target=_train, args=(index, model_name, f"{caches}/{index}", theirs), daemon=True).start()
            ours.recv()
            turns[name] = partial(turn, ours)
            pipes.append(ours)
        rounds = interleave(turns, ROUNDS, NEVER_SPENT)
        for pipe in pipes:
            pipe.send(False)
    return rounds


def _train(index: int, *rest: Any) -> None:
    """`train`, for a new process: functions travel by name, so variants go by number."""
    train(list(WITHOUT.values())[index], *rest)


def main() -> None:
    model_name = sys.argv[1] if len(sys.argv) > 1 else "model5"
    rounds = measure(model_name)
    whole, *others = rounds
    rows = [[whole, f"{1e3 * summarise(rounds[whole]).median:.2f}", ""]]
    for name in others:
        gain = ratio(rounds[name], rounds[whole])
        rows.append(
            [
                name,
                f"{1e3 * summarise(rounds[name]).median:.2f}",
                f"{gain.median:.2f} ({gain.low:.2f}–{gain.high:.2f})",
            ]
        )
    print(markdown_table(["without", "ms a step", "times as long"], rows))


if __name__ == "__main__":
    main()
