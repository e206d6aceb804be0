"""What a run leads to: figures on the test images, beside the report's on the screen, and in files."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from minicnn import Sequential, plots
from minicnn.datasets import CLASS_NAMES

from .checkpoint import Checkpoint
from .files import write_json, write_text
from .report import Figures, Row, Scores

PACKAGES = ("minicnn", "numpy", "numba", "scipy", "scikit-learn", "matplotlib")
REPORT_IMAGES = 60_000


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
    """Loss and accuracy of the model on images x with one-hot labels y; the other figures are scikit-learn's."""
    from sklearn.metrics import precision_recall_fscore_support

    loss, accuracy = model.evaluate(x, y, batch_size=64, verbose=0)
    labels, probabilities = y.argmax(axis=1), model.predict(x, batch_size=64)
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, probabilities.argmax(axis=1), labels=range(len(CLASS_NAMES)), zero_division=0
    )
    scores = np.column_stack([precision, recall, f1])
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
    lines = [f"{'By class':<12}" + "".join(f"{f'{name} (report)':>20}" for name in names)]
    for name in CLASS_NAMES:
        pairs = zip(outcome.by_class[name], row.by_class[name], strict=True)
        lines.append(f"{name:<12}" + "".join(f"{ours:>13.2f} ({theirs:.2f})" for ours, theirs in pairs))
    return "\n".join(lines)


def write(row: Row, outcome: Outcome, checkpoint: Checkpoint, images: np.ndarray) -> None:
    """Write the figures as JSON, scikit-learn's report as text, and the pictures; `images` are those measured on."""
    from sklearn.metrics import classification_report

    folder, history = checkpoint.folder, checkpoint.history()
    labels, predictions = outcome.labels, outcome.predictions
    record = {
        "model": row.title,
        "epochs": len(checkpoint.rows),
        "training_seconds": round(sum(history["seconds"]), 3),
        "metrics": outcome.figures._asdict(),
        "metrics_by_class": {name: scores._asdict() for name, scores in outcome.by_class.items()},
        "report": row.figures._asdict(),
        "report_note": row.note or None,
        "settings": checkpoint.settings,
        "versions": {"python": platform.python_version(), **{package: _version(package) for package in PACKAGES}},
    }
    text = classification_report(
        labels, predictions, labels=range(len(CLASS_NAMES)), target_names=CLASS_NAMES, digits=4, zero_division=0
    )
    pictures = {
        "training_curves": plots.plot_history(history, f"{row.title}: learning curves"),
        "confusion_matrix": plots.plot_confusion_matrix(
            labels, predictions, CLASS_NAMES, f"{row.title}: confusion matrix"
        ),
        "classification_report": plots.plot_classification_report(
            labels, predictions, CLASS_NAMES, f"{row.title}: scores by class"
        ),
        "roc_curves": plots.plot_roc_curves(labels, outcome.probabilities, CLASS_NAMES, f"{row.title}: ROC curves"),
        "samples": plots.plot_samples(images, labels, CLASS_NAMES, "Test images of every class"),
    }
    write_json(folder / "metrics.json", record)
    write_text(folder / "classification_report.txt", text)
    for name, picture in pictures.items():
        plots.save_figure(picture, folder / f"{name}.png")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
