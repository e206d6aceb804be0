"""Ensembles: one set of scores from the probabilities of several models, by four rules.

Each rule takes M models' probabilities, shape (M, N, K), or a list of M arrays (N, K) as `predict` returns them, and
gives scores of shape (N, K). A model's vote is its most probable class. The largest score of a row is the ensemble's
confidence, and its column is the ensemble's answer. If scores or votes are equal, the lowest class number wins.

The report that the examples reproduce only names these rules, in the caption of its cutoff curves. The definitions are
our reading of these names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .evaluation import check_probabilities


def average(probabilities: Any) -> np.ndarray:
    """The mean probability over the models: mean_m p[m, n, k]. Rows add up to 1.

    Raises TypeError or ValueError unless `probabilities` is (M, N, K), in [0, 1].
    """
    return _check("average", probabilities).mean(axis=0)


def maximum(probabilities: Any) -> np.ndarray:
    """The maximum probability over the models: max_m p[m, n, k]. A row's sum may exceed 1.

    Raises as `average`.
    """
    return _check("maximum", probabilities).max(axis=0)


def voting_average(probabilities: Any) -> np.ndarray:
    """The mean probability over the models that vote for the winning class. Rows add up to 1.

    The winning class has the most votes; among classes with equally many, the one with the highest mean probability
    among the models that vote for it.

    Raises as `average`.
    """
    probabilities = _check("voting_average", probabilities)
    votes = _votes(probabilities)  # (M, N, K)
    count = votes.sum(axis=0)  # (N, K)
    certainty = (votes * probabilities).sum(axis=0) / np.maximum(count, 1)  # (N, K), at most 1: less than a vote
    winner = (count + certainty / 2).argmax(axis=1)  # (N,)
    voters = np.take_along_axis(votes, winner[None, :, None], axis=2)  # (M, N, 1)
    return (voters * probabilities).sum(axis=0) / voters.sum(axis=0)


def voting_proportion(probabilities: Any) -> np.ndarray:
    """The share of models that vote for a class. Rows add up to 1.

    Raises as `average`.
    """
    return _votes(_check("voting_proportion", probabilities)).mean(axis=0)


RULES: dict[str, Callable[[Any], np.ndarray]] = {
    "average": average,
    "maximum": maximum,
    "voting average": voting_average,
    "voting proportion": voting_proportion,
}
"""The four rules by name, in the order of the report."""


def _votes(probabilities: np.ndarray) -> np.ndarray:
    """One-hot votes, shape (M, N, K)."""
    return np.eye(probabilities.shape[-1])[probabilities.argmax(axis=-1)]


def _check(rule: str, probabilities: Any) -> np.ndarray:
    return check_probabilities(f"{rule}: probabilities", "probabilities", probabilities, ("M", "N", "K"))
