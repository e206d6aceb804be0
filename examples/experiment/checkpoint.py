"""A run in its folder, complete after every epoch, so that an interrupted run resumes bit for bit.

settings.json       the settings that the run was started with
history.csv         one line per epoch
model.safetensors   the model: weights, optimiser and random state
"""

from __future__ import annotations

import csv
import json
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from minicnn import Model
from minicnn.callbacks import Callback, Logs
from minicnn.files import explained

from . import options
from .files import write_csv, write_json

COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")
DAMAGED = (ValueError, TypeError, KeyError, RecursionError, csv.Error)
"""The exceptions that reading a damaged file may raise."""

CHOICES = """
  --resume      resume it
  --overwrite   replace it
  --out DIR     keep it, and start another run there"""


class RunError(ValueError):
    """The folder holds a run that would be lost, or no run that can be resumed with these options."""


@contextmanager
def reserved(folder: Path) -> Iterator[None]:
    """Inside the block, no other process can reserve the folder. The lock ends with the process, also by kill -9.

    Raises RunError if another process has reserved it.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise RunError(f"another process works in {folder}; wait for its end, or choose another --out") from None
    try:
        yield
    finally:
        lock.release()


class Checkpoint(Callback):
    """Writes a run into its folder when it begins and after every epoch.

    The history is written before the model, so it may be an epoch ahead of it, but never behind.
    """

    settings: dict[str, Any]
    """The settings that the run was started with, after begin or resume."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, float]] = []

    def options(self, typed: Namespace, defaults: Mapping[str, Any]) -> Namespace:
        """The options of this run: those of a new run, or with --resume those of the run in the folder.

        Raises RunError if a new run would replace another one without --overwrite, or if the given options
        contradict the run to resume.
        """
        if typed.resume:
            with self._readable():
                settings = self._settings()
                defaults = {**defaults, **options.remembered(settings)}
            self._compare(settings, vars(typed), options.contradictions(typed, settings))
        elif not typed.overwrite and (found := self._found()):
            raise RunError(f"{self.folder} holds a run already: {found}.{CHOICES}")
        return options.complete(typed, defaults)

    def begin(self, model: Model, settings: dict[str, Any]) -> Model:
        """Save and return the initial model. It replaces an earlier run in the folder."""
        with explained(self.folder, "cannot be written", "Nothing was trained: --out names another folder."):
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "model.safetensors").unlink(missing_ok=True)
        self._remember(settings)
        self._keep(model)
        return model

    def resume(self, settings: dict[str, Any]) -> Model:
        """The model of the run in the folder, to be trained up to settings["epochs"].

        Raises RunError if there is no run, if it was started with other settings, or if it is past that epoch.
        """
        with self._readable():
            model, begun, rows = self._read()
        fixed = [name for name in settings if name not in ("data", *options.MAY_CHANGE)]
        self._compare(begun, settings, [name for name in fixed if begun.get(name) != settings[name]])
        scheduled = isinstance(model.optimizer.describe()["config"]["learning_rate"], dict)
        if scheduled and begun["epochs"] != settings["epochs"]:
            planned = f"a learning-rate schedule for {begun['epochs']} epochs"
            raise RunError(f"the run in {self.folder} has {planned}; with {settings['epochs']} it is another run")
        if model.epochs_trained > settings["epochs"]:
            done = f"{model.epochs_trained} epochs already, more than {settings['epochs']}"
            raise RunError(f"the run in {self.folder} has {done}")
        self.rows = rows
        self._remember(settings)
        return model

    def _compare(self, begun: dict[str, Any], asked: dict[str, Any], differences: list[str]) -> None:
        """Raise RunError if there are differences, naming the first."""
        for name in differences:
            word = name.replace("_", " ")
            was, now = (f"no {word}" if of.get(name) is None else f"{word} {of[name]}" for of in (begun, asked))
            raise RunError(f"the run in {self.folder} was started with {was} and cannot be resumed with {now}")

    def _found(self) -> str:
        """How far the run in the folder has come, in words; "" if there is none, or none with a complete epoch."""
        if not (self.folder / "model.safetensors").exists():
            return ""
        try:
            model, settings, rows = self._read()
            if not model.epochs_trained:
                return ""
            trained = f"{len(rows)} of {settings['epochs']} epochs on {settings['training_images']:,} images"
            saved = datetime.fromtimestamp((self.folder / "model.safetensors").stat().st_mtime)
            reached = f"val_accuracy {rows[-1]['val_accuracy']:.4f}, saved on {saved:%d %B %Y at %H:%M}"
            return f"{settings['model']}, {trained}, {reached}"
        except (OSError, *DAMAGED) as error:
            return f"one that cannot be read ({error})"

    def _read(self) -> tuple[Model, dict[str, Any], list[dict[str, float]]]:
        """The run in the folder: its model, its settings and its epochs."""
        model = Model.load(self.folder / "model.safetensors")
        return model, self._settings(), self._rows(model)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Inside, a file that is missing or damaged is a RunError."""
        try:
            yield
        except FileNotFoundError:
            raise RunError(f"{self.folder} holds no run to resume; start one without --resume") from None
        except DAMAGED as error:
            raise RunError(f"the run in {self.folder} is damaged: {error}; replace it with --overwrite") from error

    def _remember(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        write_json(self.folder / "settings.json", settings)

    def _settings(self) -> dict[str, Any]:
        """The settings that the run in the folder was started with."""
        settings = json.loads((self.folder / "settings.json").read_text(encoding="utf-8"))
        if not isinstance(settings, dict):
            raise ValueError(f"settings.json holds {settings!r:.40} instead of settings")
        return settings

    def _rows(self, model: Model) -> list[dict[str, float]]:
        """The model's epochs in history.csv. Raises ValueError unless they are equal to the history in the model."""
        with (self.folder / "history.csv").open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))[: model.epochs_trained]
        rows = [{name: float(line[name]) for name in COLUMNS} for line in lines]
        remembered = model.callbacks.get_state().get("History", {})
        for name in remembered.keys() & set(COLUMNS):
            if not np.array_equal([row[name] for row in rows], remembered[name], equal_nan=True):
                raise ValueError(f"{name} in history.csv differs from the history in model.safetensors")
        return rows

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.began = perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.rows.append({**logs, "seconds": round(perf_counter() - self.began, 3)})

    def on_checkpoint(self, epoch: int, logs: Logs) -> None:
        self._keep(self.model)

    def _keep(self, model: Model) -> None:
        rows = [{"epoch": epoch, **row} for epoch, row in enumerate(self.rows, start=1)]
        write_csv(self.folder / "history.csv", ("epoch", *COLUMNS), rows)
        model.save(self.folder / "model.safetensors")

    def history(self) -> dict[str, list[float]]:
        """The metrics of all epochs, also of those before an interruption: a list for each name."""
        return {name: [row[name] for row in self.rows] for name in COLUMNS}
