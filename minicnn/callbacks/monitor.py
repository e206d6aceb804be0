"""What EarlyStopping, ModelCheckpoint and ReduceLROnPlateau have in common: they compare a metric with its best."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import arguments
from ..errors import did_you_mean, explain
from .base import Callback, Logs, number_in

DIRECTIONS = {"auto": None, "min": -1, "max": 1}
"""For each mode, the sign of an improvement."""


class MonitorCallback(Callback):
    """Base class of callbacks that compare one metric, `monitor`, with its best value so far, `best`."""

    def __init__(self, monitor: str, mode: str = "auto", min_delta: float = 0.0, best: float | None = None) -> None:
        where = type(self).__name__
        self.monitor = arguments.text(f"{where} monitor", monitor)
        self.mode = arguments.choice(f"{where} mode", mode, tuple(DIRECTIONS), '"auto", "min" or "max"')
        self.sign = DIRECTIONS[mode]
        self.min_delta = abs(arguments.number(f"{where} min_delta", min_delta))
        self.best = None if best is None else arguments.number(f"{where} initial_value_threshold", best)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Find out whether larger is better, from the model's metrics, if the mode is "auto"."""
        if self.mode == "auto":
            larger_is_better = _larger_is_better(self.monitor.removeprefix("val_"), self.model)
            self.sign = None if larger_is_better is None else 1 if larger_is_better else -1

    def current(self, logs: Logs) -> float | None:
        """The metric's value; None, with a warning, if this training does not have it.

        Raises ValueError if the mode is "auto" and nobody knows whether larger is better.
        """
        where = f"{type(self).__name__} monitor"
        if self.monitor not in logs:
            lacks_validation = self.monitor.startswith("val_") and not any(name.startswith("val_") for name in logs)
            remedy = "Give fit validation data." if lacks_validation else did_you_mean(self.monitor, logs)
            warnings.warn(explain(where, "a metric of this training", repr(self.monitor), remedy), stacklevel=2)
            return None
        if self.sign is None:
            found = f"{self.monitor!r} with mode='auto'"
            remedy = 'Give mode="max" if larger is better, else mode="min".'
            raise ValueError(explain(where, "a metric of which it is known whether larger is better", found, remedy))
        return logs[self.monitor]

    def improves(self, current: float, reference: float | None) -> bool:
        """Whether the value is better than the reference by more than min_delta; without a reference, it is."""
        sign = self.sign or 1
        return reference is None or sign * current - self.min_delta > sign * reference

    def get_state(self) -> dict[str, Any]:
        best = self.best if self.best is not None and np.isfinite(self.best) else None
        return {"monitor": self.monitor, "sign": self.sign, "best": best}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state if it is of the same metric: the best value of another metric does not compare."""
        if (state.get("monitor"), state.get("sign")) == (self.monitor, self.sign):
            self.restore(state)

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the state of a callback that watched the same metric."""
        if state.get("best") is not None:
            self.best = number_in(type(self).__name__, state, "best", (int, float))


def _larger_is_better(name: str, model: Any) -> bool | None:
    """What the model's metric of this name says, or else the name itself; None if it is unknown."""
    for metric in (*getattr(model, "compiled_metrics", ()), *getattr(model, "weighted_metrics", ())):
        if metric.name == name and metric.larger_is_better is not None:
            return metric.larger_is_better
    return True if "acc" in name else False if "loss" in name or "error" in name else None
