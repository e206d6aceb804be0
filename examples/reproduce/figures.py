"""The figures, as small PNG files in a light and a dark style."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn import plots
from minicnn.datasets import CLASS_NAMES, FashionMNIST

from .results import ENSEMBLES, Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLES = ("light", "dark")
DPI = 100
COLOURS = 128
"""Colours of a file: figures have few, and a palette makes files four times smaller."""

IN_REPORT = ("model4", "model5", "model6")
"""The models whose predictions the report's figures 3–11 show."""

Drawing = Callable[..., "Figure"]
"""Takes the keyword argument style."""


def drawings(data: FashionMNIST, predictions: Predictions, results: Mapping[str, Any]) -> dict[str, Drawing]:
    """How each figure is drawn, by name. Figures of one run show that of the first seed."""
    images, labels = (array[: results["settings"]["training_images"]] for array in data.train)
    test_images, y = (array[: results["settings"]["test_images"]] for array in data.test)
    found: dict[str, Drawing] = {
        "samples": partial(plots.plot_samples, images, labels, CLASS_NAMES, "Training images of every class"),
        "pixels": partial(plots.plot_pixel_summary, images, labels, CLASS_NAMES, "Pixels of the training images"),
        "accuracy": partial(_compare_accuracy, results),
    }
    models = results["models"]
    for name, model in models.items():
        scores, title = next(iter(predictions[name].values())), model["title"]
        if name in IN_REPORT:
            found |= _figures_of_report(name, title, y, scores, model["report_by_class"])
        found[f"calibration-{name}"] = partial(plots.plot_calibration, y, scores, f"{title}: calibration")
        found[f"mistakes-{name}"] = partial(
            plots.plot_confident_mistakes, test_images, y, scores, CLASS_NAMES, f"{title}: most confident mistakes", 16
        )
    return found | _learning_curves(models) | _figures_of_ensembles(y, predictions)


def _learning_curves(models: Mapping[str, Any]) -> dict[str, Drawing]:
    """Of the members of each ensemble, which are of one kind, and of Model 6 alone."""
    groups = {f"learning-ensemble{i}": names for i, names in enumerate(ENSEMBLES.values(), start=1)}
    found: dict[str, Drawing] = {}
    for figure, names in {**groups, "learning-model6": ("model6",)}.items():
        histories = {
            models[name]["title"]: [run["history"] for run in models[name]["runs"]] for name in names if name in models
        }
        if histories:
            found[figure] = partial(plots.plot_learning_curves, histories, f"Learning curves: {', '.join(histories)}")
    return found


def _figures_of_report(
    name: str, title: str, y: np.ndarray, scores: np.ndarray, printed: Sequence[Sequence[float]]
) -> dict[str, Drawing]:
    answers = scores.argmax(axis=1)
    matrix, heading = f"{title}: confusion matrix", f"{title}: scores by class"
    beside: dict[str, Any] = {"reference": printed, "reference_name": "report"}
    return {
        f"confusion-{name}": partial(plots.plot_confusion_matrix, y, answers, CLASS_NAMES, matrix),
        f"report-{name}": partial(plots.plot_classification_report, y, answers, CLASS_NAMES, heading, **beside),
        f"roc-{name}": partial(plots.plot_roc_curves, y, scores, CLASS_NAMES, f"{title}: ROC curves"),
    }


def _figures_of_ensembles(y: np.ndarray, predictions: Predictions) -> dict[str, Drawing]:
    found: dict[str, Drawing] = {}
    for number, ensemble in enumerate(ENSEMBLES, start=1):
        rules = {
            name.removeprefix(f"{ensemble}, "): np.stack(list(seeds.values()))
            for name, seeds in predictions.items()
            if name.startswith(f"{ensemble}, ")
        }
        if rules:
            title = f"{ensemble}, average: precision and recall over the cutoff"
            found[f"cutoff-ensemble{number}"] = partial(
                plots.plot_cutoff_curves, y, rules, f"{ensemble}: cutoff curves of the four rules"
            )
            found[f"classes-ensemble{number}"] = partial(
                plots.plot_class_cutoff_curves, y, rules["average"], CLASS_NAMES, title
            )
    return found


def _compare_accuracy(results: Mapping[str, Any], style: str) -> Figure:
    """Accuracy of all rows, as bars, with the report's as lines."""
    values, printed = {}, {}
    for model in results["models"].values():
        values[model["title"]] = [run["accuracy"] for run in model["runs"]]
        printed[model["title"]] = model["report"]["accuracy"]
    for ensemble, content in results["ensembles"].items():
        for rule, runs in content["rules"].items():
            values[f"{ensemble}, {rule}"] = [run["accuracy"] for run in runs]
    for machine in results["machines"].values():
        values[machine["title"]] = [run["accuracy"] for run in machine["runs"]]
    lowest = min(*(min(numbers) for numbers in values.values()), *printed.values())
    return plots.plot_comparison(
        values,
        "Accuracy on the test images",
        reference=printed,
        reference_name="report",
        start=np.floor(20 * lowest) / 20,
        style=style,
    )


def png(figure: Figure) -> bytes:
    from PIL import Image

    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(packed, format="png", optimize=True)
    return packed.getvalue()
