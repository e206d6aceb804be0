"""RMSprop: each step is divided by the size of the last gradients."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends import active
from ..backends.contract import Array
from .base import Optimizer
from .schedules import LearningRateSchedule


class RMSprop(Optimizer):
    """RMSprop (Hinton, 2012): value ← value − learning_rate · grad / √(mean of grad² + epsilon).

    The mean is a moving one: velocity ← rho · velocity + (1 − rho) · grad². With centered=True, the square of the
    gradient's own moving mean is subtracted from it: the variance. With `momentum`, the steps are averaged as in SGD.
    """

    slot_names = ("velocities", "momentums", "means")

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = arguments.fraction("RMSprop rho", rho)
        self.momentum = arguments.fraction("RMSprop momentum", momentum)
        self.epsilon = arguments.non_negative("RMSprop epsilon", epsilon)
        self.centered = arguments.flag("RMSprop centered", centered)

    def update(self, values: list[Array], grads: list[Array], slots: list[list[Array]], weight_decay: float) -> None:
        velocities, momentums, means = slots
        active().rmsprop_step(
            values,
            grads,
            velocities,
            momentums,
            means,
            self.learning_rate,
            self.rho,
            self.momentum,
            self.epsilon,
            self.centered,
            weight_decay,
        )
