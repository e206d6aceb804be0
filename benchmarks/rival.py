"""What a rival is: a library that can build a network from plain data, train it and predict with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Optimizer = str | dict[str, Any]
""""adam" (Keras's defaults), "sgd" at a rate of 1, or AdamW with a schedule, as minicnn describes it:
{"class": "AdamW", "config": {"learning_rate": {"class": "CosineDecay", "config": {…}}, "weight_decay": …}}."""


@dataclass(frozen=True)
class Variant:
    """One way to use a library, with its own column in the tables.

    Variants that name the same environment share it; it then has the requirements of all of them.
    """

    label: str
    environment: str
    requirements: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    """Environment variables that must be set before the library is imported."""
    imports: str = ""
    """The statement whose time is the library's import time; its last word is the library's name."""

    @property
    def module(self) -> str:
        return self.imports.split()[-1]


class Rival:
    """A library in a worker process. All arrays are NumPy's: channels last, weights in Keras's order and shapes.

    A network is {"input_shape": [28, 28, 1], "layers": [{"class": "Conv2D", "config": {"filters": 32, …}}, …]}, with
    Keras's names. The last layer is Dense with a softmax, the loss categorical cross-entropy; a target is one-hot or
    another distribution over the classes.
    """

    def __init__(self, variant: str, threads: int) -> None:
        """Import the library and set its number of threads."""
        raise NotImplementedError

    def versions(self) -> dict[str, str]:
        """The versions of the relevant libraries, by name."""
        raise NotImplementedError

    def build(self, network: dict[str, Any], weights: Sequence[np.ndarray], optimizer: Optimizer) -> None:
        """Make the network, with these weights."""
        raise NotImplementedError

    def train(self, x: np.ndarray, y: np.ndarray, batch_size: int, tick: Callable[[], None]) -> None:
        """One epoch in shuffled batches, calling tick() after each; all work is done when it returns."""
        raise NotImplementedError

    def backpropagate(self, x: np.ndarray) -> Callable[[], None]:
        """A function that runs one forward and backward, without loss and optimiser step. For single layers."""
        raise NotImplementedError

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The probabilities for one batch, dropout off."""
        raise NotImplementedError

    def get_weights(self) -> list[np.ndarray]:
        """All weights in Keras's order and shapes, moving statistics included."""
        raise NotImplementedError
