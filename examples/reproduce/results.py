"""All numbers of the reproduction, computed from the saved predictions and histories: the content of results.json."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from experiment.report import Row

from minicnn.datasets import CLASS_NAMES, FashionMNIST
from minicnn.datasets.statistics import pixel_statistics
from minicnn.ensembles import RULES
from minicnn.evaluation import area_under_curve, calibration, confusion_matrix, cutoff_curve, roc_curve, scores_by_class

from .files import load_array, readable
from .network import Network
from .plan import ROWS, Job, build_model
from .progress import PREDICTIONS
from .svm import SupportVectorMachine
from .variants import VARIANTS

ENSEMBLES = {
    "Ensemble I": ("baseline", "model1", "model2", "model3"),
    "Ensemble II": ("model4", "model5", "model6"),
}
"""Our reading of the captions, which name two ensembles and say nothing of their members: Conv1D and Conv2D models."""

PROBABILITIES = ("average", "voting average")
"""The rules whose scores are probabilities, so that a loss has a meaning."""

CUTOFFS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)

KERAS = Path(__file__).with_name("keras.json")
"""Keras's metrics for the same networks, as `keras_reference` wrote them."""

PACKAGES = ("minicnn", "numpy", "numba", "scipy", "scikit-learn")

Predictions = dict[str, dict[int, np.ndarray]]
"""Scores (N, 10) by the name of a model or ensemble rule, and by seed."""


def load_predictions(jobs: Sequence[Job], test_images: int) -> Predictions:
    """The predictions of all finished jobs, and those of the ensembles whose members are all finished.

    Raises RunError if a file of them is damaged.
    """
    found: Predictions = {}
    shape = (test_images, len(CLASS_NAMES))
    for job in jobs:
        if job.finished:
            found.setdefault(job.name, {})[job.seed] = load_array(job.folder / PREDICTIONS, shape)
    for ensemble, members in ENSEMBLES.items():
        seeds = set.intersection(*(set(found.get(name, ())) for name in members))
        for seed in sorted(seeds):
            probabilities = np.stack([found[name][seed] for name in members])
            for rule, combine in RULES.items():
                found.setdefault(f"{ensemble}, {rule}", {})[seed] = combine(probabilities)
    return found


def collect(jobs: Sequence[Job], predictions: Predictions, data: FashionMNIST, settings: Mapping[str, Any]) -> dict:
    """Everything that the page says."""
    labels = data.test[1][: settings["test_images"]]
    networks = [job for job in jobs if isinstance(job, Network) and job.finished]
    machines = [job for job in jobs if isinstance(job, SupportVectorMachine) and job.finished]
    return {
        "settings": dict(settings),
        "seeds": sorted({job.seed for job in jobs if job.finished}),
        "trainings": {"finished": sum(job.finished for job in jobs), "planned": len(jobs)},
        "versions": {"python": platform.python_version(), **{package: _version(package) for package in PACKAGES}},
        "processor": platform.processor() or platform.machine(),
        "test_images_by_class": np.bincount(labels, minlength=len(CLASS_NAMES)).tolist(),
        "pixels": pixel_statistics(data.train[0][: settings["training_images"]])._asdict(),
        "models": {
            name: {
                **_row(row),
                "parameters": build_model(name)().count_params(),
                "runs": [_network_run(job, labels, predictions) for job in networks if job.name == name],
            }
            for name, row in ROWS.items()
            if name in predictions
        },
        "ensembles": {
            ensemble: {
                "members": [ROWS[name].title for name in members],
                "rules": {
                    rule: [_ensemble_run(rule, seed, labels, scores) for seed, scores in of_rule.items()]
                    for rule in RULES
                    if (of_rule := predictions.get(f"{ensemble}, {rule}"))
                },
            }
            for ensemble, members in ENSEMBLES.items()
        },
        "machines": _machines(machines, labels, predictions),
        "variants": {
            name: {
                "base": variant.base,
                "title": variant.title,
                "parameters": variant.build().count_params(),
                "runs": [_network_run(job, labels, predictions) for job in networks if job.name == name],
            }
            for name, variant in VARIANTS.items()
            if name in predictions
        },
        "keras": json.loads(KERAS.read_text(encoding="utf-8")),
    }


def evaluate(labels: np.ndarray, scores: np.ndarray, probabilities: bool = True) -> dict[str, Any]:
    """The metrics of scores (N, 10) against true classes (N,); loss and calibration only of probabilities.

    The loss is the mean of −ln p of the true class, without clipping.
    """
    classes = range(len(CLASS_NAMES))
    answers = scores.argmax(axis=1)
    counts = confusion_matrix(labels, answers, len(CLASS_NAMES))
    by_class = np.column_stack(scores_by_class(labels, answers, len(CLASS_NAMES))[:3])
    precision, recall, f1 = by_class.mean(axis=0).tolist()
    accuracy = float(counts.trace() / len(labels))
    found: dict[str, Any] = {"accuracy": accuracy, "precision": precision, "recall": recall, "f1": f1}
    if probabilities:
        true = scores[np.arange(len(labels)), labels].astype(np.float64)
        found["loss"] = float(-np.log(np.maximum(true, np.finfo(np.float32).tiny)).mean())
        found["calibration_error"] = calibration(labels, scores).error
    truth = np.eye(len(CLASS_NAMES), dtype=bool)[labels]
    if truth.any(axis=0).all():
        curves = [roc_curve(truth[:, k], scores[:, k]) for k in classes]
        found["auc_macro"] = float(np.mean([area_under_curve(*curve) for curve in curves]))
        found["auc_micro"] = area_under_curve(*roc_curve(truth.ravel(), scores.ravel()))
    return found | {"by_class": by_class.tolist(), "confusion": counts.tolist()}


def _network_run(job: Network, labels: np.ndarray, predictions: Predictions) -> dict[str, Any]:
    history = job.history()
    return {
        "seed": job.seed,
        **evaluate(labels, predictions[job.name][job.seed]),
        "epochs": job.epochs,
        "seconds": round(sum(history.pop("seconds")), 1),
        "history": {name: [round(value, 6) for value in values] for name, values in history.items()},
    }


def _ensemble_run(rule: str, seed: int, labels: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    curve = cutoff_curve(labels, scores, CUTOFFS)
    cutoffs = {
        "cutoff": list(CUTOFFS),
        "answered": curve.answered.tolist(),
        "accuracy": [None if np.isnan(value) else value for value in curve.accuracy.tolist()],
    }
    return {"seed": seed, **evaluate(labels, scores, rule in PROBABILITIES), "cutoffs": cutoffs}


def _machines(
    jobs: Sequence[SupportVectorMachine], labels: np.ndarray, predictions: Predictions
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for job in jobs:
        path = job.folder / "settings.json"
        with readable(path):
            record = json.loads(path.read_text(encoding="utf-8"))
        run = {"seed": job.seed, **evaluate(labels, predictions[job.name][job.seed], probabilities=False)}
        first = {"title": job.title, "training_images": record["training_images"], "runs": []}
        machine = found.setdefault(job.name, first)
        machine["runs"].append(run | {"support_vectors": record["support_vectors"], "seconds": record["seconds"]})
    return found


def _row(row: Row) -> dict[str, Any]:
    """What the report prints of a model."""
    by_class = [list(row.by_class[name]) for name in CLASS_NAMES] if row.by_class else None
    return {
        "title": row.title,
        "report": row.metrics._asdict(),
        "report_epochs": row.epochs,
        "report_by_class": by_class,
        "note": row.note or None,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
