"""Model 7's recipe for any library, from its script in examples/: network, optimiser, schedule, targets, images."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import minicnn
from minicnn.layers.random import RandomLayer

from .networks import Network, example, network_of

Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Recipe:
    """A training of `epochs` epochs. The network has no augmentation: all libraries get the same changed images."""

    network: Network
    weights: list[np.ndarray]
    optimizer: dict[str, Any]
    label_smoothing: float
    batch_size: int
    epochs: int
    augmentation: minicnn.Sequential

    def data(self, x: np.ndarray, y: np.ndarray) -> Iterator[Arrays]:
        """For every epoch, the images x (N, 28, 28, 1), changed at random, and the smoothed targets y (N, 10)."""
        targets = (1 - self.label_smoothing) * y + self.label_smoothing / y.shape[1]
        for _ in range(self.epochs):
            batches = (x[at : at + self.batch_size] for at in range(0, len(x), self.batch_size))
            changed = [minicnn.to_host(self.augmentation.forward(batch, training=True)) for batch in batches]
            yield np.concatenate(changed), targets.astype(np.float32)


def model7(seed: int, images: int, epochs: int | None = None) -> Recipe:
    """Model 7's recipe for so many training images; the seed decides its initial weights and the changed images."""
    script = example("model7")
    row = script.report.MODEL_7
    options = Namespace(**{**row.defaults, "epochs": epochs or row.epochs})
    minicnn.set_random_seed(seed)
    model = script.build_model()
    script.compile_model(model, options, -(-images // options.batch_size))
    changing = [layer for layer in model.layers if isinstance(layer, RandomLayer)]
    learning = [layer for layer in model.layers if layer not in changing]
    return Recipe(
        network=network_of(minicnn.Sequential([minicnn.Input(model.input_shape[1:]), *learning])),
        weights=model.get_weights(),
        optimizer=model.optimizer.describe(),
        label_smoothing=model.loss.label_smoothing,
        batch_size=options.batch_size,
        epochs=options.epochs,
        augmentation=minicnn.Sequential([minicnn.Input(model.input_shape[1:]), *changing]),
    )
