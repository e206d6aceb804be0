"""From the command line to the page: measure what is not measured yet, then write the page."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from experiment import command_line
from experiment.checkpoint import reserved
from experiment.files import write_json, write_text
from reproduce.markdown import markdown

from minicnn import backend_name
from minicnn.datasets import load_fashion_mnist, to_categorical

from . import options as command
from . import searches, text, transfer
from .recipes import RECIPES, Recipe, tuned
from .results import Results
from .training import Split, train

DOCS = Path(__file__).resolve().parents[2] / "docs"
COMMENT = "Written by python -m examples.future_work from docs/data/future-work.json: changes here are lost."


def main() -> None:
    options = command.parse()
    with command_line.errors_as_sentences():
        command_line.choose_backend(options)
        data = load_fashion_mnist(options.data_dir)
        whole, test = prepare(*data.train), prepare(*data.test)
        settings = {
            "backend": backend_name(),
            "data": "sample" if data.is_sample else "Fashion-MNIST",
            "training_images": len(whole[0][: options.limit]),
            "test_images": len(test[0]),
            "epochs": options.epochs,
        }
        with reserved(options.out):
            results = Results(options.out / "results.json", settings)
            if not options.report_only:
                try:
                    measure(results, whole, test, options)
                except KeyboardInterrupt:
                    raise KeyboardInterrupt("interrupted; the same command goes on from there") from None
        docs = DOCS if command.are_published(options) and not data.is_sample else options.out
        write_json(docs / "data" / "future-work.json", results.content)
        write_text(docs / "future-work.md", markdown(text.page(results.content), COMMENT, ""))
        print(f"The page is {docs / 'future-work.md'}")


def prepare(images: np.ndarray, labels: np.ndarray) -> Split:
    """Images (N, 28, 28, 1), float32 from 0 to 1, and one-hot labels."""
    return images[..., None].astype("float32") / 255, to_categorical(labels, 10)


def measure(results: Results, whole: Split, test: Split, options: Namespace) -> None:
    """What is not in the results yet: the recipes, the searches, the recipes that they found, transfer learning."""
    training = whole[0][: options.limit], whole[1][: options.limit]
    trained(results, RECIPES, training, test, options)
    x, labels = training[0], training[1].argmax(axis=1)
    journal, epochs = options.out / "optuna.journal", max(1, options.epochs // 2)
    found = {
        "grid": lambda: searches.grid(x, labels, epochs),
        "optuna": lambda: searches.bayesian(x, labels, epochs, options.trials, journal),
    }
    tuned_recipes = {name: best(name, results.once("searches", name, search)) for name, search in found.items()}
    trained(results, tuned_recipes, training, test, options)
    for seed in range(options.seeds):
        transferred(results, seed, training, whole, test, options.epochs)


def trained(results: Results, recipes: Mapping[str, Recipe], training: Split, test: Split, options: Namespace) -> None:
    """All recipes, seed by seed: soon there is something to look at."""
    for seed in range(options.seeds):
        for name, recipe in recipes.items():
            run = results.once(name, str(seed), partial(train, recipe, seed, training, test, options.epochs))
            print(f"{recipe.title}, seed {seed}: accuracy {run['accuracy']:.4f}", flush=True)


def best(name: str, values: dict) -> Recipe:
    """The recipe with what a search has found."""
    return tuned(text.SEARCHES[name], values["learning_rate"], values["batch_size"])


def transferred(results: Results, seed: int, training: Split, whole: Split, test: Split, epochs: int) -> None:
    """The accuracies on three new classes, from 10, 100 and 1,000 images of each, taken from the whole training set."""
    model = None
    for images in text.IMAGES_PER_CLASS:
        name = f"{images}-{seed}"
        if name not in results.content.get("transfer", {}):
            model = model or transfer.pretrained(seed, training, epochs)
            found = results.once(
                "transfer", name, partial(transfer.accuracies, model, seed, whole, test, epochs, images)
            )
            print(f"Transfer, {images} images per class, seed {seed}: {found}", flush=True)
