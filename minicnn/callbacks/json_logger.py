"""JSONLogger: the metrics of every epoch in a file, and what a step does to each parameter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from .. import arguments
from ..files import explained
from .base import Logs
from .step_statistics import Statistics, StepStatistics, histogram


class JSONLogger(StepStatistics):
    """Writes one line of JSON per epoch (JSON Lines): {"epoch": 0, "loss": …, "val_loss": …}.

    With histogram_freq = n, the first step of every n-th epoch is measured, and the line has what it did to each
    parameter: {…, "parameters": {"conv2d/kernel": {"gradient": {"counts": …, "edges": …}, "update_ratio": 0.002}}}.
    append=True appends to an existing file. pandas.read_json(path, lines=True) reads it.
    """

    def __init__(self, filename: str | Path, append: bool = False, histogram_freq: int = 0) -> None:
        super().__init__(histogram_freq)
        self.filename = arguments.path("JSONLogger filename", filename)
        self.append = arguments.flag("JSONLogger append", append)
        self._file: TextIO | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        with explained(self.filename, "cannot be written", "Choose another path for the JSON file."):
            self.filename.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.filename.open("a" if self.append else "w", encoding="utf-8")

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._parameters: dict[str, Any] = {}

    def on_step_measured(self, statistics: Statistics) -> None:
        self._parameters = {
            name: {"gradient": histogram(one["gradient"]), "update_ratio": one["update_ratio"]}
            for name, one in statistics.items()
        }

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        assert self._file is not None
        line = {"epoch": epoch, **logs, **({"parameters": self._parameters} if self._parameters else {})}
        self._file.write(json.dumps(_plain(line)) + "\n")
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _plain(value: Any) -> Any:
    """The value as JSON has it: NaN and infinities are null."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
