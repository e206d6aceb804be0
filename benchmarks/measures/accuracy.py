"""How long is the training to a test accuracy of 0.90, 0.92 and 0.94? Model 7's recipe in every library, by seeds.

All libraries get the same network, initial weights, schedule and changed images; each shuffles them itself. They take
turns epoch by epoch, and are evaluated after each. The time is that of the training alone, from the first step on:
neither the evaluation nor the change of the images is in it. Weight averaging is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from minicnn.datasets import load_fashion_mnist, to_categorical

from ..bench import Bench
from ..recipe import Arrays, Recipe, model7
from ..workers import Worker

SEEDS = 3
TARGETS = (0.90, 0.92, 0.94)
Curve = list[tuple[float, float]]
"""After every epoch: the seconds of training so far, and the test accuracy."""


def measure(bench: Bench) -> None:
    data = load_fashion_mnist()
    if data.is_sample:
        bench.note("Left out: the time to an accuracy. It needs the whole Fashion-MNIST, found the sample only.")
        return
    train, test = (prepared(*split) for split in data)
    chosen = ("minicnn", bench.fastest("keras-"), bench.fastest("torch"))
    workers = {rival: bench.workers[rival] for rival in chosen if rival}
    curves: dict[str, list[Curve]] = {}
    for seed in range(min(SEEDS, bench.settings.rounds)):
        recipe = model7(seed, len(train[0]))
        verified = bench.verified_workers("Model 7", recipe.network, 2 * recipe.batch_size, workers)
        for rival, curve in train_in_turns(bench, recipe, train, test, verified).items():
            curves.setdefault(rival, []).append(curve)
    record(bench, curves)


def prepared(images: np.ndarray, labels: np.ndarray) -> Arrays:
    """Images (N, 28, 28, 1) from 0 to 1, and one-hot labels (N, 10)."""
    return images[..., np.newaxis].astype(np.float32) / 255, to_categorical(labels, 10)


def train_in_turns(
    bench: Bench, recipe: Recipe, train: Arrays, test: Arrays, workers: Mapping[str, Worker]
) -> dict[str, Curve]:
    """The curve of every rival; one that fails is left out."""
    weights, changed, evaluated = (str(bench.scratch / f"recipe-{name}.npz") for name in ("weights", "train", "test"))
    np.savez(weights, *recipe.weights)
    np.savez(evaluated, x=test[0], y=test[1])
    curves: dict[str, Curve] = {}
    for rival, worker in workers.items():
        with bench.may_fail(rival, "Model 7"):
            worker.ask("build", network=recipe.network, weights=weights, optimizer=recipe.optimizer)
            curves[rival] = []
    for x, y in recipe.data(*train):
        np.savez(changed, x=x, y=y)
        for rival in list(curves):
            curve, worker = curves.pop(rival), workers[rival]
            with bench.may_fail(rival, "Model 7"):
                worker.ask("data", path=changed)
                seconds = worker.ask("epoch", samples=len(x), batch_size=recipe.batch_size)
                accuracy = worker.ask("accuracy", path=evaluated)
                curves[rival] = [*curve, (seconds + (curve[-1][0] if curve else 0.0), accuracy)]
                bench.say(f"Model 7, {rival}, epoch {len(curve) + 1}: {seconds:.1f} s, test accuracy {accuracy:.4f}")
    return curves


def record(bench: Bench, curves: Mapping[str, list[Curve]]) -> None:
    """Record the times to the targets, and say in notes which targets were missed and what was reached at the end."""
    for target in TARGETS:
        rounds = {}
        for rival, by_seed in curves.items():
            times = [time for curve in by_seed if (time := time_to(target, curve)) is not None]
            if len(times) == len(by_seed):
                rounds[rival] = times
            else:
                label = bench.results.labels[rival]
                bench.note(f"{label} reaches {target:.2f} with {len(times)} of {len(by_seed)} seeds.")
        if rounds:
            bench.record("time to accuracy", f"Model 7, {target:.2f}", "s", rounds)
    for rival, by_seed in curves.items():
        reached = [curve[-1][1] for curve in by_seed]
        times = ", ".join(f"{curve[-1][0]:.0f}" for curve in by_seed)
        bench.note(
            f"Model 7 in {bench.results.labels[rival]}: test accuracy {np.mean(reached):.4f} "
            f"({', '.join(f'{accuracy:.4f}' for accuracy in reached)}) after {len(by_seed[0])} epochs "
            f"in {times} s of training."
        )


def time_to(target: float, curve: Curve) -> float | None:
    """The seconds of training until the end of the first epoch with this accuracy."""
    return next((seconds for seconds, accuracy in curve if accuracy >= target), None)
