"""The metrics of an epoch while it runs. Their sums are kept on the device and transferred only when they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .. import arguments
from ..backends import active, to_host
from ..backends.contract import Array
from ..errors import explain
from .base import Metric


class RunningLogs(Mapping):
    """The epoch's metrics so far, by name. Reading one computes it; on a GPU, that waits for the device."""

    def __init__(self, trackers: Iterable[RunningMean | Metric]) -> None:
        self._trackers = {tracker.name: tracker for tracker in trackers}

    def __getitem__(self, name: str) -> float:
        return self._trackers[name].result()

    def __iter__(self) -> Iterator[str]:
        return iter(self._trackers)

    def __len__(self) -> int:
        return len(self._trackers)


class RunningMean:
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
