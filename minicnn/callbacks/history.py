"""History: what `fit` returns."""

from __future__ import annotations

from numbers import Real
from typing import Any
from weakref import proxy

import numpy as np

from ..errors import explain
from .base import DAMAGED, Callback, Logs


class History(Callback):
    """Records the metrics of every epoch: history.history["val_accuracy"] is a list, one number per epoch.

    `epoch` and `history` hold the epochs of one fit, as in Keras. After a resumed fit, `whole` also holds the epochs
    before it: {"epoch": [0, 1, …], "loss": […], …}, NaN where an epoch lacks a metric.
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}
        self.whole: dict[str, list[float]] = {}

    def set_model(self, model: Any) -> None:
        self.model = proxy(model)  # the model has its history, and would keep itself alive

    def __repr__(self) -> str:
        return f"<History of {len(self.epoch)} epochs: {', '.join(self.history)}>"

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        earlier = [dict(zip(self.whole, row, strict=True)) for row in zip(*self.whole.values(), strict=True)]
        metrics = {name: value for name, value in logs.items() if isinstance(value, Real)}
        rows = [row for row in earlier if row["epoch"] < epoch] + [{"epoch": epoch, **metrics}]
        names = dict.fromkeys(name for row in rows for name in row)
        self.whole = {name: [row.get(name, np.nan) for row in rows] for name in names}

    def get_state(self) -> dict[str, Any]:
        return {name: np.array(values) for name, values in self.whole.items()}

    def set_state(self, state: dict[str, Any]) -> None:
        shapes = {values.shape if isinstance(values, np.ndarray) else () for values in state.values()}
        if "epoch" not in state or len(shapes) != 1 or len(*shapes) != 1:
            expected = "arrays of one length, with the epochs among them"
            raise ValueError(explain("History state", expected, f"shapes {shapes}", DAMAGED))
        self.whole = {name: values.tolist() for name, values in state.items()}
