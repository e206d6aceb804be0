"""Callbacks that change the learning rate between epochs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import arguments
from .base import Callback, Logs, number_in
from .monitor import MonitorCallback


class LearningRateScheduler(Callback):
    """Before every epoch, learning_rate ← schedule(epoch, learning_rate) or schedule(epoch), epochs counted from 0.

    The history gets a column learning_rate. The callback has no state: the learning rate belongs to the optimiser, and
    a saved model contains it. `minicnn.optimizers.schedules` has schedules over steps instead of epochs.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        where = "LearningRateScheduler schedule"
        try:
            self.schedule = arguments.function(where, schedule, "epoch", "learning_rate")
        except TypeError:
            of_epoch = arguments.function(where, schedule, "epoch")
            self.schedule = lambda epoch, rate: of_epoch(epoch)
        self.verbose = arguments.verbose("LearningRateScheduler verbose", verbose)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        rate = self.schedule(epoch, float(self.model.optimizer.learning_rate))
        rate = arguments.non_negative("LearningRateScheduler, what schedule returns", rate)
        self.model.optimizer.learning_rate = rate
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate {rate:g}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        logs["learning_rate"] = self.model.optimizer.learning_rate


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by `factor` when `monitor` has not improved by `min_delta` for `patience` epochs.

    Keras's arguments: monitor, factor, patience, verbose, mode, min_delta, cooldown (epochs to wait after a
    reduction), min_lr. The history gets a column learning_rate, the rate of each epoch.
    Its state: the best value, the epochs waited and the epochs of cooldown left.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.factor = arguments.fraction("ReduceLROnPlateau factor", factor)
        self.patience = arguments.whole("ReduceLROnPlateau patience", patience, least=0)
        self.verbose = arguments.verbose("ReduceLROnPlateau verbose", verbose)
        self.cooldown = arguments.whole("ReduceLROnPlateau cooldown", cooldown, least=0)
        self.min_lr = arguments.non_negative("ReduceLROnPlateau min_lr", min_lr)
        self._reset()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self._reset()

    def _reset(self) -> None:
        self.best = None
        self.wait = self.cooldown_counter = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        rate = logs["learning_rate"] = self.model.optimizer.learning_rate
        current = self.current(logs)
        if current is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(current, self.best):
            self.best, self.wait = current, 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                self.model.optimizer.learning_rate = rate = max(rate * self.factor, self.min_lr)
                self.cooldown_counter, self.wait = self.cooldown, 0
                if self.verbose:
                    print(f"Epoch {epoch + 1}: learning rate reduced to {rate:g}")

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "wait": self.wait, "cooldown_counter": self.cooldown_counter}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        names = ("wait", "cooldown_counter")
        self.wait, self.cooldown_counter = (number_in("ReduceLROnPlateau", state, name, int) for name in names)
