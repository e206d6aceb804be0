"""What does each ingredient of Model 7 bring? Its training without one of them at a time.

python -m benchmarks.ablation                    # all variants, three seeds; takes hours, resumes where it stopped
python -m benchmarks.ablation --epochs 4 --seeds 1 --only "whole recipe,without flips"

Trained on the first 50,000 training images and measured on the last 10,000; no test image is used. The results are
written to a JSON file after each training, and printed as a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import minicnn
from minicnn import layers
from minicnn.callbacks import Callback
from minicnn.datasets import load_fashion_mnist
from minicnn.files import atomic_writer
from minicnn.losses import CategoricalCrossentropy
from minicnn.optimizers import AdamW

from .measures.accuracy import prepared
from .networks import example
from .report import markdown_table

HELD_OUT = 10_000
ERASING = layers.RandomErasing(factor=(0.5, 0.5), scale=(0.1, 0.4), value_range=(0, 1))
Training = tuple[minicnn.Sequential, list[Callback]]
"""A compiled model, and the callbacks of its training."""


def without(*kinds: type[layers.Layer]) -> Callable[[Training], Training]:
    """The model without the layers of these classes."""

    def change(training: Training) -> Training:
        return rebuilt(training, [layer for layer in training[0].layers if not isinstance(layer, kinds)])

    return change


def with_erasing(training: Training) -> Training:
    return rebuilt(training, [ERASING, *training[0].layers])


def without_label_smoothing(training: Training) -> Training:
    training[0].loss = CategoricalCrossentropy()
    return training


def without_weight_decay(training: Training) -> Training:
    training[0].optimizer.weight_decay = 0.0
    return training


def at_a_constant_rate(training: Training) -> Training:
    """A quarter of the highest learning rate: about the mean of the cycle would be half of it, which is too much."""
    model, callbacks = training
    highest = model.optimizer.describe()["config"]["learning_rate"]["config"]["warmup_target"]
    model.optimizer = AdamW(highest / 4, weight_decay=model.optimizer.weight_decay)
    return model, callbacks


def without_averaging(training: Training) -> Training:
    return training[0], []


VARIANTS: dict[str, Callable[[Training], Training]] = {
    "whole recipe": lambda training: training,
    "without flips": without(layers.RandomFlip),
    "without shifts": without(layers.RandomTranslation),
    "without batch norm": without(layers.BatchNormalization),
    "constant learning rate": at_a_constant_rate,
    "without label smoothing": without_label_smoothing,
    "without weight decay": without_weight_decay,
    "without weight averaging": without_averaging,
    "with random erasing": with_erasing,
}


def rebuilt(training: Training, stack: list[layers.Layer]) -> Training:
    """The training of a new model of layers like these."""
    model, callbacks = training
    fresh = [layers.CLASSES[layer.describe()["class"]](**layer.get_config()) for layer in stack]
    changed = minicnn.Sequential([minicnn.Input(model.input_shape[1:]), *fresh], name=model.name)
    changed.compile(model.optimizer, model.loss, metrics=model.compiled_metrics)
    return changed, callbacks


def train(variant: str, seed: int, epochs: int, x: np.ndarray, y: np.ndarray, held_out: int) -> dict[str, Any]:
    """Train one variant on all images but the last; its accuracy on these `held_out` ones.

    `mirrored` is the accuracy of the mean of the probabilities of an image and of its mirror image.
    """
    (x, held_x), (y, held_y) = ((array[:-held_out], array[-held_out:]) for array in (x, y))
    script = example("model7")
    options = Namespace(**{**script.report.MODEL_7.defaults, "epochs": epochs})
    minicnn.set_random_seed(seed)
    model = script.build_model()
    callbacks = script.compile_model(model, options, -(-len(x) // options.batch_size))
    model, callbacks = VARIANTS[variant]((model, callbacks))
    start = perf_counter()
    model.fit(x, y, options.batch_size, epochs, callbacks=callbacks)  # prints its epochs
    seconds = perf_counter() - start
    hits = model.predict(held_x, 128).argmax(axis=1) == held_y.argmax(axis=1)
    return {
        "variant": variant,
        "seed": seed,
        "epochs": epochs,
        "accuracy": float(hits.mean()),
        "mirrored": script.accuracy_with_mirror_images(model, held_x, held_y),
        "seconds": round(seconds, 1),
    }


def table(runs: list[dict[str, Any]]) -> str:
    """Mean accuracy of each variant over its seeds, and the mean difference from the whole recipe, seed by seed."""
    rows = []
    whole = {run["seed"]: run["accuracy"] for run in runs if run["variant"] == next(iter(VARIANTS))}
    for variant in dict.fromkeys(run["variant"] for run in runs):
        mine = [run for run in runs if run["variant"] == variant]
        accuracies = [run["accuracy"] for run in mine]
        differences = [run["accuracy"] - whole[run["seed"]] for run in mine if run["seed"] in whole]
        rows.append(
            [
                variant,
                str(len(mine)),
                f"{np.mean(accuracies):.4f}",
                f"{np.std(accuracies):.4f}",
                f"{np.mean(differences):+.4f}" if differences else "",
                f"{np.mean([run['mirrored'] for run in mine]):.4f}",
            ]
        )
    header = ["", "seeds", "accuracy", "standard deviation", "difference", "with mirror images"]
    return markdown_table(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each variant (default: %(default)s)")
    parser.add_argument("--epochs", type=int, help="of each training (default: Model 7's)")
    parser.add_argument("--only", default=",".join(VARIANTS), metavar="A,B", help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation.json"), help="file of the results")
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.only.split(",") if name not in VARIANTS]:
        parser.error(f"--only {', '.join(unknown)}: expected some of {', '.join(VARIANTS)}")
    data = prepared(*load_fashion_mnist().train)
    epochs = chosen.epochs or example("model7").report.MODEL_7.epochs
    runs = json.loads(chosen.out.read_text(encoding="utf-8")) if chosen.out.exists() else []
    done = {(run["variant"], run["seed"], run["epochs"]) for run in runs}
    for seed in range(chosen.seeds):
        for variant in chosen.only.split(","):
            if (variant, seed, epochs) not in done:
                print(f"\n{variant}, seed {seed}", flush=True)
                runs.append(train(variant, seed, epochs, *data, HELD_OUT))
                with atomic_writer(chosen.out) as file:
                    file.write((json.dumps(runs, indent=1) + "\n").encode())
                print(runs[-1], flush=True)
    print(f"\n{table([run for run in runs if run['epochs'] == epochs])}")


if __name__ == "__main__":
    main()
