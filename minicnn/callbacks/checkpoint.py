"""ModelCheckpoint: save the model while it trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import arguments
from ..errors import explain
from .base import Logs
from .monitor import MonitorCallback


class ModelCheckpoint(MonitorCallback):
    """Saves the model after every epoch, or with save_best_only after each epoch that improved `monitor`.

    With save_freq=100, it does so after every 100 steps instead. If this training lacks the monitored metric, a warning
    says so, and the model is saved after every epoch.

    `filepath` may contain {epoch} and any metric: "model-{epoch:02d}-{val_loss:.3f}.safetensors". A resumed training is
    bit-identical: model = Sequential.load(path); model.fit(…, initial_epoch=model.epochs_trained).
    The state is the best value, so that a resumed training does not replace a better model by a worse one. For a new
    training, `initial_value_threshold` is the value that has to be improved.
    """

    due = True
    """Whether the model is to be saved after this epoch."""

    def __init__(
        self,
        filepath: str | Path,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, best=initial_value_threshold)
        self.filepath = str(arguments.path("ModelCheckpoint filepath", filepath))
        self.verbose = arguments.verbose("ModelCheckpoint verbose", verbose)
        self.save_best_only = arguments.flag("ModelCheckpoint save_best_only", save_best_only)
        self.save_weights_only = arguments.flag("ModelCheckpoint save_weights_only", save_weights_only)
        self.save_freq = None if save_freq == "epoch" else arguments.whole("ModelCheckpoint save_freq", save_freq)
        """After how many steps the model is saved; None after every epoch."""
        self._steps = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        if self.save_freq is None:
            return
        self._steps += 1
        if self._steps % self.save_freq == 0:
            self._judge(logs)
            self._save(self._epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self.save_freq is None:
            self._judge(logs)

    def _judge(self, logs: Logs) -> None:
        """Find out whether the model is to be saved, and remember its metric if it is the best."""
        if self.save_best_only:
            current = self.current(logs)
            self.due = current is None or self.improves(current, self.best)
            self.best = current if self.due and current is not None else self.best

    def on_checkpoint(self, epoch: int, logs: Logs) -> None:
        if self.save_freq is None:
            self._save(epoch, logs)

    def _save(self, epoch: int, logs: Logs) -> None:
        if not self.due:
            return
        path = self._path(epoch, logs)
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saved {path}")

    def _path(self, epoch: int, logs: Logs) -> str:
        try:
            return self.filepath.format(epoch=epoch + 1, **logs)
        except (LookupError, ValueError) as error:
            known = ", ".join(f"{{{name}}}" for name in ("epoch", *logs))
            where = "ModelCheckpoint filepath"
            found = f"{self.filepath!r} ({type(error).__name__}: {error})"
            expected = "a path with names of this training's metrics"
            raise ValueError(explain(where, expected, found, f"Known: {known}.")) from None

    def get_state(self) -> dict[str, Any]:
        return super().get_state() if self.save_best_only else {}
