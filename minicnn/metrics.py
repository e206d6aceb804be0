"""Metrics of an epoch. Their sums are kept on the device and transferred only when a result is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import arguments
from .backends import active, to_device, to_host
from .backends.contract import Array
from .errors import explain


class RunningLogs(Mapping):
    """The epoch's metrics so far, by name. Reading one computes it; on a GPU, that waits for the device."""

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
        value = arguments.array(self.name, "value", value)
        if value.shape != ():
            raise ValueError(explain(self.name, "one number", f"an array of shape {value.shape}", "Take its mean."))
        self.total = active().accumulate(self.total, value, samples)
        self.count += arguments.whole(f"{self.name} samples", samples)

    def result(self) -> float:
        return float(to_host(self.total)) / max(self.count, 1)


class Accuracy:
    """The fraction of samples whose largest output is the true class: y_true labels (N,) or one-hot (N, K)."""

    def __init__(self, name: str = "accuracy") -> None:
        self.name = name
        self.correct: Any = 0.0
        self.count = 0

    def update(self, y_true: Array, y_pred: Array) -> None:
        y_true, y_pred = (arguments.array(self.name, what, y) for what, y in (("y_true", y_true), ("y_pred", y_pred)))
        if y_pred.ndim < 2 or y_pred.shape[-1] < 2 or y_pred.size == 0:
            raise ValueError(
                explain(
                    self.name, "one output for each class", f"y_pred of shape {y_pred.shape}", "Leave the metric out."
                )
            )
        if y_true.shape not in (y_pred.shape, y_pred.shape[:-1], (*y_pred.shape[:-1], 1)):
            raise ValueError(
                explain(
                    self.name,
                    f"labels or one-hot rows for predictions of shape {y_pred.shape}",
                    f"y_true of shape {y_true.shape}",
                    "Give one target for every prediction.",
                )
            )
        if y_true.shape == (*y_pred.shape[:-1], 1):
            y_true = y_true[..., 0]
        correct = active().count_correct(y_pred, to_device(y_true))
        self.correct = active().accumulate(self.correct, correct, 1)
        self.count += y_pred.size // y_pred.shape[-1]

    def result(self) -> float:
        return float(to_host(self.correct)) / max(self.count, 1)


NAMES = ("accuracy", "acc", "categorical_accuracy", "sparse_categorical_accuracy")
"""Keras's names; here they all mean the same metric."""


def check_name(name: Any) -> str:
    """The metric's name. Raises ValueError, listing the known names, if it is unknown."""
    return arguments.choice("metrics", name, NAMES, "names of metrics")
