"""Whether a row of the report is reproduced, in words and computed from the numbers alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and standard deviation over the seeds (divided by S − 1); None for a single seed."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def verdict(report: dict[str, float], runs: Sequence[dict[str, float]]) -> str:
    """The verdict on a row: on its accuracy, then on its loss; a row that contradicts itself cannot be reproduced.

    A number is reproduced if it lies within one standard deviation of our mean.
    """
    if abs(report["accuracy"] - report["recall"]) > 0.0001:
        distances = (f"{_distance(name, report, runs)}" for name in ("accuracy", "recall"))
        return f"cannot be reproduced, the row contradicts itself: {', '.join(distances)}"
    return "; ".join(_of_metric(name, report, runs) for name in ("accuracy", "loss"))


def _of_metric(name: str, report: dict[str, float], runs: Sequence[dict[str, float]]) -> str:
    mean, deviation = mean_and_deviation([run[name] for run in runs])
    distance = _distance(name, report, runs)
    if deviation is None:
        return f"{distance} (one seed: no verdict)"
    if abs(mean - report[name]) <= deviation:
        return f"{name} reproduced within one standard deviation: {distance}"
    return f"not: {distance}"


def _distance(name: str, report: dict[str, float], runs: Sequence[dict[str, float]]) -> str:
    """How far our mean is from the report: "accuracy 1.9 points above the report (4.2 standard deviations)"."""
    mean, deviation = mean_and_deviation([run[name] for run in runs])
    difference = mean - report[name]
    side = "above" if difference > 0 else "below"
    amount = f"{abs(difference):.4f}" if name == "loss" else f"{100 * abs(difference):.2f} points"
    word = {"recall": "macro recall"}.get(name, name)
    in_deviations = f" ({abs(difference) / deviation:.1f} standard deviations)" if deviation else ""
    return f"{word} {amount} {side} the report{in_deviations}"
