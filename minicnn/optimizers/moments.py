"""The base class of Adam, Adamax and Nadam, which keep two moments of each gradient."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends import active
from ..backends.contract import Array
from .base import Optimizer
from .schedules import LearningRateSchedule


class MomentOptimizer(Optimizer):
    """Base class of optimisers with two slots: a moving mean of the gradients, and a measure of their size.

    beta_1 is the mean's decay rate, beta_2 the size's; epsilon keeps the divisor above 0.
    """

    operation: str
    """The name of the step in the backends' contract."""

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

    def update(self, values: list[Array], grads: list[Array], slots: list[list[Array]], weight_decay: float) -> None:
        means, sizes = slots
        getattr(active(), self.operation)(
            values,
            grads,
            means,
            sizes,
            self.iterations + 1,
            self.learning_rate,
            self.beta_1,
            self.beta_2,
            self.epsilon,
            weight_decay,
        )
