"""The report's seven models as stacks of layers, and the time of a training step of each.

The models are repeated here because the scripts in examples/ are not part of the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import Input, Sequential
from ..backends import active, to_device, use_backend
from ..layers import (
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPooling1D,
    MaxPooling2D,
)
from .checks import time_call
from .machine import one_line

# 1D convolutions over the rows of the image: filters of each convolution, kernel size, dropout rate.
ROWS: dict[str, tuple[tuple[int, ...], int, float]] = {
    "baseline": ((236, 128), 2, 0.2),
    "model1": ((236, 128, 64), 2, 0.2),
    "model2": ((256, 128, 64), 2, 0.2),
    "model3": ((256, 128, 64), 3, 0.3),
}
# 2D convolutions: filters of each convolution, units of the dense layer.
IMAGES: dict[str, tuple[tuple[int, ...], int]] = {
    "model4": ((32, 64, 64), 64),
    "model5": ((32, 64, 128), 128),
    "model6": ((32, 64, 128), 128),
}
MODELS = (*ROWS, *IMAGES)


@dataclass(frozen=True)
class StepTime:
    """A training step of one model on one backend."""

    model: str
    backend: str
    tf32: bool
    ms: float | None
    problem: str | None  # the reason if there is no time


def build(name: str) -> Sequential:
    """One of MODELS, not compiled. Raises KeyError for another name."""
    return Sequential(_over_rows(*ROWS[name]) if name in ROWS else _over_images(*IMAGES[name]), name=name)


def _over_rows(filters: tuple[int, ...], kernel_size: int, rate: float) -> list[Layer | Input | Sequential]:
    layers: list[Layer | Input | Sequential] = [Input((28, 28))]
    for count in filters:
        layers += [Conv1D(count, kernel_size, activation="relu"), MaxPooling1D(2), Dropout(rate), BatchNormalization()]
    return [*layers, Flatten(), Dense(10, activation="softmax")]


def _over_images(filters: tuple[int, ...], units: int) -> list[Layer | Input | Sequential]:
    layers: list[Layer | Input | Sequential] = [Input((28, 28, 1))]
    for count in filters:
        layers += [Conv2D(count, 3, padding="same", activation="relu"), MaxPooling2D(2)]
    return [*layers, Flatten(), Dense(units, activation="relu"), Dropout(0.2), Dense(10, activation="softmax")]


def time_steps(backend: str, batch_size: int, rounds: int, steps: int, tf32: bool = False) -> list[StepTime]:
    """A step of each of the seven models on random images. Raises BackendError if the backend cannot be used."""
    with use_backend(backend, tf32=tf32):
        return [_time(name, backend, tf32, batch_size, rounds, steps) for name in MODELS]


def _time(name: str, backend: str, tf32: bool, batch_size: int, rounds: int, steps: int) -> StepTime:
    try:
        model = build(name)
        model.compile("adam", "categorical_crossentropy")
        x, y = (to_device(array, "float32") for array in _random_batch(model, batch_size))

        def step() -> Any:
            loss, _ = model.train_step(x, y)
            return loss, [parameter.value for parameter in model.parameters()]

        time_call(active(), step, 1, 2)  # warm-up: compiles and allocates
        return StepTime(name, backend, tf32, time_call(active(), step, rounds, steps), None)
    except Exception as failure:  # memory is full or a kernel fails: the other models are still timed
        return StepTime(name, backend, tf32, None, one_line(failure))


def _random_batch(model: Sequential, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    assert model.input_shape is not None
    pixels = [side or 1 for side in model.input_shape[1:]]
    return random.random((batch_size, *pixels)), np.eye(10)[random.integers(0, 10, batch_size)]
