"""Where the report contradicts itself, each with the evidence that our runs give."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .document import Block, Heading, Paragraph, Table
from .verdicts import mean_and_deviation

Results = Mapping[str, Any]

BESIDE_REPORT = ("loss", "accuracy", "loss − report", "accuracy − report")


def blocks(results: Results) -> list[Block]:
    """The five, as far as the models that they are about have been trained."""
    models = results["models"]
    found: list[Block] = [Heading("Five contradictions")]
    if models:
        found += _recall_is_accuracy(results)
    if {"model2", "model3"} <= models.keys():
        found += _equal_losses(models)
    if "model5" in models:
        found += _three_or_four(results)
        found += _dropout_and_padding(results)
    return [*found, *_captions()]


def _recall_is_accuracy(results: Results) -> list[Block]:
    counts = results["test_images_by_class"]
    rows = []
    for model in results["models"].values():
        worst = max(abs(run["accuracy"] - run["recall"]) for run in model["runs"])
        accuracies = ", ".join(f"{run['accuracy']:.4f} = {run['recall']:.4f}" for run in model["runs"])
        report = model["report"]
        difference = f"{abs(report['accuracy'] - report['recall']):.4f}"
        rows.append([model["title"], accuracies, f"{worst:.1e}", difference])
    images = f"{counts[0]:,} images of each class"
    if len(set(counts)) > 1:
        images = f"1,000 images of each class (this short run {min(counts)} to {max(counts)}, so its numbers differ)"
    return [
        Heading("1. The Baseline's accuracy and recall", 3),
        Paragraph(
            f"The test set has {images}. Then macro recall, (1/10) Σ hitsₖ / 1,000, is the sum of all hits over "
            "10,000, and that is the accuracy. The report's Baseline has 0.6832 and 0.8440: these belong to different "
            "predictions."
        ),
        Table(["model", "accuracy = macro recall, by seed", "largest difference", "difference in the report"], rows),
    ]


def _equal_losses(models: Mapping[str, Any]) -> list[Block]:
    losses = {name: [run["loss"] for run in models[name]["runs"]] for name in ("model2", "model3")}
    gaps = [abs(a - b) for a, b in zip(losses["model2"], losses["model3"], strict=False)]
    text = (
        "The table gives Model 3 an accuracy of 0.8832, the text 88.07 %, which is Model 2's; both have a loss of "
        "0.3197. The text speaks of “more training iterations”, the table gives both ten epochs. With the same seed, "
        f"our losses of the two differ by {', '.join(f'{gap:.4f}' for gap in gaps)}."
    )
    spread = [deviation for values in losses.values() if (deviation := mean_and_deviation(values)[1])]
    if len(spread) == 2:
        # The density of the difference of two normal numbers at 0, times the width of a step in the fourth digit.
        chance = 1e-4 / (math.hypot(*spread) * math.sqrt(2 * math.pi))
        text += (
            f" Over the seeds they have standard deviations of {spread[0]:.4f} and {spread[1]:.4f}. Even if their "
            f"means were equal, two such losses would agree in four digits in one of {1 / chance:.0f} pairs of runs."
        )
    return [Heading("2. Model 3's loss is Model 2's", 3), Paragraph(text)]


def _three_or_four(results: Results) -> list[Block]:
    text = (
        "For Models 5 and 6 the table counts four convolutions and lists three filter numbers; the text says “three "
        "convolutional layers (32, 64, and 128 filters)”."
    )
    base, variant = results["models"]["model5"], results["variants"].get("model5-four")
    rows = []
    if variant:
        seeds = {run["seed"] for run in variant["runs"]}
        for title, parameters, runs in (
            ("three", base["parameters"], [run for run in base["runs"] if run["seed"] in seeds]),
            ("four", variant["parameters"], variant["runs"]),
        ):
            rows.append([title, f"{parameters:,}", *_beside_report(runs, base["report"])])
    return [
        Heading("3. Three or four convolutions", 3),
        Paragraph(text),
        *([Table(["convolutions", "parameters", *BESIDE_REPORT], rows)] if rows else []),
    ]


def _dropout_and_padding(results: Results) -> list[Block]:
    base, variants = results["models"]["model5"], results["variants"]
    rows = [["same padding, dropout 0.2 (our reading)", *_beside_report(base["runs"], base["report"])]]
    for name, title in (
        ("model5-valid", "valid padding, dropout 0.2"),
        ("model5-no-dropout", "same padding, no dropout"),
    ):
        if name in variants:
            rows.append([title, *_beside_report(variants[name]["runs"], base["report"])])
    return [
        Heading("4. Dropout and padding of Models 4 to 6", 3),
        Paragraph(
            "The table gives them a dropout of 0.2, their description mentions none; padding is never stated. Model 5 "
            "under each reading, beside the report's 0.2662 and 0.9126:"
        ),
        Table(["reading", *BESIDE_REPORT], rows),
    ]


def _beside_report(runs: Sequence[Mapping[str, Any]], report: Mapping[str, float]) -> list[str]:
    """Mean loss and accuracy, and how far they are from the report's."""
    means = {name: mean_and_deviation([run[name] for run in runs])[0] for name in ("loss", "accuracy")}
    return [f"{mean:.4f}" for mean in means.values()] + [f"{mean - report[name]:+.4f}" for name, mean in means.items()]


def _captions() -> list[Block]:
    return [
        Heading("5. Models that do not exist", 3),
        Paragraph(
            "Captions speak of “models 5–8, 9–12, 13–16”. The report has seven models, six of them numbered, so ten of "
            "these twelve numbers (7 to 16) name none; and each of the figures 3–5, 6–8 and 9–11 shows three models, "
            "not four. The captions seem to come from a longer series of sixteen runs."
        ),
    ]
