"""What a training step does to each parameter: the distribution of its gradient, and how far it moves."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arguments
from ..backends import to_host
from .base import Callback, Logs

BINS = 30
"""Bins of a histogram."""

Statistics = dict[str, dict[str, Any]]
"""For each parameter, by name: its value, its gradient and the update ratio ‖new − old‖ / ‖old‖.

A ratio of about 0.001 is usual; far less learns slowly, far more forgets. It is None for a parameter of zeros.
"""


class StepStatistics(Callback):
    """Base class of callbacks that measure the first step of every n-th epoch, n = histogram_freq; with 0, none.

    The copy of the weights costs time, so few steps are measured.
    """

    def __init__(self, histogram_freq: int) -> None:
        self.histogram_freq = arguments.whole(f"{type(self).__name__} histogram_freq", histogram_freq, least=0)

    def on_step_measured(self, statistics: Statistics) -> None:
        """After a step that was measured."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._measures = self.histogram_freq > 0 and epoch % self.histogram_freq == 0

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        if self._measures and batch == 0:
            self._before = [np.array(to_host(parameter.value)) for parameter in self.model.parameters()]

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        if self._measures and batch == 0:
            self.on_step_measured(self._statistics())

    def _statistics(self) -> Statistics:
        measured = {}
        for parameter, old in zip(self.model.parameters(), self._before, strict=True):
            value, grad = np.array(to_host(parameter.value)), np.array(to_host(parameter.grad))
            size = float(np.linalg.norm(old))
            ratio = float(np.linalg.norm(value - old)) / size if size else None
            measured[parameter.name] = {"value": value, "gradient": grad, "update_ratio": ratio}
        return measured


def histogram(array: np.ndarray) -> dict[str, list[float]]:
    """Counts and edges of equal bins between the smallest and the largest finite number."""
    counts, edges = np.histogram(array[np.isfinite(array)], BINS)
    return {"counts": counts.tolist(), "edges": edges.tolist()}
