"""Mistakes in the backward of softmax and its logarithm; p is the softmax, y the output."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..known.activations import Softmax
from .catalogue import Array, Case, mistake

of_softmax = partial(
    mistake,
    of=[Softmax],
    gradient="x",
    formula="dx = y · (dy − Σ dy·y), the sum over the row",
    experiment="Take one row of two classes, and write the 2 × 2 Jacobian down.",
)


def plain(op: Softmax) -> Array:
    """y of a softmax. Raises ValueError for its logarithm."""
    if op.log:
        raise ValueError
    return op.y


def log(op: Softmax) -> Array:
    """p of a log-softmax. Raises ValueError for the softmax itself."""
    if not op.log:
        raise ValueError
    return op.p


@of_softmax()
def diagonal_only(op: Softmax, dy: Array) -> Array:
    """It uses only the Jacobian's diagonal, dy · y · (1 − y): each x also moves the other outputs, through the row's
    sum."""
    y = plain(op)
    return dy * y * (1 - y)


@of_softmax()
def sum_path_missing(op: Softmax, dy: Array) -> Array:
    """The path through softmax's sum is missing: dx = y · dy is only its first term."""
    return dy * plain(op)


@of_softmax()
def sum_not_weighted(op: Softmax, dy: Array) -> Array:
    """The subtracted sum is Σ dy where it is Σ dy·y."""
    return plain(op) * (dy - dy.sum(axis=-1, keepdims=True))


def _not_along(axis: int, p: Array, case: Case) -> None:
    """Raises ValueError unless p are probabilities that sum to 1 along an axis, and not along this one."""
    sums = [np.allclose(p.sum(axis=k), 1) for k in range(p.ndim)]
    if p.shape != case.value.shape or p.min() < 0 or not any(sums) or sums[axis : axis + 1] != [False]:
        raise ValueError


@mistake(
    acts_on="gradient",
    formula="dx = y · (dy − Σ dy·y), the sum over softmax's own axis",
    experiment="Use the same axis in forward and backward.",
    variants=range(4),
)
def sum_over_another_axis(gradient: Array, case: Case, axis: int) -> Array:
    """The sum of dy·y is over axis {variant}, which is not softmax's."""
    _not_along(axis, case.y, case)
    return case.y * (case.dy - (case.dy * case.y).sum(axis=axis, keepdims=True))


@mistake(
    acts_on="gradient",
    formula="dx = dy − p · Σ dy, the sum over softmax's own axis",
    experiment="Use the same axis in forward and backward.",
    variants=range(4),
)
def log_sum_over_another_axis(gradient: Array, case: Case, axis: int) -> Array:
    """The sum of dy is over axis {variant}, which is not softmax's."""
    _not_along(axis, np.exp(case.y), case)
    return case.dy - np.exp(case.y) * case.dy.sum(axis=axis, keepdims=True)


@of_softmax()
def mean_for_weighted_sum(op: Softmax, dy: Array) -> Array:
    """The mean of dy is subtracted, where the sum of dy·y belongs."""
    return plain(op) * (dy - dy.mean(axis=-1, keepdims=True))


@of_softmax()
def mean_for_sum(op: Softmax, dy: Array) -> Array:
    """The mean of dy·y is subtracted, where its sum belongs."""
    return plain(op) * (dy - (dy * op.y).mean(axis=-1, keepdims=True))


@of_softmax()
def sum_over_samples(op: Softmax, dy: Array) -> Array:
    """The sum of dy·y is over the samples, where it is over the classes: the wrong axis."""
    return plain(op) * (dy - (dy * op.y).sum(axis=0, keepdims=True))


@of_softmax()
def sum_over_all(op: Softmax, dy: Array) -> Array:
    """The sum of dy·y is over the whole array, where it is over each row: the axis is missing."""
    return plain(op) * (dy - (dy * op.y).sum())


@of_softmax()
def output_factor_missing(op: Softmax, dy: Array) -> Array:
    """The factor y is missing: it is dy − Σ dy·y."""
    return dy - (dy * plain(op)).sum(axis=-1, keepdims=True)


@of_softmax()
def output_factor_in_one_term(op: Softmax, dy: Array) -> Array:
    """The factor y is missing in the second term: y · dy − Σ dy·y."""
    return dy * plain(op) - (dy * op.y).sum(axis=-1, keepdims=True)


@of_softmax()
def output_subtracted(op: Softmax, dy: Array) -> Array:
    """It is y · (dy − y): y is subtracted where Σ dy·y belongs."""
    return plain(op) * (dy - op.y)


@of_softmax()
def crossentropy_formula(op: Softmax, dy: Array) -> Array:
    """It is y − dy: the gradient of softmax and cross-entropy together (p − target), used for softmax alone."""
    return plain(op) - dy


@of_softmax()
def sum_of_plain_output(op: Softmax, dy: Array) -> Array:
    """The second term is y² · dy: the square of y where y · Σ dy·y belongs."""
    return dy * plain(op) - op.y**2 * dy.sum(axis=-1, keepdims=True)


@of_softmax()
def off_diagonal_only(op: Softmax, dy: Array) -> Array:
    """Only the entries beside the Jacobian's diagonal are used."""
    y = plain(op)
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True)) - dy * y * (1 - y)


@of_softmax()
def exponential_without_sum(op: Softmax, dy: Array) -> Array:
    """It is dy · eˣ: the derivative of the exponential alone, without the division by the row's sum."""
    plain(op)
    return dy * np.exp(op.x)


@of_softmax()
def derivative_at_input(op: Softmax, dy: Array) -> Array:
    """x stands where y belongs: x · (dy − Σ dy·x)."""
    plain(op)
    return op.x * (dy - (dy * op.x).sum(axis=-1, keepdims=True))


of_log = partial(
    mistake,
    of=[Softmax],
    gradient="x",
    formula="dx = dy − p · Σ dy, for the logarithm of softmax",
    experiment="Take one row of two classes, and write the 2 × 2 Jacobian down.",
)


@of_log()
def log_sum_missing(op: Softmax, dy: Array) -> Array:
    """The path through the sum is missing: the gradient of log-softmax is dy only in its first term."""
    log(op)
    return dy


@of_log()
def log_softmax_formula(op: Softmax, dy: Array) -> Array:
    """The formula of softmax is used for its logarithm: p · (dy − Σ dy·p)."""
    p = log(op)
    return p * (dy - (dy * p).sum(axis=-1, keepdims=True))


@of_log()
def log_sum_weighted(op: Softmax, dy: Array) -> Array:
    """It is dy − p · dy: the sum over the row is missing."""
    return dy - log(op) * dy


@of_log()
def log_mean_for_sum(op: Softmax, dy: Array) -> Array:
    """It is dy − p · mean(dy) where the sum of dy belongs."""
    return dy - log(op) * dy.mean(axis=-1, keepdims=True)


@of_log()
def log_output_for_probability(op: Softmax, dy: Array) -> Array:
    """The output y = log p is used where p = eʸ belongs."""
    log(op)
    return dy - op.y * dy.sum(axis=-1, keepdims=True)


@of_log()
def log_sum_over_samples(op: Softmax, dy: Array) -> Array:
    """The sum of dy is over the samples, where it is over the classes."""
    return dy - log(op) * dy.sum(axis=0, keepdims=True)
