"""python -m examples.still_trains: plant mistakes into a network, train it, ask the doctor.

It needs about ten minutes, and continues where it was interrupted. The results are in runs/still_trains.json; with
--page, the table and the figure of docs/it-still-trains.md are made of the results in docs/data.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import minicnn
from minicnn import losses, optimizers
from minicnn.gradcheck import Report, check_layer, check_loss, check_optimizer

from ..experiment.files import write_json
from .bugs import BUGS, LAYERS, Bug, network
from .page import write_page
from .planting import WrongLoss, WrongOptimizer, entry, planted, wrong_step

HYPERPARAMETERS: dict[str, dict[str, float]] = {
    "adam": {"learning_rate": 0.002, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7},
    "momentum": {"learning_rate": 0.03, "momentum": 0.9},
}
BATCH = 64


def optimizer_for(rule: str, bug: Bug | None) -> Any:
    if bug is not None and bug.place == rule:
        return WrongOptimizer(wrong_step(bug.name, rule), HYPERPARAMETERS[rule])
    values = HYPERPARAMETERS[rule]
    if rule == "adam":
        return optimizers.Adam(values["learning_rate"], values["beta1"], values["beta2"], values["epsilon"])
    return optimizers.SGD(values["learning_rate"], values["momentum"])


def accuracy(bug: Bug | None, rule: str, data: tuple[np.ndarray, ...], epochs: int, seed: int) -> float:
    """The test accuracy after training with this bug: forward, loss, backward, step."""
    x, y, x_test, y_test = data
    minicnn.set_random_seed(seed)
    model, optimizer = network(bug), optimizer_for(rule, bug)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    if bug is not None and bug.place == "loss":
        loss = WrongLoss(bug.name)
    order = np.random.default_rng(seed)
    for _ in range(epochs):
        for batch in np.array_split(order.permutation(len(x)), len(x) // BATCH):
            loss.forward(y[batch], model.forward(x[batch], training=True))
            model.backward(loss.backward(), need_dx=False)
            optimizer.step(model.parameters())
    logits = model.predict(x_test, batch_size=500, verbose=0)
    return float((logits.argmax(axis=-1) == y_test).mean())


def verdict(bug: Bug) -> Report:
    """What the gradient doctor says about the layer, the loss or the optimiser with this bug."""
    if bug.place in LAYERS:
        make, shape = LAYERS[bug.place]
        return check_layer(planted(make(), bug.name, bug.role), shape)
    if bug.place == "loss":
        logits = np.random.default_rng(1).standard_normal((5, 4))
        return check_loss(WrongLoss(bug.name), np.array([0, 3, 1, 1, 2]), logits)
    return check_optimizer(WrongOptimizer(wrong_step(bug.name, bug.place), {}).function, bug.place)


def sentence(bug: Bug) -> str:
    """What was done, in the catalogue's words."""
    return (wrong_step(bug.name, bug.place) if bug.name.startswith("optimizers.") else entry(bug.name)).sentence


def measure(bug: Bug, data: tuple[np.ndarray, ...], epochs: int) -> dict[str, Any]:
    rules = [bug.place] if bug.place in HYPERPARAMETERS else list(HYPERPARAMETERS)
    report = verdict(bug)
    return {
        "place": bug.place,
        "role": bug.role,
        "name": bug.name,
        "sentence": sentence(bug),
        "accuracy": {rule: accuracy(bug, rule, data, epochs, seed=0) for rule in rules},
        "noticed": not report.ok,
        "causes": list(report.causes),
        "diagnosis": report.diagnosis,
    }


def load(images: int) -> tuple[tuple[np.ndarray, ...], str]:
    """The first images of the training set, all of the test set, and where they come from."""
    found = minicnn.datasets.load_fashion_mnist()
    (x, y), (x_test, y_test) = found
    pixels = [array[..., None].astype("float32") / 255 for array in (x[:images], x_test)]
    return (pixels[0], y[:images], pixels[1], y_test), "the sample" if found.is_sample else "Fashion-MNIST"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.still_trains", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--limit", type=int, default=4000, help="training images (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/still_trains.json"))
    parser.add_argument("--only", default="", metavar="TEXT", help="mistakes whose place or name has this text")
    parser.add_argument("--page", action="store_true", help="train nothing: write the page from docs/data")
    options = parser.parse_args(arguments)
    if options.page:
        return write_page()

    data, source = load(options.limit)
    setup = {"data": source, "images": len(data[0]), "epochs": options.epochs, "batch": BATCH}
    results = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {"setup": setup, "bugs": {}}
    if results["setup"] != setup:
        parser.error(f"{options.out} is of a run with {results['setup']}: continue that one, or choose another --out.")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if "right" not in results:
        results["right"] = {
            rule: [accuracy(None, rule, data, options.epochs, seed) for seed in range(3)] for rule in HYPERPARAMETERS
        }
        write_json(options.out, results)
    print(f"right: {results['right']}", flush=True)
    for bug in BUGS:
        if bug.key not in results["bugs"] and options.only in bug.key:
            with np.errstate(all="ignore"):  # some of these networks diverge
                found = results["bugs"][bug.key] = measure(bug, data, options.epochs)
            write_json(options.out, results)
            print(f"{bug.key}: {found['accuracy']}, {found['causes']}", flush=True)


if __name__ == "__main__":
    main()
