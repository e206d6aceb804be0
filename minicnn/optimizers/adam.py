"""Adam and AdamW: steps whose length does not depend on the gradient's scale."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import arguments
from ..backends import active
from ..backends.contract import Array
from .base import Optimizer
from .schedules import LearningRateSchedule


class Adam(Optimizer):
    """Adam (Kingma & Ba, 2015): steps of about learning_rate, independent of the gradient's scale."""

    slot_names = ("means", "variances")

    accepted_at_default: ClassVar[dict[str, Any]] = {"amsgrad": False}

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        where = type(self).__name__
        self.beta_1 = arguments.fraction(f"{where} beta_1", beta_1)
        self.beta_2 = arguments.fraction(f"{where} beta_2", beta_2)
        self.epsilon = arguments.non_negative(f"{where} epsilon", epsilon)

    def update(self, values: list[Array], grads: list[Array]) -> None:
        means, variances = self.slots
        active().adam_step(
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


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2019), which is 0.004 by default."""

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay=weight_decay, **options)
