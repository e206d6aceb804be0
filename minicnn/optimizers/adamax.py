"""Adamax: Adam with the largest of the last gradients instead of their mean square."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends import active
from ..backends.contract import Array
from .base import Optimizer
from .schedules import LearningRateSchedule


class Adamax(Optimizer):
    """Adamax (Kingma & Ba, 2015, section 7.1): steps are divided by a slowly decaying maximum of |grad|."""

    slot_names = ("means", "maxima")

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = arguments.fraction("Adamax beta_1", beta_1)
        self.beta_2 = arguments.fraction("Adamax beta_2", beta_2)
        self.epsilon = arguments.non_negative("Adamax epsilon", epsilon)

    def update(self, values: list[Array], grads: list[Array]) -> None:
        means, maxima = self.slots
        active().adamax_step(
            values,
            grads,
            means,
            maxima,
            self.iterations + 1,
            self.learning_rate,
            self.beta_1,
            self.beta_2,
            self.epsilon,
            self.weight_decay,
        )
