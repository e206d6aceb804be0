"""A run in its folder, complete after every epoch, so that an interrupted run goes on bit for bit.

settings.json       what the run was begun with
history.csv         one line per epoch
model.safetensors   the model: weights, optimiser and random state
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from minicnn import Sequential
from minicnn.callbacks import Callback, Logs

from .files import write_csv, write_json

COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")


class ResumeError(ValueError):
    """The folder holds no run that could go on, or one with other settings."""


class Checkpoint(Callback):
    """Writes a run into its folder when it begins and after every epoch.

    The history is written before the model, so it may be an epoch ahead of it, but never behind.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.folder, self.settings = folder, settings
        self.rows: list[dict[str, float]] = []

    def begin(self, model: Sequential) -> Sequential:
        """Keep this model's first state, and return it. An earlier run in the folder cannot be resumed any more."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "model.safetensors").unlink(missing_ok=True)
        write_json(self.folder / "settings.json", self.settings)
        self._keep(model)
        return model

    def resume(self, epochs: int) -> Sequential:
        """The model as the run in the folder left it, to be trained up to `epochs`.

        Raises ResumeError if there is no run, if it was begun with other settings or is past that epoch.
        """
        try:
            model = Sequential.load(self.folder / "model.safetensors")
            settings, rows = self._settings(), self._rows(model)
        except FileNotFoundError:
            raise ResumeError(f"{self.folder} holds no run to resume; start one without --resume") from None
        except (ValueError, TypeError, KeyError, RecursionError, csv.Error) as error:
            raise ResumeError(f"the run in {self.folder} is damaged: {error}; start anew, without --resume") from error
        if differences := [name for name in self.settings if settings.get(name) != self.settings[name]]:
            was = ", ".join(f"{name} {settings.get(name)}" for name in differences)
            now = ", ".join(f"{name} {self.settings[name]}" for name in differences)
            raise ResumeError(f"the run in {self.folder} was begun with {was}; to resume it with {now} is another run")
        if model.epochs_trained > epochs:
            raise ResumeError(f"the run in {self.folder} has {model.epochs_trained} epochs already, more than {epochs}")
        self.rows = rows
        return model

    def _settings(self) -> dict[str, Any]:
        """What the run in the folder was begun with."""
        settings = json.loads((self.folder / "settings.json").read_text(encoding="utf-8"))
        if not isinstance(settings, dict):
            raise ValueError(f"settings.json holds {settings!r:.40} instead of settings")
        return settings

    def _rows(self, model: Sequential) -> list[dict[str, float]]:
        """The epochs in history.csv that the model has seen. Raises ValueError unless it remembers the same figures."""
        with (self.folder / "history.csv").open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))[: model.epochs_trained]
        rows = [{name: float(line[name]) for name in COLUMNS} for line in lines]
        remembered = model.callbacks.get_state().get("History", {})
        for name in remembered.keys() & set(COLUMNS):
            if not np.array_equal([row[name] for row in rows], remembered[name], equal_nan=True):
                raise ValueError(f"{name} in history.csv is not what the model remembers")
        return rows

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.began = perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.rows.append({**logs, "seconds": round(perf_counter() - self.began, 3)})

    def on_checkpoint(self, epoch: int, logs: Logs) -> None:
        self._keep(self.model)

    def _keep(self, model: Sequential) -> None:
        rows = [{"epoch": epoch, **row} for epoch, row in enumerate(self.rows, start=1)]
        write_csv(self.folder / "history.csv", ("epoch", *COLUMNS), rows)
        model.save(self.folder / "model.safetensors")

    def history(self) -> dict[str, list[float]]:
        """The figures of all epochs, those before an interruption too: a list for each name."""
        return {name: [row[name] for row in self.rows] for name in COLUMNS}
