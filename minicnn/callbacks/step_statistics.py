"""What a training step does to each parameter: the distribution of its gradient, and how far it moves."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends import to_host

BINS = 30


class StepStatistics:
    """Measures one step: `before` it and `after` it. The copy of the weights costs time, so measure few steps."""

    def before(self, model: Any) -> None:
        """Keep the parameters' values."""
        self.values = [np.array(to_host(parameter.value)) for parameter in model.parameters()]

    def after(self, model: Any) -> dict[str, dict[str, Any]]:
        """For each parameter, by name: its value, its gradient and the update ratio ‖new − old‖ / ‖old‖.

        A ratio of about 0.001 is usual; far less learns slowly, far more forgets. It is None for a parameter of zeros.
        """
        measured = {}
        for parameter, old in zip(model.parameters(), self.values, strict=True):
            value, grad = np.array(to_host(parameter.value)), np.array(to_host(parameter.grad))
            size = float(np.linalg.norm(old))
            ratio = float(np.linalg.norm(value - old)) / size if size else None
            measured[parameter.name] = {"value": value, "gradient": grad, "update_ratio": ratio}
        return measured


def histogram(array: np.ndarray) -> dict[str, list[float]]:
    """Counts and edges of equal bins between the smallest and the largest finite number."""
    counts, edges = np.histogram(array[np.isfinite(array)], BINS)
    return {"counts": counts.tolist(), "edges": edges.tolist()}
