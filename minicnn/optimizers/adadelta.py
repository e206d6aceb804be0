"""Adadelta: steps as long as the last steps, which needs no learning rate."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends import active
from ..backends.contract import Array
from .base import Optimizer
from .schedules import LearningRateSchedule


class Adadelta(Optimizer):
    """Adadelta (Zeiler, 2012): each step is divided by the last gradients' size and multiplied by the last steps' size.

    The paper has no learning rate: learning_rate=1.0. Keras's default of 0.001 trains slowly.
    """

    slot_names = ("squares", "deltas")

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = arguments.fraction("Adadelta rho", rho)
        self.epsilon = arguments.non_negative("Adadelta epsilon", epsilon)

    def update(self, values: list[Array], grads: list[Array], slots: list[list[Array]], weight_decay: float) -> None:
        squares, deltas = slots
        active().adadelta_step(values, grads, squares, deltas, self.learning_rate, self.rho, self.epsilon, weight_decay)
