"""What training points out, once each: mistakes that raise no error, but spoil the model.

The first batch of a fit and the mean loss of each epoch are looked at; a step costs nothing. A notice is a
TrainingWarning: warnings.filterwarnings("ignore", category=minicnn.TrainingWarning) switches all of them off.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from .backends import to_host
from .backends.contract import Array
from .errors import TrainingWarning, explain
from .layers import Flatten, Layer
from .layers.random import RandomLayer
from .layers.windowed import SlidingWindow
from .losses import Crossentropy, Loss, MeanSquaredError
from .losses.base import MEANS

ROUNDING = 1e-3
"""How far the sum of a sample's probabilities may be from 1."""

PIXELS = 64
"""Minimum numbers per sample that are taken for an image: fewer may be ages or counts."""

BRIGHT = 200
"""The value that the brightest pixel of a batch reaches, if pixels are 0–255."""

FACTOR = 3
"""How many times the loss of a model that knows nothing a loss may be."""

HERE = Path(__file__).parent


class Notice(NamedTuple):
    """A mistake that training points out."""

    kind: str
    text: str


class Notices:
    """The notices of one fit. `known` has the kinds that the model has given before; they are not repeated."""

    def __init__(self, known: set[str]) -> None:
        self.known = known
        self.largest_normal: float | None = None
        """The largest mean loss of an epoch that is not pointed out; None if there is no such limit."""

    def first_batch(
        self,
        layers: Sequence[Layer],
        loss: Loss,
        fresh: bool,
        x: Any,
        y: Array,
        y_pred: Array,
        sample_weight: np.ndarray | None = None,
    ) -> None:
        """Look at a fit's first batch; `fresh` says that nothing has been trained before.

        `loss` and y_pred are those of the training's objective: logits, if it fuses softmax and cross-entropy.
        """
        outputs = np.asarray(to_host(y_pred))
        value = float(to_host(copy(loss).forward(y, y_pred)))
        chance = loss_of_chance(loss, np.asarray(to_host(y)), outputs.shape[-1])
        if chance is not None and sample_weight is None:  # with weights, the loss has another scale in every batch
            self.largest_normal = FACTOR * max(value, chance)
        images = None if type(x) is list else np.asarray(to_host(x))  # of several inputs, only some are images
        found = [None if images is None else pixels(layers, images), wrong_outputs(loss, outputs)]
        if fresh and not any(found):  # both make the first loss large
            found.append(large_first_loss(loss, value, outputs.shape[-1]))
        self._give(found)

    def epoch(self, number: int, loss: float, learning_rate: float) -> None:
        """Look at the mean loss of an epoch, counted from 1."""
        if self.largest_normal is None or loss <= self.largest_normal:
            return
        text = (
            f"The mean loss of epoch {number} is {loss:.3g}, over {FACTOR} times that of the first batch and that of a "
            f"model that knows nothing. Usually the learning rate is too high: try a tenth of {learning_rate:.3g}."
        )
        self._give([Notice("explodes", text)])

    def _give(self, notices: Sequence[Notice | None]) -> None:
        for notice in notices:
            if notice is not None and notice.kind not in self.known:
                self.known.add(notice.kind)
                warnings.warn(notice.text, TrainingWarning, stacklevel=_outside())


def pixels(layers: Sequence[Layer], x: np.ndarray) -> Notice | None:
    """Pixels from 0 to 255 that go straight into a kernel."""
    if not _begins_with_a_kernel(layers) or math.prod(x.shape[1:]) < PIXELS:
        return None
    if x.min() < 0 or not BRIGHT <= x.max() <= 255 or (x != np.floor(x)).any():
        return None
    return Notice(
        "pixels",
        "x holds whole numbers from 0 to 255, as pixels do. Networks learn best from numbers of about 1: divide by "
        "255 (for evaluate and predict, too).",
    )


def wrong_outputs(loss: Loss, outputs: np.ndarray) -> Notice | None:
    """Logits in place of probabilities, or probabilities in place of logits."""
    if isinstance(loss, Crossentropy) and loss.activation == "sigmoid":
        return binary_logits(loss, outputs)
    if not _excludes_each_other(loss) or outputs.shape[-1] < 2:
        return None
    low, high, sums = outputs.min(), outputs.max(), outputs.sum(axis=-1, dtype=np.float64)
    are_probabilities = bool(low >= 0 and (np.abs(sums - 1) <= ROUNDING).all())
    if loss.from_logits and are_probabilities:
        return Notice(
            "softmax twice",
            "Softmax is applied twice: the numbers that the loss takes it of are at least 0 and sum to 1 in each "
            "sample already. Keep one: a single softmax at the model's end with from_logits=False, or none with "
            "from_logits=True.",
        )
    if loss.from_logits or are_probabilities:
        return None
    inside = low >= 0 and high <= 1
    found = f"sum to {sums.min():.3g} … {sums.max():.3g}" if inside else f"range from {low:.3g} to {high:.3g}"
    return Notice(
        "no probabilities",
        f"{type(loss).__name__} expects probabilities, which are at least 0 and sum to 1 in each sample; the model's "
        f'outputs {found}. End the model with activation="softmax", or make the loss with from_logits=True.',
    )


def binary_logits(loss: Crossentropy, outputs: np.ndarray) -> Notice | None:
    """Logits in place of probabilities of yes and no."""
    low, high = outputs.min(), outputs.max()
    if loss.from_logits or (low >= 0 and high <= 1):
        return None
    return Notice(
        "no probabilities",
        f"{type(loss).__name__} expects probabilities from 0 to 1; the model's outputs range from {low:.3g} to "
        f'{high:.3g}. End the model with activation="sigmoid", or make the loss with from_logits=True.',
    )


def large_first_loss(loss: Loss, value: float, K: int) -> Notice | None:
    """A cross-entropy far above log K, before anything is trained."""
    if not _excludes_each_other(loss) or value <= FACTOR * math.log(max(K, 2)):
        return None
    return Notice(
        "first loss",
        f"The first batch's loss is {value:.3g}, far from log {K} = {math.log(K):.3g}, that of equal probabilities for "
        f"{K} classes. Inputs or initial weights are too large.",
    )


def _excludes_each_other(loss: Loss) -> TypeGuard[Crossentropy]:
    """Whether it is a mean cross-entropy of classes, of which every sample has one."""
    return isinstance(loss, Crossentropy) and loss.activation == "softmax" and loss.reduction in MEANS


def loss_of_chance(loss: Loss, y: np.ndarray, K: int) -> float | None:
    """The loss of a model that knows nothing but the targets' mean; None for a loss of the user's own."""
    if loss.reduction not in MEANS:
        return None
    if isinstance(loss, Crossentropy):
        return math.log(max(K, 2) if _excludes_each_other(loss) else 2)
    return float(y.var(axis=0).mean()) if isinstance(loss, MeanSquaredError) else None


def _begins_with_a_kernel(layers: Sequence[Layer]) -> bool:
    """Whether the input reaches a convolution or dense layer as it is, up to pooling, augmentation and flattening."""
    for layer in layers:
        if hasattr(layer, "kernel_initializer"):
            return True
        if not isinstance(layer, (Flatten, RandomLayer, SlidingWindow)):
            return False
    return False


def _outside() -> int:
    """The stacklevel of a warning that points to the code that called minicnn."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and Path(frame.f_code.co_filename).is_relative_to(HERE):
        level, frame = level + 1, frame.f_back
    return level


def check_flattened(loss: Loss, y: Any, output_shape: tuple[int, ...]) -> None:
    """Raise ValueError for one target per sample, if the model predicts one for every position of its input."""
    K, per_sample = output_shape[-1], y.shape[1:]
    if len(output_shape) < 3 or y.shape in (output_shape, output_shape[:-1]) or per_sample not in ((), (1,), (K,)):
        return
    raise ValueError(
        explain(
            type(loss).__name__,
            f"targets for the model's output shape {output_shape}",
            f"one target per sample, shape {y.shape}",
            "The model predicts for every position. Put Flatten() before the last Dense layer.",
        )
    )
