"""Turns and figures: A B A B, so that whatever slows the machine slows everyone; then medians, ratios and spreads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np

FEWEST = 2  # rounds, however small the budget


def interleave(
    turns: Mapping[str, Callable[[], float]],
    rounds: int,
    seconds: float,
    excused: Callable[[str], AbstractContextManager[Any]] = nullcontext,
) -> dict[str, list[float]]:
    """Each turn once a round, in order; stops after `rounds`, or early when the budget is spent.

    A turn that fails where `excused` forgives it is left out of the rest, and of what is returned.
    """
    figures: dict[str, list[float]] = {name: [] for name in turns}
    start = monotonic()
    for done in range(rounds):
        if done >= FEWEST and (monotonic() - start) * (done + 1) / done > seconds:
            break
        for name in list(figures):
            earlier = figures.pop(name)
            with excused(name):
                figures[name] = [*earlier, turns[name]()]
    return figures


@dataclass(frozen=True)
class Summary:
    """The median of some figures, and the quartiles around it."""

    median: float
    low: float
    high: float


def summarise(figures: Sequence[float]) -> Summary:
    low, median, high = np.quantile(figures, (0.25, 0.5, 0.75))
    return Summary(float(median), float(low), float(high))


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> Summary:
    """How many times as long they take, round by round: rounds have their weather, and both sides had the same."""
    return summarise([a / b for a, b in zip(theirs, ours, strict=True)])
