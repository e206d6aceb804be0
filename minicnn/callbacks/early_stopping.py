"""EarlyStopping: end a training that no longer improves."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arguments
from ..layers.base import check_weights
from .base import Logs, number_in
from .monitor import MonitorCallback


class EarlyStopping(MonitorCallback):
    """Stops training when `monitor` has not improved by `min_delta` for `patience` epochs.

    With a `baseline`, an epoch that does not improve on it as well counts as waiting, but training never stops after
    an epoch that improved on the best one.
    Keras's arguments: monitor, min_delta, patience, verbose, mode, baseline, restore_best_weights, start_from_epoch.
    Its state: the epochs waited, the best value, its epoch and, with restore_best_weights, the weights of that epoch.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = arguments.whole("EarlyStopping patience", patience, least=0)
        self.verbose = arguments.verbose("EarlyStopping verbose", verbose)
        self.baseline = None if baseline is None else arguments.number("EarlyStopping baseline", baseline)
        self.restore_best_weights = arguments.flag("EarlyStopping restore_best_weights", restore_best_weights)
        self.start_from_epoch = arguments.whole("EarlyStopping start_from_epoch", start_from_epoch, least=0)
        self._reset()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self._reset()

    def _reset(self) -> None:
        self.best = None
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best_weights: list[np.ndarray] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        current = self.current(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.improves(current, self.best):
            self.best, self.best_epoch = current, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.improves(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)

    def get_state(self) -> dict[str, Any]:
        state = {**super().get_state(), "wait": self.wait, "best_epoch": self.best_epoch}
        return state if self.best_weights is None else {**state, "best_weights": self.best_weights}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.wait, self.best_epoch = (number_in("EarlyStopping", state, name, int) for name in ("wait", "best_epoch"))
        weights = state.get("best_weights")
        if self.restore_best_weights and isinstance(weights, list):
            check_weights("EarlyStopping state, best_weights", self.model.weights, weights)
            self.best_weights = weights
