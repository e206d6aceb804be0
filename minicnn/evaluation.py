"""Evaluation of predictions: metrics computed from a model's predicted classes and probabilities.

N samples, K classes. Everything here is NumPy on finished predictions; `minicnn.metrics` measures while a model trains,
`minicnn.plots` draws these numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from . import arguments
from .backends import to_host
from .errors import explain

Labels = Sequence[int] | np.ndarray


class Scores(NamedTuple):
    """Scores of each class, shape (K,) each; an undefined score (precision of a class never predicted) is 0."""

    precision: np.ndarray
    """The fraction of the samples predicted as this class that are of this class."""
    recall: np.ndarray
    """The fraction of the samples of this class that are predicted as it."""
    f1: np.ndarray
    """Harmonic mean of precision and recall."""
    support: np.ndarray
    """Number of samples of this class."""


class Calibration(NamedTuple):
    """Confidence and accuracy in bins of equal width over (0, 1]; confidence is a sample's largest probability."""

    edges: np.ndarray
    """Edges of the B bins, shape (B + 1,); a bin includes its upper edge."""
    samples: np.ndarray
    """Number of samples in each bin, shape (B,)."""
    confidence: np.ndarray
    """Mean confidence in each bin, shape (B,); NaN in an empty one."""
    accuracy: np.ndarray
    """Share of correct predictions in each bin, shape (B,); NaN in an empty one."""
    error: float
    """Expected calibration error: Σ_b samples_b / N · |accuracy_b − confidence_b|."""


class CutoffCurve(NamedTuple):
    """Metrics of a model that answers only samples whose largest score reaches a cutoff; C cutoffs."""

    cutoffs: np.ndarray
    """Shape (C,)."""
    answered: np.ndarray
    """Share of samples that are answered, shape (C,)."""
    accuracy: np.ndarray
    """Share of correct answers among those given, shape (C,); NaN where none is given."""
    precision: np.ndarray
    """Share of correct answers among the answers with a class, shape (C, K); NaN where none is given."""
    recall: np.ndarray
    """Share of a class's samples that are answered correctly, shape (C, K); an unanswered sample counts as wrong. NaN
    where the class has no sample."""


def confusion_matrix(y_true: Labels, y_pred: Labels, classes: int) -> np.ndarray:
    """How many samples of each true class (row) are predicted as each class (column): integers, shape (K, K).

    Args:
        y_true: class numbers, shape (N,), integers in 0 … K−1.
        y_pred: predicted class numbers, as `y_true`.
        classes: K.

    Raises TypeError or ValueError for labels of another shape or type, out of range, or of different lengths.
    """
    classes = arguments.whole("confusion_matrix classes", classes)
    y_true = check_labels("confusion_matrix: y_true", y_true, classes)
    y_pred = check_labels("confusion_matrix: y_pred", y_pred, classes)
    if len(y_true) != len(y_pred):
        expected = f"as many as in y_true ({len(y_true)})"
        raise ValueError(explain("confusion_matrix: y_pred", expected, len(y_pred), "Give one for each sample."))
    return np.bincount(y_true * classes + y_pred, minlength=classes**2).reshape(classes, classes)


def scores_by_class(y_true: Labels, y_pred: Labels, classes: int) -> Scores:
    """Precision, recall, F1 and support of each class. Arguments and errors as for `confusion_matrix`."""
    counts = confusion_matrix(y_true, y_pred, classes)
    hits, given, support = counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)
    precision, recall = hits / np.maximum(given, 1), hits / np.maximum(support, 1)
    return Scores(precision, recall, 2 * hits / np.maximum(given + support, 1), support)


def roc_curve(positive: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rate for every threshold on the scores, from (0, 0) to (1, 1).

    Args:
        positive: shape (N,), True for positive samples; there must be positive and negative ones.
        scores: shape (N,); a higher score means more likely positive.

    Points on a straight line between their neighbours are left out. Raises TypeError or ValueError for other arrays.
    """
    scores = to_host(arguments.array("roc_curve: scores", "scores", scores, finite=True))
    positive = to_host(arguments.array("roc_curve: positive", "truth values", positive)).astype(bool)
    if scores.ndim != 1 or positive.shape != scores.shape or positive.all() or not positive.any():
        found = f"shapes {positive.shape} and {scores.shape}, {np.count_nonzero(positive)} of {positive.size} positive"
        raise ValueError(explain("roc_curve", "two 1-D arrays, some positive, some not", found, "Leave the curve out."))
    order = np.argsort(-scores, kind="stable")
    last_of_its_score = np.append(np.diff(scores[order]) != 0, True)
    found_true = np.append(0, np.cumsum(positive[order])[last_of_its_score])
    found_false = np.append(0, np.cumsum(~positive[order])[last_of_its_score])
    bends = (np.diff(found_true, 2) != 0) | (np.diff(found_false, 2) != 0)
    kept = np.concatenate([[True], bends, [True]])
    return found_false[kept] / found_false[-1], found_true[kept] / found_true[-1]


def area_under_curve(x: np.ndarray, y: np.ndarray) -> float:
    """Area under the straight lines between the points (x, y), both of shape (P,), x ascending."""
    return float(np.trapezoid(y, x))


def calibration(y_true: Labels, probabilities: Any, bins: int = 15) -> Calibration:
    """Whether a model is right as often as its confidence says (Guo et al. 2017, arXiv:1706.04599).

    Args:
        y_true: class numbers, shape (N,), integers in 0 … K−1.
        probabilities: shape (N, K), in [0, 1].
        bins: B.

    Raises TypeError or ValueError for arrays of another shape, type or range.
    """
    bins = arguments.whole("calibration bins", bins)
    y_true, probabilities = check_predictions("calibration", y_true, probabilities)
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == y_true
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence) - 1, 0, bins - 1)  # (edge, next edge]
    count = np.bincount(place, minlength=bins)
    mean_confidence = _share(np.bincount(place, confidence, minlength=bins), count)
    accuracy = _share(np.bincount(place, correct, minlength=bins), count)
    gaps = np.abs(accuracy - mean_confidence)[count > 0]
    return Calibration(edges, count, mean_confidence, accuracy, float(gaps @ count[count > 0] / len(y_true)))


def cutoff_curve(y_true: Labels, probabilities: Any, cutoffs: Any = None) -> CutoffCurve:
    """Metrics of a model that answers only samples whose largest score is at least a cutoff.

    Args:
        y_true: class numbers, shape (N,), integers in 0 … K−1.
        probabilities: shape (N, K), in [0, 1]; an ensemble's scores need not add up to 1.
        cutoffs: shape (C,), in [0, 1]; None: 0, 0.01, …, 1.

    Raises TypeError or ValueError for arrays of another shape, type or range.
    """
    y_true, probabilities = check_predictions("cutoff_curve", y_true, probabilities)
    cutoffs = np.linspace(0, 1, 101) if cutoffs is None else cutoffs
    cutoffs = check_probabilities("cutoff_curve: cutoffs", "cutoffs", cutoffs, ("C",))
    samples, classes = probabilities.shape
    answers = np.eye(classes)[probabilities.argmax(axis=1)]  # (N, K)
    truth = np.eye(classes)[y_true]  # (N, K)
    answered = (probabilities.max(axis=1) >= cutoffs[:, None]).astype(float)  # (C, N)
    given, hits = answered @ answers, answered @ (answers * truth)  # (C, K)
    return CutoffCurve(
        cutoffs,
        answered.sum(axis=1) / samples,
        _share(hits.sum(axis=1), given.sum(axis=1)),
        _share(hits, given),
        _share(hits, np.broadcast_to(truth.sum(axis=0), hits.shape)),
    )


def check_labels(where: str, labels: Any, classes: int) -> np.ndarray:
    """Class numbers, shape (N,), int64 in 0 … K−1; raises TypeError or ValueError for others."""
    labels = to_host(arguments.array(where, "class numbers", labels))
    if labels.ndim != 1 or labels.size == 0:
        remedy = "For one-hot labels or probabilities, take .argmax(axis=1)."
        raise ValueError(explain(where, "a non-empty 1-D array of class numbers", f"shape {labels.shape}", remedy))
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(explain(where, "class numbers of an integer type", labels.dtype, "Give class numbers."))
    if labels.min() < 0 or labels.max() >= classes:
        expected = f"class numbers from 0 to {classes - 1}"
        found = f"values from {labels.min()} to {labels.max()}"
        raise ValueError(explain(where, expected, found, "Give a name, or a column of probabilities, for every class."))
    return labels.astype(np.int64)


def check_probabilities(where: str, what: str, values: Any, axes: Sequence[str]) -> np.ndarray:
    """A non-empty array of numbers in [0, 1] with these axes; raises TypeError or ValueError for others.

    float32's softmax may exceed 1 by its rounding; such numbers become 1.
    """
    values = to_host(arguments.array(where, what, values, finite=True))
    if values.ndim != len(axes) or values.size == 0:
        expected = f"a non-empty array of shape ({', '.join(axes)})"
        raise ValueError(explain(where, expected, f"shape {values.shape}", "model.predict(x) gives (N, K)."))
    if values.min() < 0 or values.max() > 1 + 1e-5:
        found = f"values from {values.min():g} to {values.max():g}"
        raise ValueError(explain(where, f"{what} from 0 to 1", found, "Take the softmax of logits first."))
    return np.minimum(values, 1)


def check_predictions(where: str, y_true: Any, probabilities: Any) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers (N,) and as many rows of probabilities (N, K); raises TypeError or ValueError for others."""
    probabilities = check_probabilities(f"{where}: probabilities", "probabilities", probabilities, ("N", "K"))
    y_true = check_labels(f"{where}: y_true", y_true, probabilities.shape[1])
    if len(y_true) != len(probabilities):
        expected = f"a row for each of {len(y_true)} labels"
        found = f"shape {probabilities.shape}"
        raise ValueError(explain(f"{where}: probabilities", expected, found, "Pass the output of model.predict(x)."))
    return y_true, probabilities


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
