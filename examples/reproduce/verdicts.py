"""Whether a row of the report is reproduced, in words and computed from the numbers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

JUDGED = ("accuracy", "loss")
"""The two numbers of a row that decide; in the report, recall is the accuracy again."""


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and standard deviation over the seeds (divided by S − 1); None for a single seed."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def verdict(report: Mapping[str, float], runs: Sequence[Mapping[str, float]]) -> str:
    """The verdict on a row with these metrics in the report and in our runs, one per seed.

    A number is reproduced if it lies within one standard deviation of our mean. A row whose accuracy is not its macro
    recall, though all classes are equally large, cannot be reproduced.
    """
    if abs(report["accuracy"] - report["recall"]) > 0.0001:
        distances = ", ".join(_distance(name, report, runs) for name in ("accuracy", "recall"))
        return f"cannot be reproduced, the row contradicts itself: {distances}"
    if len(runs) == 1:
        return f"one seed, no verdict: {', '.join(_distance(name, report, runs) for name in JUDGED)}"
    reached = [name for name in JUDGED if _is_within(name, report, runs)]
    missed = [name for name in JUDGED if name not in reached]
    inside, outside = (", ".join(_distance(name, report, runs) for name in names) for names in (reached, missed))
    if not missed:
        return f"reproduced within one standard deviation: {inside}"
    if not reached:
        return f"not: {outside}"
    return f"in part: {reached[0]} reproduced within one standard deviation, {missed[0]} not: {inside}, {outside}"


def _is_within(name: str, report: Mapping[str, float], runs: Sequence[Mapping[str, float]]) -> bool:
    mean, deviation = mean_and_deviation([run[name] for run in runs])
    return deviation is not None and abs(mean - report[name]) <= deviation


def _distance(name: str, report: Mapping[str, float], runs: Sequence[Mapping[str, float]]) -> str:
    """How far our mean is from the report: "accuracy 1.90 points above the report (4.2 standard deviations)"."""
    mean, deviation = mean_and_deviation([run[name] for run in runs])
    difference = mean - report[name]
    amount = f"{abs(difference):.4f}" if name == "loss" else f"{100 * abs(difference):.2f} points"
    side = "above" if difference > 0 else "below"
    word = "macro recall" if name == "recall" else name
    in_deviations = f" ({abs(difference) / deviation:.1f} standard deviations)" if deviation else ""
    return f"{word} {amount} {side} the report{in_deviations}"
