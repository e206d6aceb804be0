"""Model 5 with one change each. Values are common ones, not tuned; learning-rate schedules know the number of steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from minicnn import Input, Sequential
from minicnn.callbacks import Callback, WeightAveraging
from minicnn.layers import (
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPooling2D,
    RandomErasing,
    RandomFlip,
    RandomTranslation,
)
from minicnn.optimizers import Adam, AdamW, Optimizer
from minicnn.optimizers.schedules import CosineDecay, PiecewiseConstantDecay
from minicnn.regularizers import L2, Regularizer


def network(
    dropout: float = 0.2, penalty: Regularizer | None = None, augmentation: Sequence[Callable[[], Layer]] = ()
) -> Sequential:
    """Model 5 with another dropout rate, a penalty on all kernels, or layers that change the images in training."""
    convolution = partial(Conv2D, kernel_size=3, padding="same", activation="relu", kernel_regularizer=penalty)
    return Sequential(
        [
            Input((28, 28, 1)),
            *(make() for make in augmentation),
            convolution(32),
            MaxPooling2D(2),
            convolution(64),
            MaxPooling2D(2),
            convolution(128),
            MaxPooling2D(2),
            Flatten(),
            Dense(128, activation="relu", kernel_regularizer=penalty),
            Dropout(dropout),
            Dense(10, activation="softmax", kernel_regularizer=penalty),
        ]
    )


def flip() -> Layer:
    return RandomFlip("horizontal")


def shift() -> Layer:
    """Padding by up to two pixels on each side, and a crop."""
    return RandomTranslation(2 / 28, 2 / 28, fill_mode="constant", interpolation="nearest")


def erasing() -> Layer:
    """Half of the images lose a box of 2 % to 20 % of their area."""
    return RandomErasing((0.5, 0.5), (0.02, 0.2), fill_value=0.0, value_range=(0, 1))


def one_cycle(steps: int) -> Optimizer:
    rise = round(0.3 * steps)
    return Adam(CosineDecay(0.0001, steps - rise, warmup_target=0.003, warmup_steps=rise))


def step_schedule(steps: int) -> Optimizer:
    return Adam(PiecewiseConstantDecay([0.5 * steps, 0.75 * steps], [0.001, 0.0003, 0.0001]))


@dataclass(frozen=True)
class Recipe:
    """A network, and how it is trained."""

    title: str
    build: Callable[[], Sequential] = network
    optimizer: Callable[[int], Optimizer] = lambda steps: Adam()
    """The optimiser for a training of so many steps."""
    batch_size: int = 64
    label_smoothing: float = 0.0
    callbacks: Callable[[int], list[Callback]] = lambda epochs: []
    """The callbacks for a training of so many epochs."""


ALL = (flip, shift, erasing)

RECIPES = {
    "baseline": Recipe("Model 5: Adam, dropout 0.2, batches of 64"),
    "l2": Recipe("L2 penalty, 0.0001", partial(network, penalty=L2(1e-4))),
    "adamw": Recipe("Decoupled weight decay, 0.1 (AdamW)", optimizer=lambda steps: AdamW(weight_decay=0.1)),
    **{f"dropout-{rate}": Recipe(f"Dropout {rate}", partial(network, dropout=rate)) for rate in (0.1, 0.3, 0.4, 0.5)},
    "cosine": Recipe("Cosine decay to 0", optimizer=lambda steps: Adam(CosineDecay(0.001, steps))),
    "one-cycle": Recipe("One cycle, up to 0.003", optimizer=one_cycle),
    "steps": Recipe("Steps: 0.001, 0.0003, 0.0001", optimizer=step_schedule),
    "flip": Recipe("Horizontal flip", partial(network, augmentation=[flip])),
    "shift": Recipe("Shift by up to 2 pixels", partial(network, augmentation=[shift])),
    "erasing": Recipe("Random erasing", partial(network, augmentation=[erasing])),
    "augmentation": Recipe("Flip, shift and erasing", partial(network, augmentation=ALL)),
    "label-smoothing": Recipe("Label smoothing, 0.1", label_smoothing=0.1),
    "averaging": Recipe(
        "Mean of the weights, last quarter of the epochs",
        callbacks=lambda epochs: [WeightAveraging(start_from_epoch=epochs * 3 // 4)],
    ),
    "together": Recipe(
        "Flip, one cycle and label smoothing", partial(network, augmentation=[flip]), one_cycle, label_smoothing=0.1
    ),
}


def tuned(title: str, learning_rate: float, batch_size: int) -> Recipe:
    """Model 5 with the learning rate and the batch size that a search has found."""
    found = f"{title}: learning rate {learning_rate:.2g}, batches of {batch_size}"
    return replace(RECIPES["baseline"], title=found, optimizer=lambda steps: Adam(learning_rate), batch_size=batch_size)
