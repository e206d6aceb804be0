"""What a run leads to: figures on the test images, beside the report's on the screen, and in files."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from minicnn import Sequential, plots
from minicnn.datasets import CLASS_NAMES

from .checkpoint import Checkpoint
from .command_line import again
from .files import write_json, write_text
from .report import Figures, Row, Scores

PACKAGES = ("minicnn", "numpy", "numba", "scipy", "scikit-learn", "matplotlib")
REPORT_IMAGES = 60_000
REPORT_PACKAGES = {"sklearn": "scikit-learn", "matplotlib": "matplotlib"}

DRAWN = (
    "training_curves.png",
    "confusion_matrix.png",
    "classification_report.png",
    "roc_curves.png",
    "samples.png",
    "classification_report.txt",
)
"""The files that need scikit-learn and matplotlib."""


@dataclass(frozen=True)
class Outcome:
    """The model's figures on N test images, and what they were computed from."""

    figures: Figures
    by_class: dict[str, Scores]
    labels: np.ndarray
    """The true classes, shape (N,)."""
    probabilities: np.ndarray
    """What the model predicted, shape (N, 10)."""

    @property
    def predictions(self) -> np.ndarray:
        return self.probabilities.argmax(axis=1)


def measure(model: Sequential, x: np.ndarray, y: np.ndarray) -> Outcome:
    """All metrics of the model on images x with one-hot labels y. A score without a meaning (0/0) counts as 0."""
    loss, accuracy = model.evaluate(x, y, batch_size=64, verbose=0)
    labels, probabilities = y.argmax(axis=1), model.predict(x, batch_size=64)
    confusion = np.zeros((len(CLASS_NAMES), len(CLASS_NAMES)))  # (true class, predicted class)
    np.add.at(confusion, (labels, probabilities.argmax(axis=1)), 1)
    correct, true, predicted = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    ratios = (correct, predicted), (correct, true), (2 * correct, predicted + true)  # precision, recall, F1
    scores = np.column_stack([part / np.maximum(whole, 1) for part, whole in ratios])
    by_class = {name: Scores(*map(float, triple)) for name, triple in zip(CLASS_NAMES, scores, strict=True)}
    macro = map(float, scores.mean(axis=0))
    return Outcome(Figures(loss, accuracy, *macro), by_class, labels, probabilities)


def show(row: Row, outcome: Outcome, checkpoint: Checkpoint, quiet: bool) -> None:
    """Print the figures beside the report's, and what keeps the two from being compared."""
    print(f"\n{_comparison(row, outcome)}")
    if row.note:
        print(f"\n{row.note}")
    epochs, images = len(checkpoint.rows), checkpoint.settings["training_images"]
    if (epochs, images) != (row.epochs, REPORT_IMAGES):
        theirs, ours = f"{row.epochs} epochs on {REPORT_IMAGES:,} images", f"{epochs} on {images:,}"
        print(f"\nNot like for like: the report trained for {theirs}, this run for {ours}.")
    if row.by_class and not quiet:
        print(f"\n{_comparison_by_class(row, outcome)}")


def _comparison(row: Row, outcome: Outcome) -> str:
    names = ("loss", "accuracy", "macro precision", "macro recall", "macro F1")
    lines = [f"{row.title:<16}{'this run':>10}{'report':>10}{'difference':>13}"]
    for name, ours, theirs in zip(names, outcome.figures, row.figures, strict=True):
        lines.append(f"{name:<16}{ours:>10.4f}{theirs:>10.4f}{ours - theirs:>+13.4f}")
    return "\n".join(lines)


def _comparison_by_class(row: Row, outcome: Outcome) -> str:
    names = ("precision", "recall", "F1")
    lines = [f"{'By class (report)':<17}" + "".join(f"{name:>14}" for name in names)]
    for name in CLASS_NAMES:
        pairs = zip(outcome.by_class[name], row.by_class[name], strict=True)
        lines.append(f"{name:<17}" + "".join(f"{ours:>7.2f} ({theirs:.2f})" for ours, theirs in pairs))
    return "\n".join(lines)


def remove(folder: Path) -> None:
    """Remove the results of an earlier run."""
    for name in ("metrics.json", *DRAWN):
        (folder / name).unlink(missing_ok=True)


def write(row: Row, outcome: Outcome, checkpoint: Checkpoint) -> None:
    """Write the metrics as JSON."""
    record = {
        "model": row.title,
        "epochs": len(checkpoint.rows),
        "training_seconds": round(sum(checkpoint.history()["seconds"]), 3),
        "metrics": outcome.figures._asdict(),
        "metrics_by_class": {name: scores._asdict() for name, scores in outcome.by_class.items()},
        "report": row.figures._asdict(),
        "report_note": row.note or None,
        "settings": checkpoint.settings,
        "versions": {"python": platform.python_version(), **{package: _version(package) for package in PACKAGES}},
    }
    write_json(checkpoint.folder / "metrics.json", record)


def draw(row: Row, outcome: Outcome, checkpoint: Checkpoint, images: np.ndarray) -> None:
    """Write scikit-learn's report as text, and the figures; `images` are those measured on.

    Where the packages for it are missing, say so instead.
    """
    if missing := [package for module, package in REPORT_PACKAGES.items() if find_spec(module) is None]:
        print(f"\nNot drawn, for {' and '.join(missing)} cannot be found: {', '.join(DRAWN)}.")
        print(f"To get them: pip install {' '.join(missing)}, then {again(checkpoint.folder)}")
        return
    from sklearn.metrics import classification_report

    of = outcome.labels, outcome.predictions, CLASS_NAMES
    figures = {
        "training_curves.png": plots.plot_history(checkpoint.history(), f"{row.title}: learning curves"),
        "confusion_matrix.png": plots.plot_confusion_matrix(*of, f"{row.title}: confusion matrix"),
        "classification_report.png": plots.plot_classification_report(*of, f"{row.title}: scores by class"),
        "roc_curves.png": plots.plot_roc_curves(
            outcome.labels, outcome.probabilities, CLASS_NAMES, f"{row.title}: ROC curves"
        ),
        "samples.png": plots.plot_samples(images, outcome.labels, CLASS_NAMES, "Test images of every class"),
    }
    for name, figure in figures.items():
        plots.save_figure(figure, checkpoint.folder / name)
    labels, classes = range(len(CLASS_NAMES)), list(CLASS_NAMES)
    text = classification_report(
        outcome.labels, outcome.predictions, labels=labels, target_names=classes, digits=4, zero_division=0
    )
    write_text(checkpoint.folder / "classification_report.txt", text)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
