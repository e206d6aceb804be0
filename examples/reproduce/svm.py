"""scikit-learn's support vector machine with an RBF kernel, on pixels and on what Model 5 makes of them.

settings.json     number of images and of support vectors, seconds
predictions.npy   decision values of the test images, float32 (N, 10), written last; the largest is the answer

The report names such a machine in a caption and gives no parameters: these are scikit-learn's defaults.
"""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from experiment.files import write_json
from experiment.run import prepare

from minicnn import Sequential
from minicnn.backends import to_device, to_host
from minicnn.datasets import FashionMNIST

from .files import save_array
from .network import MODEL, Network
from .progress import PREDICTIONS, Progress

IMAGES = 20_000
"""The first so many training images are used: time grows with their square, and all 60,000 pixels take half an hour."""


@dataclass(frozen=True)
class SupportVectorMachine:
    """What is fitted, and where."""

    name: str
    title: str
    seed: int
    work_per_epoch: float
    """Time relative to an epoch of the Baseline."""
    folder: Path
    features_of: Network | None = None
    """The trained network whose last but one dense layer gives the features; None: the pixels."""
    epochs: int = 1

    @property
    def finished(self) -> bool:
        return (self.folder / PREDICTIONS).exists()

    def measured(self) -> tuple[float, float]:
        """Nothing: its time says little about that of networks."""
        return 0.0, 0.0

    def work_left(self) -> float:
        return 0.0 if self.finished else self.work_per_epoch

    def run(self, data: FashionMNIST, options: Namespace, progress: Progress) -> None:
        """Fit, then decide on the test images."""
        from sklearn.svm import SVC

        began = perf_counter()
        (x_train, y_train), (x_test, _) = (self._features(split, options.limit) for split in data)
        machine = SVC(break_ties=True)  # the answer is the class of the largest decision value
        machine.fit(x_train, y_train)
        decisions = machine.decision_function(x_test).astype(np.float32)
        seconds = perf_counter() - began
        record = {
            "model": self.title,
            "training_images": len(x_train),
            "support_vectors": int(machine.n_support_.sum()),
            "seconds": round(seconds, 3),
        }
        write_json(self.folder / "settings.json", record)
        save_array(self.folder / PREDICTIONS, decisions)
        progress.fitted(f"fitted on {len(x_train):,} images in {seconds:.0f} s")

    def _features(self, split: tuple[np.ndarray, np.ndarray], limit: int | None) -> tuple[np.ndarray, np.ndarray]:
        """Features (N, F) and classes (N,) of the first images."""
        images, labels = (array[: min(limit or IMAGES, IMAGES)] for array in split)
        if self.features_of is None:
            return images.reshape(len(images), -1) / np.float32(255), labels
        model = Sequential.load(self.features_of.folder / MODEL)
        x, _ = prepare((images, labels), None, model)
        return np.concatenate([_penultimate(model, x[i : i + 500]) for i in range(0, len(x), 500)]), labels


def _penultimate(model: Sequential, x: np.ndarray) -> np.ndarray:
    """What the last layer gets, in inference."""
    outputs = to_device(x, model.dtype)
    for layer in model.layers[:-1]:
        outputs = layer.forward(outputs)
    return to_host(outputs)
