"""Adam and AdamW: steps whose length does not depend on the gradient's scale."""

from __future__ import annotations

from typing import Any, ClassVar

from .moments import MomentOptimizer
from .schedules import LearningRateSchedule


class Adam(MomentOptimizer):
    """Adam (Kingma & Ba, 2015): steps of about learning_rate, independent of the gradient's scale."""

    operation = "adam_step"
    slot_names = ("means", "variances")

    accepted_at_default: ClassVar[dict[str, Any]] = {"amsgrad": False}


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
