"""From the command line to the page: train what is not trained yet, evaluate everything, write the report."""

from __future__ import annotations

import json
import math
import shutil
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from experiment import command_line
from experiment.checkpoint import RunError, reserved
from experiment.files import write_json, write_text

from minicnn import backend_name, device_name
from minicnn.datasets import FashionMNIST, load_fashion_mnist
from minicnn.files import atomic_writer

from . import options as command
from .content import document
from .figures import STYLES, Drawing, drawings, png
from .markdown import markdown
from .page import page
from .plan import Job, all_jobs
from .progress import Progress
from .results import collect, load_predictions

ROOT = Path(__file__).resolve().parents[2]
FIGURES = "figures"
IMAGES = "images/reproduction"
COMMENT = "Written by python -m examples.reproduce from docs/data/reproduction.json: changes here are lost."


def main() -> None:
    options = command.parse()
    with command_line.errors_as_sentences():
        command_line.choose_backend(options)
        data = load_fashion_mnist(options.data_dir, quiet=options.quiet)
        jobs = all_jobs(options)
        with reserved(options.out):
            settings = open_folder(options, data)
            if not options.report_only:
                train(jobs, data, options, settings["training_images"])
            write_report(jobs, data, options, settings)


def open_folder(options: Namespace, data: FashionMNIST) -> dict:
    """The settings of the reproduction in --out, written there if it is new.

    Raises RunError if the one that is there was begun with other settings.
    """
    train, test = (images[: options.limit] for images, _ in data)
    settings = {
        "backend": backend_name(),
        "device": device_name(),
        "epochs": options.epochs,
        "data": "sample" if data.is_sample else "Fashion-MNIST",
        "training_images": len(train),
        "test_images": len(test),
    }
    path = options.out / "settings.json"
    if options.overwrite and not options.report_only:
        shutil.rmtree(options.out / "runs", ignore_errors=True)
    elif path.exists():
        try:
            begun = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RunError(f"{path} is damaged: {error}; replace everything with --overwrite") from None
        for name, value in settings.items():
            if begun.get(name) != value:
                word = name.replace("_", " ")
                raise RunError(
                    f"the reproduction in {options.out} was begun with {word} {begun.get(name)}, not {value}; "
                    "--out DIR begins another one, --overwrite replaces it"
                )
    if not options.report_only:
        write_json(path, settings)
    return settings


def train(jobs: Sequence[Job], data: FashionMNIST, options: Namespace, images: int) -> None:
    """Do the jobs that are not finished."""
    progress = Progress(jobs, math.ceil(images / options.batch_size), options.quiet)
    try:
        for job in jobs:
            if not job.finished:
                progress.begin(job)
                job.run(data, options, progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted; the same command goes on from there") from None
    finally:
        progress.close()


def write_report(jobs: Sequence[Job], data: FashionMNIST, options: Namespace, settings: dict) -> None:
    """Write results.json, the figures, the page and the Markdown file, of everything that is finished."""
    predictions = load_predictions(jobs, settings["test_images"])
    if not predictions:
        raise RunError(f"nothing in {options.out} is finished yet; start without --report-only")
    results = collect(jobs, predictions, data, settings)
    text = document(results)
    draw(drawings(data, predictions, results), text.pictures, options.out, results)
    write_text(options.out / "reproduction.html", page(text, options.out / FIGURES))
    complete = command.is_whole(options) and all(job.finished for job in jobs)
    docs = options.docs or (ROOT / "docs" if complete else options.out)
    write_docs(docs, results, options.out / FIGURES)
    print(f"The page is {options.out / 'reproduction.html'}; reproduction.md is in {docs}")


def draw(figures: Mapping[str, Drawing], names: Iterable[str], folder: Path, results: dict) -> None:
    """Draw these figures if any number has changed since they were drawn, and then write results.json."""
    content, path = dumps(results), folder / "results.json"
    changed = not path.exists() or path.read_text(encoding="utf-8") != content
    for name in names:
        for style in STYLES:
            picture = folder / FIGURES / f"{name}-{style}.png"
            if changed or not picture.exists():
                with atomic_writer(picture) as file:
                    file.write(png(figures[name](style=style)))
    write_text(path, content)  # last: a killed process draws again


def write_docs(docs: Path, results: dict, figures: Path) -> None:
    """The Markdown file, its figures in the light style, and the numbers that it was made from."""
    text = document(results)
    for name in text.pictures:
        with atomic_writer(docs / IMAGES / f"{name}.png") as file:
            file.write((figures / f"{name}-light.png").read_bytes())
    write_text(docs / "data" / "reproduction.json", dumps(results))
    write_text(docs / "reproduction.md", markdown(text, COMMENT, IMAGES))


def dumps(results: dict) -> str:
    return json.dumps(results, indent=1, ensure_ascii=False) + "\n"
