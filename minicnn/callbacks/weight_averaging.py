"""WeightAveraging: the mean of the weights of many steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arguments
from ..layers.base import check_weights
from .base import Callback, Logs, number_in


class WeightAveraging(Callback):
    """Gives the model the mean of its weights after every step since epoch `start_from_epoch`, counted from 0.

    After n steps: mean ← mean + (weights − mean) / n, batch norm's moving statistics included. Every step of a training
    with noisy gradients ends beside the minimum; the mean of many steps is nearer to it (Izmailov et al., 2018,
    "Averaging Weights Leads to Wider Optima and Better Generalization").

    At an epoch's end, before its validation, the model gets the mean, and a checkpoint saves it; the next epoch
    continues with the weights of the last step.
    Its state: the number of steps, the mean and the weights of the last step.
    """

    def __init__(self, start_from_epoch: int = 0) -> None:
        self.start_from_epoch = arguments.whole("WeightAveraging start_from_epoch", start_from_epoch, least=0)
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.steps = 0
        self.mean: list[np.ndarray] = []
        self.latest: list[np.ndarray] = []
        """The weights after the last step of an epoch; empty while an epoch runs."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.averages = epoch >= self.start_from_epoch
        if self.latest:
            self.model.set_weights(self.latest)
            self.latest = []

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        if not self.averages:
            return
        self.steps += 1
        weights = self.model.get_weights()
        means = zip(self.mean or weights, weights, strict=True)
        self.mean = [mean + (weight - mean) / self.steps for mean, weight in means]

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if self.steps and not self.latest:
            self.latest = self.model.get_weights()
            self.model.set_weights(self.mean)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.on_test_begin()  # without validation data, nothing called it yet

    def get_state(self) -> dict[str, Any]:
        return {"steps": self.steps, "mean": self.mean, "latest": self.latest} if self.steps else {}

    def set_state(self, state: dict[str, Any]) -> None:
        self.steps = number_in("WeightAveraging", state, "steps", int)
        for name in ("mean", "latest"):
            weights = state.get(name)
            if weights or name == "mean":
                check_weights(f"WeightAveraging state, {name}", self.model.weights, weights)
            setattr(self, name, weights)
