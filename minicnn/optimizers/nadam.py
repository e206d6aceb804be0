"""Nadam: Adam with Nesterov's momentum."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends import active
from ..backends.contract import Array
from .base import Optimizer
from .schedules import LearningRateSchedule


class Nadam(Optimizer):
    """Nadam (Dozat, 2016): Adam whose step looks ahead, with a momentum that rises from beta_1 / 2 to beta_1."""

    slot_names = ("means", "variances")

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = arguments.fraction("Nadam beta_1", beta_1)
        self.beta_2 = arguments.fraction("Nadam beta_2", beta_2)
        self.epsilon = arguments.non_negative("Nadam epsilon", epsilon)

    def update(self, values: list[Array], grads: list[Array]) -> None:
        means, variances = self.slots
        active().nadam_step(
            values,
            grads,
            means,
            variances,
            self.iterations + 1,
            self.learning_rate,
            self.beta_1,
            self.beta_2,
            self.epsilon,
            self.weight_decay,
        )
