"""The gain of each optimisation of the numba backend: the time of a training step or a prediction without it.

    python -m benchmarks.ladder model5          a training step
    python -m benchmarks.ladder model5 1000     a prediction for 1,000 samples

Every variant runs in its own process with its own compiled kernels, and they take turns; the result is the ratio to the
whole backend, round by round. `docs/performance.md` explains the optimisations.
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
from pkgutil import walk_packages
from time import perf_counter
from typing import Any

from .networks import NETWORKS, batch_size_of, model_of, network_named, samples_for
from .report import markdown_table
from .rounds import interleave, ratio, summarise

ROUNDS = 9
SECONDS = 0.4  # per turn
NEVER_SPENT = 3600.0

CPU = "minicnn.backends.cpu"


def _change(name: str, value: Any) -> None:
    """Give a name another value in every module of the CPU backend that has it, before any kernel is compiled.

    Raises LookupError if no module has it: the row would measure nothing.
    """
    package = import_module(CPU)
    for module in walk_packages(package.__path__, f"{CPU}."):
        import_module(module.name)
    having = [module for path, module in sys.modules.items() if path.startswith(CPU) and hasattr(module, name)]
    if not having:
        raise LookupError(f"The CPU backend has no {name} to change: the ladder has to follow the code.")
    for module in having:
        setattr(module, name, value)


def _part(module: str, name: str) -> Any:
    return getattr(import_module(f"{CPU}.{module}"), name)


def _all_input_gradients() -> None:
    from minicnn.network import Network

    backward = Network.backward
    Network.backward = lambda model, dy, need_dx=True: backward(model, dy)  # type: ignore[method-assign]


def _plain_microkernels() -> None:
    """Plain loops over the same tiles; the compiler allocates registers for the sums."""
    MR, NR_BYTES = _part("gemm.microkernel", "MR"), _part("gemm.microkernel", "NR_BYTES")

    def loops(half, a, a_at, rows, row, cols, steps, b, b_at, b_step, start, start_at, start_step, floor, out, out_at,
              out_step):  # fmt: skip
        width = NR_BYTES // b.itemsize // (2 if half else 1)
        for r in range(MR):
            sums = out[out_at + r * out_step :][:width]
            for f in range(width):
                sums[f] = start[start_at + r * start_step + f]
            for k in range(steps):
                factor = a[a_at + rows[row + r] + cols[k]]
                terms = b[b_at + k * b_step :][:width]
                for f in range(width):
                    sums[f] += factor * terms[f]
            for f in range(width):
                sums[f] = max(sums[f], floor)

    _change("microkernel", _part("runtime.compile", "serial")(loops))


def _whole_tiles() -> None:
    """Rows filled up to whole tiles, so that none is half a tile."""
    NR_BYTES = _part("gemm.microkernel", "NR_BYTES")
    register_jitable = _part("runtime.numba_internals", "register_jitable")
    _change(
        "filled_up",
        register_jitable(lambda columns, itemsize: -(-columns * itemsize // NR_BYTES) * NR_BYTES // itemsize),
    )


def _openblas() -> None:
    """The textbook's convolutions and dense layers: im2col and NumPy's matmul."""
    from minicnn.backends import textbook

    stages = _part("inference", "STAGES")
    for name in ("conv2d", "dense"):
        del stages[name]  # of inference, which then runs layer by layer
    for name in ("conv2d", "conv2d_backward", "dense", "dense_backward"):
        _change(name, getattr(textbook, name))


def _plain_pooling() -> None:
    """A loop over the channels for each cell of a window."""
    on_image, geometry = _part("pooling", "_on_image"), _part("executor", "geometry")

    def largest(x, x_at, y, y_at, count, numbers):
        w = geometry(numbers[2:])
        for row in range(count * w.OH):
            for q in range(w.OW):
                first, rows, cols = on_image(row, q, w)
                best = y[y_at + (row * w.OW + q) * w.C :][: w.C]
                best[:] = x[x_at + first :][: w.C]
                for i in range(rows):
                    for j in range(cols):
                        values = x[x_at + first + (i * w.W + j) * w.C :][: w.C]
                        for c in range(w.C):
                            best[c] = values[c] if (not (values[c] <= best[c])) & (best[c] == best[c]) else best[c]

    _change("_pool", _part("runtime.compile", "serial")(largest))


def _count_references() -> None:
    cgutils = _part("runtime.numba_internals", "cgutils")
    _change("_borrowed", lambda context, builder, kinds, values: cgutils.unpack_tuple(builder, values))


def _anywhere() -> None:
    import numpy as np

    _change("empty", _part("runtime.compile", "serial")(lambda size, like: np.empty(size, like.dtype)))


def _layer_by_layer() -> None:
    from minicnn.network import Network

    Network.infer = lambda model, x: model.forward(x)  # type: ignore[method-assign]


def _whole_batches() -> None:
    for name in ("BLOCK_BYTES", "BLOCK_TILES", "MAX_BLOCK"):
        _change(name, 2**40)


Variants = dict[str, Callable[[], object]]

EVERYWHERE: Variants = {
    "nothing: the whole backend": lambda: None,
    "compiled kernels: the textbook": lambda: import_module("minicnn").use_backend("numpy"),
    "a second thread": lambda: import_module("minicnn").use_backend("numba", threads=1),
    "the microkernel (plain Numba loops)": _plain_microkernels,
    "the implicit GEMM (im2col and OpenBLAS)": _openblas,
    "the half microkernel": _whole_tiles,
    "Winograd's minimal filtering": lambda: _change("suits", lambda *_: False),
    "a cache line between points": partial(_change, "POINT_GAP_BYTES", 0),
    "vectors in max pooling's forward (plain Numba loops)": _plain_pooling,
    "arrays that begin at a cache line (anywhere)": _anywhere,
    "blocks that fit the cache (all samples at once)": _whole_batches,
    "keeping freed memory": partial(os.environ.setdefault, "MALLOC_TOP_PAD_", str(128 * 1024)),
}
TRAINING: Variants = EVERYWHERE | {
    "leaving out the first layer's input gradient": _all_input_gradients,
    "short passes on one thread": lambda: _change("small", lambda _: False),
    "borrowed arrays (references counted)": _count_references,
}
INFERENCE: Variants = EVERYWHERE | {
    "depth first (layer by layer)": _layer_by_layer,
}


def work(change: Callable[[], object], model_name: str, samples: int, cache: str, pipe: Any) -> None:
    """The process of one variant: it answers every message with the seconds of a prediction for `samples` samples or,
    if samples is 0, of a training step."""
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
    """`work` for a new process: only module-level functions can be pickled, and most variants are lambdas."""
    work((TRAINING | INFERENCE)[name], *rest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="model5", choices=NETWORKS)
    parser.add_argument("samples", nargs="?", type=int, default=0, help="samples to predict (default: train)")
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
