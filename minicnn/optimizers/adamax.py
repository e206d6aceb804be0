"""Adamax: Adam with the largest of the last gradients instead of their mean square."""

from __future__ import annotations

from .moments import MomentOptimizer


class Adamax(MomentOptimizer):
    """Adamax (Kingma & Ba, 2015, section 7.1): steps are divided by a slowly decaying maximum of |grad|."""

    operation = "adamax_step"
    slot_names = ("means", "maxima")
