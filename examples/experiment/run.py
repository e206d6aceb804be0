"""One run, from the command line to the results: load, train, evaluate, compare with the report."""

from __future__ import annotations

import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from minicnn import Model, backend_name, device_name, explorer, set_random_seed
from minicnn.callbacks import Callback
from minicnn.datasets import CLASS_NAMES, FashionMNIST, load_fashion_mnist, to_categorical
from minicnn.optimizers import Adam

from . import command_line, results
from .checkpoint import Checkpoint
from .report import Row

PROBES, RECORDED_EVERY = 16, 20
"""Test images whose loss is recorded with --explore, and the steps between two records."""

Split = tuple[np.ndarray, np.ndarray]
Compile = Callable[[Model, Namespace, int], list[Callback]]
Trained = tuple[Model, Split]


def compile_as_in_report(model: Model, options: Namespace, steps: int) -> list[Callback]:
    """Compile the model for `steps` steps per epoch; returns the callbacks that its training needs."""
    model.compile(optimizer=Adam(options.learning_rate), loss="categorical_crossentropy", metrics=["accuracy"])
    return []


def run(build_model: Callable[[], Model], row: Row, compile_model: Compile = compile_as_in_report) -> Trained:
    """Train an example's model and compare it with its row of the report; returns the model and the test images.

    Ends the process with an error message if that cannot be done.
    """
    typed = command_line.parse(row, sys.modules[build_model.__module__].__doc__)
    with command_line.processes(typed.shards) as parallel:
        helps = parallel is not None and parallel.rank > 0  # process 0 reads, writes and prints
        if helps:
            warnings.simplefilter("ignore")
        checkpoint = Checkpoint(typed.out)
        options = None if helps else checkpoint.options(typed, row.defaults)
        if parallel is not None:
            options = parallel.broadcast(options)
        assert options is not None
        command_line.choose_backend(options)
        data = load_fashion_mnist(options.data_dir, quiet=options.quiet or helps)

        set_random_seed(options.seed)
        model = build_model()
        train, test = (prepare(split, options.limit, model) for split in data)
        callbacks = compile_model(model, options, -(-len(train[0]) // options.batch_size))
        fit: dict[str, Any] = {
            "batch_size": options.batch_size,
            "epochs": options.epochs,
            "validation_data": test,  # as the report does
        }
        if parallel is not None and helps:
            model = parallel.replicate(None)
            model.fit(*train, **fit, initial_epoch=model.epochs_trained, callbacks=callbacks, verbose=0)
            sys.exit()

        settings = describe(row.title, data, model, train, test, options)
        if options.resume:
            model = checkpoint.resume(settings)
        else:
            results.remove(options.out)
            checkpoint.begin(model, settings)
        if not options.quiet:
            introduce(row, model, settings)
        probe = test[0][:PROBES], test[1][:PROBES]
        recordings = [explorer.record(*probe, RECORDED_EVERY)] if options.explore else []
        if parallel is not None:
            model = parallel.replicate(model)
        with interruption_explained(checkpoint):
            model.fit(
                *train,
                **fit,
                initial_epoch=model.epochs_trained,
                callbacks=[*callbacks, *recordings, checkpoint],
                verbose=0 if options.quiet else "auto",
            )
            outcome = results.measure(model, *test, options.batch_size)
            results.show(row, outcome, checkpoint, options.quiet)
            results.write(row, outcome, checkpoint)
            results.draw(row, outcome, checkpoint, test[0])
            for recording in recordings:
                write_explorer(checkpoint.folder / "explorer.html", model, probe, recording)
            print(f"\nThe results and the trained model (model.safetensors) are in {checkpoint.folder}")
    return model, test


def write_explorer(path: Path, model: Model, probe: Split, recording: explorer.Recording) -> None:
    """Write the page about a training step with the first of the probe images, and print where it is."""
    x, y = (array[:1] for array in probe)
    explorer.write(path, model, x, y, class_names=CLASS_NAMES, recording=recording if recording.moments else None)
    print(f"A training step, number by number: {path}, to be opened in a browser")


def prepare(split: Split, limit: int | None, model: Model) -> Split:
    """The first images as float32 from 0 to 1 in the model's input shape, and their labels, one-hot."""
    images, labels = (array[:limit] for array in split)
    assert model.input_shape is not None
    x = images.reshape(-1, *model.input_shape[1:]).astype(np.float32) / 255
    return x, to_categorical(labels, 10)


def describe(
    title: str, data: FashionMNIST, model: Model, train: Split, test: Split, options: Namespace
) -> dict[str, Any]:
    """Everything that determines the result of a run, as plain data, together with its options."""
    return {
        "model": title,
        "layers": [repr(layer) for layer in model.layers],
        "parameters": model.count_params(),
        "backend": backend_name(),
        "device": device_name(),
        "seed": options.seed,
        "learning_rate": options.learning_rate,
        "batch_size": options.batch_size,
        "shards": options.shards,
        "epochs": options.epochs,
        "limit": options.limit,
        "data_dir": options.data_dir and str(Path(options.data_dir).resolve()),
        "data": data.source,
        "data_is_sample": data.is_sample,
        "training_images": len(train[0]),
        "test_images": len(test[0]),
    }


def introduce(row: Row, model: Model, settings: dict[str, Any]) -> None:
    """Print the settings of the run and the model's summary."""
    sample = " (the embedded sample)" if settings["data_is_sample"] else ""
    done = f", {model.epochs_trained} of them done already" if model.epochs_trained else ""
    print(
        f"{row.title}, epochs: {settings['epochs']}{done}",
        f"Data: {settings['data']}{sample}, {settings['training_images']:,} training and "
        f"{settings['test_images']:,} test images",
        f"Backend: {settings['backend']} on the {settings['device']}",
        f"{type(model.optimizer).__name__}, learning rate {settings['learning_rate']:g}, "
        f"batches of {settings['batch_size']}, seed {settings['seed']}\n",
        sep="\n",
    )
    model.summary()
    print(flush=True)


@contextmanager
def interruption_explained(checkpoint: Checkpoint) -> Iterator[None]:
    """Inside the block, Ctrl-C prints what is kept and how to resume."""
    try:
        yield
    except KeyboardInterrupt:
        kept = f"{len(checkpoint.rows)} of {checkpoint.settings['epochs']} epochs are kept in {checkpoint.folder}"
        again = command_line.again(checkpoint)
        raise KeyboardInterrupt(f"interrupted; {kept}. To go on: {again}") from None
