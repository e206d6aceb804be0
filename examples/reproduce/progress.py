"""What is done, and the time left for the whole, estimated from all epochs measured, also in earlier sessions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Protocol

from tqdm import tqdm

from minicnn.callbacks import Callback, Logs

PREDICTIONS = "predictions.npy"
"""What a finished job leaves in its folder: float32, a row of ten scores for each test image."""


class Job(Protocol):
    """A network or a support vector machine to be trained with one seed, in a folder of its own."""

    @property
    def title(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def folder(self) -> Path: ...

    @property
    def epochs(self) -> int: ...

    @property
    def work_per_epoch(self) -> float:
        """Time for an epoch relative to the Baseline's."""

    def measured(self) -> tuple[float, float]:
        """The work done and the seconds that it took."""

    def work_left(self) -> float: ...


class Progress(Callback):
    """One line per epoch on standard output and, on a terminal, a bar for all jobs together."""

    def __init__(self, jobs: Sequence[Job], batches: int, quiet: bool) -> None:
        """`batches` is the number of training steps per epoch."""
        measured = [job.measured() for job in jobs]
        self.work = sum(work for work, _ in measured)
        """The work of all epochs that were measured, in epochs of the Baseline."""
        self.seconds = sum(seconds for _, seconds in measured)
        """The time that they took."""
        self.left = sum(job.work_left() for job in jobs)
        """The work still to do."""
        self.batches, self.quiet = batches, quiet
        form = "{desc} {percentage:3.0f}% |{bar}|{postfix}"
        nowhere = True if quiet or not self.left else None  # None: shown on a terminal only
        self.bar = tqdm(total=self.left, bar_format=form, leave=False, disable=nowhere)

    def begin(self, job: Job) -> None:
        self.job = job
        self.bar.set_description_str(f"{job.title}, seed {job.seed}", refresh=False)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.began = perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        done = (batch + 1) / self.batches * self.job.work_per_epoch
        self.bar.postfix = f"left {self.time_left(done, perf_counter() - self.began)}"
        self.bar.update(self.job.work_per_epoch / self.batches)

    def on_checkpoint(self, epoch: int, logs: Logs) -> None:
        self.work += self.job.work_per_epoch
        self.seconds += perf_counter() - self.began
        self.left -= self.job.work_per_epoch
        metrics = f"val_loss {logs['val_loss']:.4f} - val_accuracy {logs['val_accuracy']:.4f}"
        self._print(f"epoch {epoch + 1}/{self.job.epochs} - {metrics}")

    def fitted(self, text: str) -> None:
        """A job that has no epochs is done."""
        self.left -= self.job.work_per_epoch
        self.bar.update(self.job.work_per_epoch)
        self._print(text)

    def close(self) -> None:
        self.bar.close()

    def _print(self, text: str) -> None:
        if not self.quiet:
            with tqdm.external_write_mode():
                print(f"{self.job.title}, seed {self.job.seed}: {text} - left {self.time_left()}", flush=True)

    def time_left(self, work: float = 0.0, seconds: float = 0.0) -> str:
        """The time left when this much more has been done in this time; "?" before anything was measured."""
        if not self.work + work:
            return "?"
        return tqdm.format_interval(max(self.left - work, 0) * (self.seconds + seconds) / (self.work + work))
