"""Adagrad: the more a weight has changed, the shorter are its steps."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends import active
from ..backends.contract import Array
from .base import Optimizer
from .schedules import LearningRateSchedule


class Adagrad(Optimizer):
    """Adagrad (Duchi et al., 2011): value ← value − learning_rate · grad / √(sum of all grad² so far + epsilon)."""

    slot_names = ("squares",)

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        where = "Adagrad initial_accumulator_value"
        self.slot_start = arguments.non_negative(where, initial_accumulator_value)
        self.epsilon = arguments.non_negative("Adagrad epsilon", epsilon)

    def update(self, values: list[Array], grads: list[Array], slots: list[list[Array]], weight_decay: float) -> None:
        (squares,) = slots
        active().adagrad_step(values, grads, squares, self.learning_rate, self.epsilon, weight_decay)
