"""Metrics: running figures of an epoch. They add up on the device and are read when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .backends import active, to_device, to_host
from .backends.contract import Array
from .errors import did_you_mean, explain


class RunningLogs(Mapping):
    """An epoch's figures so far, by name. Reading one is what computes it: on a GPU, it waits for the device."""

    def __init__(self, trackers: Iterable[Mean | Accuracy]) -> None:
        self._trackers = {tracker.name: tracker for tracker in trackers}

    def __getitem__(self, name: str) -> float:
        return self._trackers[name].result()

    def __iter__(self) -> Iterator[str]:
        return iter(self._trackers)

    def __len__(self) -> int:
        return len(self._trackers)


class Mean:
    """The mean of batch values, each weighted by its batch's size: the loss of an epoch."""

    def __init__(self, name: str = "loss") -> None:
        self.name = name
        self.total: Any = 0.0
        self.count = 0

    def update(self, value: Array, samples: int) -> None:
        self.total = active().accumulate(self.total, value, samples)
        self.count += samples

    def result(self) -> float:
        return float(to_host(self.total)) / max(self.count, 1)


class Accuracy:
    """The share of samples whose largest output is at the right class: y_true labels (N,) or one-hot (N, K)."""

    def __init__(self, name: str = "accuracy") -> None:
        self.name = name
        self.correct: Any = 0.0
        self.count = 0

    def update(self, y_true: Array, y_pred: Array) -> None:
        if y_pred.shape[-1] < 2:
            raise ValueError(
                explain("accuracy", "one output for each class", f"shape {y_pred.shape}", "Leave the metric out.")
            )
        correct = active().count_correct(y_pred, to_device(y_true))
        self.correct = active().accumulate(self.correct, correct, 1)
        self.count += y_pred.size // y_pred.shape[-1]

    def result(self) -> float:
        return float(to_host(self.correct)) / max(self.count, 1)


NAMES = ("accuracy", "acc", "categorical_accuracy", "sparse_categorical_accuracy")
"""Keras's names; all of them are the same figure here."""


def check_name(name: Any) -> str:
    """The metric's name if it is known; otherwise a ValueError that lists the known ones."""
    if name not in NAMES:
        raise ValueError(explain("metrics", "names of metrics", repr(name), did_you_mean(str(name), NAMES)))
    return name
