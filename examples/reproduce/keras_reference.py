"""The seven models in Keras, with the same layers, data and epochs: the column "Keras" of the page.

    python -m examples.reproduce.keras_reference --models model4 model5 --seeds 1

Needs Keras and one of its backends. Writes keras.json beside this file after every training; what is there with the
same seed is not trained again.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import keras
from experiment.files import write_json
from experiment.options import positive_int
from experiment.run import prepare

from minicnn.datasets import load_fashion_mnist

from .plan import ROWS, build_model
from .results import KERAS, evaluate

METRICS = ("loss", "accuracy", "precision", "recall", "f1")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.reproduce.keras_reference", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME", help=", ".join(ROWS))
    parser.add_argument("--seeds", type=positive_int, default=1, metavar="N", help="number of seeds (default: 1)")
    options = parser.parse_args()
    record = json.loads(KERAS.read_text(encoding="utf-8"))
    record["source"] = f"Keras {keras.__version__} on {keras.config.backend()}, the same layers"
    for seed in range(options.seeds):
        for name in options.models:
            runs = [run for run in record["models"].get(name, []) if "seed" in run]
            if all(run["seed"] != seed for run in runs):
                record["models"][name] = [*runs, {"seed": seed, **train(name, seed)}]
                write_json(KERAS, record)


def train(name: str, seed: int) -> dict[str, Any]:
    """The metrics of one model on the test images."""
    ours = build_model(name)()
    keras.utils.set_random_seed(seed)
    layers = [getattr(keras.layers, type(layer).__name__)(**layer.arguments) for layer in ours.layers]
    assert ours.input_shape is not None
    model = keras.Sequential([keras.Input(ours.input_shape[1:]), *layers])
    model.compile("adam", "categorical_crossentropy")
    (x_train, y_train), (x_test, y_test) = (prepare(split, None, ours) for split in load_fashion_mnist())
    model.fit(x_train, y_train, batch_size=64, epochs=ROWS[name].epochs, verbose=2)
    found = evaluate(y_test.argmax(axis=1), model.predict(x_test, batch_size=1000, verbose=0))
    return {metric: found[metric] for metric in METRICS}


if __name__ == "__main__":
    main()
