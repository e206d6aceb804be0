"""The results of a run: metrics on the test images, printed beside the report's and written to files."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from minicnn import Model, plots
from minicnn.datasets import CLASS_NAMES
from minicnn.evaluation import scores_by_class

from .checkpoint import Checkpoint
from .command_line import again
from .files import write_json, write_text
from .report import Metrics, Row, Scores

PACKAGES = ("minicnn", "numpy", "numba", "scipy", "scikit-learn", "matplotlib")
REPORT_IMAGES = 60_000
DRAWN = ("training_curves.png", "confusion_matrix.png", "classification_report.png", "roc_curves.png", "samples.png")


@dataclass(frozen=True)
class Outcome:
    """The model's metrics on N test images, and the data that they were computed from."""

    metrics: Metrics
    by_class: dict[str, Scores]
    labels: np.ndarray
    """The true classes, shape (N,)."""
    probabilities: np.ndarray
    """The model's predictions, shape (N, 10)."""

    @property
    def predictions(self) -> np.ndarray:
        return self.probabilities.argmax(axis=1)


def measure(model: Model, x: np.ndarray, y: np.ndarray, batch_size: int) -> Outcome:
    """All metrics of the model on images x with one-hot labels y."""
    loss, accuracy = model.evaluate(x, y, batch_size, verbose=0)
    labels, probabilities = y.argmax(axis=1), model.predict(x, batch_size)
    scores = np.column_stack(scores_by_class(labels, probabilities.argmax(axis=1), len(CLASS_NAMES))[:3])
    by_class = {name: Scores(*map(float, triple)) for name, triple in zip(CLASS_NAMES, scores, strict=True)}
    macro = map(float, scores.mean(axis=0))
    return Outcome(Metrics(loss, accuracy, *macro), by_class, labels, probabilities)


def show(row: Row, outcome: Outcome, checkpoint: Checkpoint, quiet: bool) -> None:
    """Print the metrics beside the report's, and the reasons why the two may not be comparable."""
    print(f"\n{_comparison(row, outcome)}")
    if row.note:
        print(f"\n{row.note}")
    epochs, images = len(checkpoint.rows), checkpoint.settings["training_images"]
    if (epochs, images) != (row.epochs, REPORT_IMAGES):
        theirs, ours = f"{row.epochs} epochs on {REPORT_IMAGES:,} images", f"{epochs} on {images:,}"
        print(f"\nNot comparable: in {row.source}, {row.title} is trained for {theirs}, in this run for {ours}.")
    if row.by_class and not quiet:
        print(f"\n{_comparison_by_class(row, outcome)}")


def _comparison(row: Row, outcome: Outcome) -> str:
    names = ("loss", "accuracy", "macro precision", "macro recall", "macro F1")
    lines = [f"{row.title:<16}{'this run':>10}{'report':>10}{'difference':>13}"]
    for name, ours, theirs in zip(names, outcome.metrics, row.metrics, strict=True):
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
    for name in ("metrics.json", "classification_report.txt", "explorer.html", *DRAWN):
        (folder / name).unlink(missing_ok=True)


def write(row: Row, outcome: Outcome, checkpoint: Checkpoint) -> None:
    """Write the metrics as JSON, and the scores by class as a table."""
    record = {
        "model": row.title,
        "epochs": len(checkpoint.rows),
        "training_seconds": round(sum(checkpoint.history()["seconds"]), 3),
        "metrics": outcome.metrics._asdict(),
        "metrics_by_class": {name: scores._asdict() for name, scores in outcome.by_class.items()},
        "report": row.metrics._asdict(),
        "report_note": row.note or None,
        "settings": checkpoint.settings,
        "versions": {"python": platform.python_version(), **{package: _version(package) for package in PACKAGES}},
    }
    write_json(checkpoint.folder / "metrics.json", record)
    write_text(checkpoint.folder / "classification_report.txt", _scores_by_class(outcome))


def draw(row: Row, outcome: Outcome, checkpoint: Checkpoint, images: np.ndarray) -> None:
    """Write the figures; `images` are the test images. Without matplotlib, print which figures are skipped."""
    try:
        import matplotlib  # noqa: F401
    except Exception as error:  # not installed, made for another NumPy, a wrong MPLBACKEND: it may raise anything
        print(f"\nmatplotlib cannot be imported: {error}")
        print(f"Without matplotlib, these figures are skipped: {', '.join(DRAWN)}.")
        print(f"To get them: pip install matplotlib, then {again(checkpoint)}")
        return
    of = outcome.labels, outcome.predictions, CLASS_NAMES
    curves = outcome.labels, outcome.probabilities, CLASS_NAMES
    figures = (
        plots.plot_history(checkpoint.history(), f"{row.title}: learning curves"),
        plots.plot_confusion_matrix(*of, f"{row.title}: confusion matrix"),
        plots.plot_classification_report(*of, f"{row.title}: scores by class"),
        plots.plot_roc_curves(*curves, f"{row.title}: ROC curves"),
        plots.plot_samples(images, outcome.labels, CLASS_NAMES, "Test images of every class"),
    )
    for name, figure in zip(DRAWN, figures, strict=True):
        plots.save_figure(figure, checkpoint.folder / name)


def _scores_by_class(outcome: Outcome) -> str:
    images = np.bincount(outcome.labels, minlength=len(CLASS_NAMES))
    rows = [(name, *scores, n) for (name, scores), n in zip(outcome.by_class.items(), images, strict=True)]
    rows.append(("macro average", *outcome.metrics[2:], images.sum()))
    lines = [f"{'':<14}" + "".join(f"{heading:>11}" for heading in ("precision", "recall", "F1", "images"))]
    lines += [
        f"{name:<14}{precision:>11.4f}{recall:>11.4f}{f1:>11.4f}{n:>11,}" for name, precision, recall, f1, n in rows
    ]
    return "\n".join([*lines, "", f"accuracy {outcome.metrics.accuracy:.4f}", ""])


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
