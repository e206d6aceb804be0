"""One training of one network in a folder of its own: resumable after every epoch, finished once it has predicted.

settings.json, history.csv, model.safetensors   see experiment.checkpoint
predictions.npy                                 probabilities of the test images, float32 (N, 10), written last
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from csv import DictReader
from dataclasses import dataclass
from pathlib import Path

from experiment.checkpoint import COLUMNS, Checkpoint
from experiment.files import write_json
from experiment.run import describe, prepare

from minicnn import Model, set_random_seed
from minicnn.datasets import FashionMNIST
from minicnn.files import atomic_writer
from minicnn.optimizers import Adam

from .files import readable, save_array
from .progress import PREDICTIONS, Progress

MODEL = "model.safetensors"


@dataclass(frozen=True)
class Network:
    """What is trained, and where."""

    name: str
    title: str
    seed: int
    epochs: int
    work_per_epoch: float
    """Time for an epoch relative to the Baseline's."""
    build: Callable[[], Model]
    folder: Path
    shorter: Network | None = None
    """A training with the same layers, seed and data for fewer epochs: this one goes on where that one ended."""

    @property
    def finished(self) -> bool:
        return (self.folder / PREDICTIONS).exists()

    def measured(self) -> tuple[float, float]:
        """The work done and the seconds that it took."""
        history = self.history()
        return len(history["seconds"]) * self.work_per_epoch, sum(history["seconds"])

    def work_left(self) -> float:
        if self.finished:
            return 0.0
        trained = len(self.history()["loss"]) or (self.shorter.epochs if self.shorter else 0)
        return max(self.epochs - trained, 0) * self.work_per_epoch

    def history(self) -> dict[str, list[float]]:
        """Metrics and seconds of every epoch so far."""
        path = self.folder / "history.csv"
        if not path.exists():
            return {name: [] for name in COLUMNS}
        with readable(path), path.open(newline="", encoding="utf-8") as file:
            rows = list(DictReader(file))
            return {name: [float(row[name]) for row in rows] for name in COLUMNS}

    def run(self, data: FashionMNIST, options: Namespace, progress: Progress) -> None:
        """Train, or go on training, then predict the test images."""
        set_random_seed(self.seed)
        model = self.build()
        model.compile(optimizer=Adam(options.learning_rate), loss="categorical_crossentropy", metrics=["accuracy"])
        train, test = (prepare(split, options.limit, model) for split in data)
        chosen = Namespace(**vars(options) | {"seed": self.seed, "epochs": self.epochs})
        settings = describe(self.title, data, model, train, test, chosen)

        checkpoint = Checkpoint(self.folder)
        if self.shorter and self.shorter.finished and not (self.folder / MODEL).exists():
            self._take_over(self.shorter.folder, settings)
        if (self.folder / MODEL).exists():
            model = checkpoint.resume(settings)
        else:
            checkpoint.begin(model, settings)
        model.fit(
            *train,
            batch_size=options.batch_size,
            initial_epoch=model.epochs_trained,
            epochs=self.epochs,
            validation_data=test,  # as the report does
            callbacks=[checkpoint, progress],
            verbose=0,
        )
        save_array(self.folder / PREDICTIONS, model.predict(test[0], batch_size=options.batch_size))

    def _take_over(self, folder: Path, settings: dict) -> None:
        """Copy another training's state; the model last, because its file says that there is something to resume."""
        write_json(self.folder / "settings.json", settings)
        for name in ("history.csv", MODEL):
            with atomic_writer(self.folder / name) as file:
                file.write((folder / name).read_bytes())
