"""TensorBoard: metrics, weights, gradients and update ratios as event files, written by tensorboardX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments
from ..errors import explain, shown
from ..extras import imported
from .base import Logs
from .step_statistics import Statistics, StepStatistics

BATCHES = {"epoch": 0, "batch": 1}
"""The number of batches after which metrics are written, for each word that update_freq may be; 0 for none."""


class TensorBoard(StepStatistics):
    """Writes logs for TensorBoard, `tensorboard --logdir logs`. Needs the extra `tensorboard`.

    The metrics of every epoch are in log_dir/train and log_dir/validation as epoch_loss, epoch_accuracy …, with
    epoch_learning_rate; those of every evaluation, over steps, as evaluation_loss_vs_iterations …, as in Keras.
    With histogram_freq = n, the first step of every n-th epoch is measured: histograms of each parameter and of its
    gradient, and its update ratio ‖change‖ / ‖value‖. update_freq = "batch" or a number of batches writes the metrics
    of the epoch so far as batch_loss …, too. No graph is written (write_graph has no effect): `plot_model` draws it.
    Keras's other arguments are accepted at their defaults.

    Raises ImportError without tensorboardX.
    """

    def __init__(
        self,
        log_dir: str | Path = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: int = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        lacking = {
            "write_images": write_images,
            "write_steps_per_second": write_steps_per_second,
            "profile_batch": profile_batch,
            "embeddings_freq": embeddings_freq,
            "embeddings_metadata": embeddings_metadata,
        }
        for name, value in lacking.items():
            if value:
                where = f"TensorBoard {name}"
                raise ValueError(explain(where, "Keras's default", shown(value), "minicnn does not write this."))
        super().__init__(histogram_freq)
        self.log_dir = arguments.path("TensorBoard log_dir", log_dir)
        if isinstance(update_freq, str):
            if update_freq not in BATCHES:
                expected = '"epoch", "batch" or a number of batches'
                raise ValueError(explain("TensorBoard update_freq", expected, shown(update_freq), "Example: 100."))
            update_freq = BATCHES[update_freq]
        self.update_freq = arguments.whole("TensorBoard update_freq", update_freq, least=0)
        self._open = imported("tensorboardX", "tensorboard", "TensorBoard").SummaryWriter
        self._writers: dict[str, Any] = {}
        self._trains = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._trains = True

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        super().on_train_batch_end(batch, logs)
        if self.update_freq and (batch + 1) % self.update_freq == 0:
            for name, value in logs.items():
                self._writer("train").add_scalar(f"batch_{name}", value, self.model.optimizer.iterations)

    def on_test_end(self, logs: Logs | None = None) -> None:
        writer = self._writer("validation")
        for name, value in (logs or {}).items():
            if np.ndim(value) == 0:
                writer.add_scalar(f"evaluation_{name}_vs_iterations", value, self.model.optimizer.iterations)
        if not self._trains:  # evaluate called it, and nothing follows
            self._close()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        for name, value in {**logs, "learning_rate": self.model.optimizer.learning_rate}.items():
            part = "validation" if name.startswith("val_") else "train"
            if np.ndim(value) == 0:
                self._writer(part).add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._trains = False
        self._close()

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def on_step_measured(self, statistics: Statistics) -> None:
        writer = self._writer("train")
        for name, one in statistics.items():
            for what in ("value", "gradient"):
                finite = one[what][np.isfinite(one[what])]
                if finite.size:
                    writer.add_histogram(f"{name}/{what}", finite, self._epoch)
            if one["update_ratio"] is not None:
                writer.add_scalar(f"{name}/update_ratio", one["update_ratio"], self._epoch)

    def _writer(self, part: str) -> Any:
        """The writer of the event file in log_dir/part, which is made when it is needed first."""
        if part not in self._writers:
            self._writers[part] = self._open(str(self.log_dir / part))
        return self._writers[part]
