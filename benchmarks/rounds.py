"""Turns A B A B, so that temporary slowness of the machine affects all rivals; medians, ratios and spreads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np

FEWEST = 2  # minimum number of rounds, even beyond the budget


def interleave(
    turns: Mapping[str, Callable[[], float]],
    rounds: int,
    seconds: float,
    may_fail: Callable[[str], AbstractContextManager[Any]] = nullcontext,
) -> dict[str, list[float]]:
    """Run each turn once per round, in order; stop after `rounds`, or earlier when the budget is spent.

    A turn whose exception `may_fail` suppresses is left out of the other rounds and of the result.
    """
    times: dict[str, list[float]] = {name: [] for name in turns}
    start = monotonic()
    for done in range(rounds):
        if done >= FEWEST and (monotonic() - start) * (done + 1) / done > seconds:
            break
        for name in list(times):
            earlier = times.pop(name)
            with may_fail(name):
                times[name] = [*earlier, turns[name]()]
    return times


@dataclass(frozen=True)
class Summary:
    """The median of some times, and the quartiles around it."""

    median: float
    low: float
    high: float


def summarise(times: Sequence[float]) -> Summary:
    low, median, high = np.quantile(times, (0.25, 0.5, 0.75))
    return Summary(float(median), float(low), float(high))


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> Summary:
    """The ratio of their times to ours, round by round: both sides of a round had the same conditions."""
    return summarise([a / b for a, b in zip(theirs, ours, strict=True)])
