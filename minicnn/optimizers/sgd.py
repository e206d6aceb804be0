"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends import active
from ..backends.contract import Array
from .base import Optimizer
from .schedules import LearningRateSchedule


class SGD(Optimizer):
    """Gradient descent: velocity ← momentum · velocity − learning_rate · grad; value ← value + velocity."""

    slot_names = ("velocities",)

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.momentum = arguments.fraction("SGD momentum", momentum)
        self.nesterov = arguments.flag("SGD nesterov", nesterov)

    def update(self, values: list[Array], grads: list[Array], slots: list[list[Array]], weight_decay: float) -> None:
        (velocities,) = slots
        active().sgd_step(values, grads, velocities, self.learning_rate, self.momentum, self.nesterov, weight_decay)
