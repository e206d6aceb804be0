"""The check before the timing that the networks are equal: same outputs, and same weights after one step of SGD.

A step of SGD at a rate of 1 changes every weight by its gradient, so the difference of the weights before and after
*is* the gradient, as computed by the rival's training loop. Dropout is off in this comparison. Moving statistics of
batch norm are not compared: PyTorch and Keras define the moving variance differently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from .networks import Network, model_of, without_dropout
from .results import Agreement
from .workers import Worker

SAMPLES = 4  # few: with more numbers, it is more likely that one of them is at relu's kink
TRIES = 8
MayFail = Callable[[str, str], AbstractContextManager[None]]


def compare(
    case: str, network: Network, weights: str, workers: Mapping[str, Worker], scratch: Path, may_fail: MayFail
) -> list[Agreement]:
    """The difference of each worker's network from minicnn's; minicnn's own entry comes first.

    If a number is at relu's kink up to rounding, or if two elements of a pooling window are equal, two correct
    libraries may compute different gradients. So a rival that disagrees is asked again with other samples: a tie occurs
    with some samples, a mistake with all.
    """
    still, found = without_dropout(network), {}
    trainable = [weight.trainable for weight in model_of(network).weights]
    left = list(workers)
    for attempt in range(TRIES):
        paths = {}
        for rival in left:
            path = str(scratch / f"{rival}.outputs.npz")
            with may_fail(rival, case):
                workers[rival].ask("build", network=still, weights=weights, optimizer="sgd")
                workers[rival].ask("outputs_and_step", first=attempt * SAMPLES, samples=SAMPLES, path=path)
                paths[rival] = path
        reference = OutputsAndGradients.read(paths["minicnn"], weights, trainable)
        for rival, path in paths.items():
            found[rival] = reference.agreement_with(case, rival, OutputsAndGradients.read(path, weights, trainable))
        left = ["minicnn", *(rival for rival in paths if not found[rival].holds)]
        if left == ["minicnn"]:
            break
    return list(found.values())


class OutputsAndGradients:
    """A network's outputs, and its gradients with respect to all trainable weights."""

    def __init__(self, output: np.ndarray, gradients: list[np.ndarray]) -> None:
        self.output, self.gradients = output, gradients

    @classmethod
    def read(cls, path: str, weights: str, trainable: list[bool]) -> OutputsAndGradients:
        with np.load(path) as after, np.load(weights) as before:
            names = [f"arr_{index}" for index, learns in enumerate(trainable) if learns]
            return cls(after["output"], [before[name] - after[name] for name in names])

    def agreement_with(self, case: str, rival: str, other: OutputsAndGradients) -> Agreement:
        """The distance of the outputs and the largest distance of a gradient."""
        gradients = zip(other.gradients, self.gradients, strict=True)
        return Agreement(
            case, rival, distance(other.output, self.output), max(distance(theirs, ours) for theirs, ours in gradients)
        )


def distance(found: np.ndarray, expected: np.ndarray) -> float:
    """‖found − expected‖ / ‖expected‖; infinite if the shapes differ or a number is not finite.

    The norms are Euclidean: if two elements of a pooling window are equal up to rounding, two correct libraries may
    pass the gradient to different ones, and the largest single difference would show only that.
    """
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.linalg.norm(found - expected) / max(np.linalg.norm(expected), 1e-12))
