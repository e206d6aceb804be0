"""Nadam: Adam with Nesterov's momentum."""

from __future__ import annotations

from .moments import MomentOptimizer


class Nadam(MomentOptimizer):
    """Nadam (Dozat, 2016): Adam whose step looks ahead, with a momentum that rises from beta_1 / 2 to beta_1."""

    operation = "nadam_step"
    slot_names = ("means", "variances")
