"""Mistakes in the gradient of a loss with respect to its predictions (p), with targets (t)."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..known import losses as known
from ..known.base import softmax
from ..known.losses import Loss
from .catalogue import Array, mistake

of_loss = partial(mistake, of=[Loss], gradient="x")
of_crossentropy = partial(
    of_loss,
    formula="dlogits = (softmax(logits) − onehot) / N",
    experiment="Compare the entry of the target class with the others.",
)


def _is(op: Loss, *formulas: object) -> None:
    if op.formula not in formulas:
        raise ValueError


# cross-entropy on logits


@of_crossentropy()
def target_not_subtracted(op: Loss, dy: Array) -> Array:
    """It is the softmax alone: the one-hot target is not subtracted, so it is right except at the target."""
    _is(op, known.logits_crossentropy)
    return dy * op.weight * softmax(op.x)


@of_crossentropy()
def logits_for_probabilities(op: Loss, dy: Array) -> Array:
    """It is logits − target: softmax of the logits is forgotten."""
    _is(op, known.logits_crossentropy)
    return dy * op.weight * (op.x - op.target)


@of_crossentropy()
def target_alone(op: Loss, dy: Array) -> Array:
    """It is minus the target: the path through softmax's sum is missing."""
    _is(op, known.logits_crossentropy)
    return -dy * op.weight * op.target


@of_crossentropy()
def probabilities_at_target_only(op: Loss, dy: Array) -> Array:
    """Only the target's entry is set; the other classes' probabilities are missing."""
    _is(op, known.logits_crossentropy)
    return dy * op.weight * (softmax(op.x) - op.target) * (op.target > 0)


@of_crossentropy()
def softmax_over_samples(op: Loss, dy: Array) -> Array:
    """The softmax is taken over the samples, where it is over the classes: the wrong axis."""
    _is(op, known.logits_crossentropy)
    return dy * op.weight * (softmax(op.x, 0) - op.target)


@of_crossentropy()
def softmax_over_all(op: Loss, dy: Array) -> Array:
    """The softmax is taken over the whole array, where it is over each row."""
    _is(op, known.logits_crossentropy)
    return dy * op.weight * (softmax(op.x.reshape(1, -1)).reshape(op.x.shape) - op.target)


@of_crossentropy()
def exponentials_not_normalized(op: Loss, dy: Array) -> Array:
    """It is eˣ − target: the exponentials are not divided by their sum."""
    _is(op, known.logits_crossentropy)
    return dy * op.weight * (np.exp(op.x) - op.target)


@of_crossentropy()
def probability_formula_on_logits(op: Loss, dy: Array) -> Array:
    """It is −target / p with p = softmax: the gradient with respect to the probabilities, not to the logits."""
    _is(op, known.logits_crossentropy)
    return -dy * op.weight * op.target / softmax(op.x)


@of_crossentropy()
def softmax_twice(op: Loss, dy: Array) -> Array:
    """Softmax is applied twice."""
    _is(op, known.logits_crossentropy)
    return dy * op.weight * (softmax(softmax(op.x)) - op.target)


@of_crossentropy()
def log_for_probability(op: Loss, dy: Array) -> Array:
    """The logarithms of the probabilities are used where the probabilities belong."""
    _is(op, known.logits_crossentropy)
    return dy * op.weight * (np.log(softmax(op.x)) - op.target)


@of_crossentropy(variants=("first", "last"))
def target_of_one_sample(op: Loss, dy: Array, which: str) -> Array:
    """The {variant} sample's target is subtracted from all samples."""
    _is(op, known.logits_crossentropy)
    return dy * op.weight * (softmax(op.x) - op.target[0 if which == "first" else -1])


@of_crossentropy()
def columns_of_all_targets(op: Loss, dy: Array) -> Array:
    """1 is subtracted in whole columns, dx[:, y] −= 1, where only dx[arange(N), y] −= 1 is meant."""
    _is(op, known.logits_crossentropy)
    return dy * op.weight * (softmax(op.x) - (op.target.sum(axis=0) > 0))


@of_crossentropy()
def divided_before_target(op: Loss, dy: Array) -> Array:
    """Only the probabilities are divided by N: p / N − target, the target is subtracted after the division."""
    _is(op, known.logits_crossentropy)
    return dy * (softmax(op.x) * op.weight - op.target)


@of_crossentropy()
def target_divided_alone(op: Loss, dy: Array) -> Array:
    """Only the target is divided by N: p − target / N."""
    _is(op, known.logits_crossentropy)
    return dy * (softmax(op.x) - op.target * op.weight)


@of_crossentropy()
def sigmoid_for_softmax(op: Loss, dy: Array) -> Array:
    """The sigmoid of each logit is used where the softmax of the row belongs."""
    _is(op, known.logits_crossentropy)
    return dy * op.weight * (known.sigmoid(op.x) - op.target)


@of_crossentropy(variants=("high", "low"))
def target_shifted(op: Loss, dy: Array, where: str) -> Array:
    """The target is taken one class too {variant}: labels are counted from 0."""
    _is(op, known.logits_crossentropy)
    return dy * op.weight * (softmax(op.x) - np.roll(op.target, 1 if where == "high" else -1, axis=-1))


# probabilities


of_probabilities = partial(
    of_loss, formula="dp = −target / p / N", experiment="Are the predictions probabilities or logits?"
)


@of_probabilities()
def logits_formula(op: Loss, dy: Array) -> Array:
    """It is p − target: the gradient for logits, where the predictions are probabilities."""
    _is(op, known.crossentropy, known.normalized_crossentropy)
    return dy * op.weight * (op.x - op.target)


@of_probabilities()
def probability_not_divided(op: Loss, dy: Array) -> Array:
    """It is −target: the derivative of the logarithm, 1 / p, is forgotten."""
    _is(op, known.crossentropy, known.normalized_crossentropy, known.kullback)
    return -dy * op.weight * op.target


@of_loss(
    formula="dlog_p = −target / N: the softmax before has a backward of its own",
    experiment="Are the predictions log-probabilities or logits?",
)
def logits_formula_for_logarithms(op: Loss, dy: Array) -> Array:
    """It is p − target: the gradient for logits, where the predictions are log-probabilities."""
    _is(op, known.log_likelihood)
    return dy * op.weight * (np.exp(op.x) - op.target)


@of_probabilities()
def logarithm_for_derivative(op: Loss, dy: Array) -> Array:
    """It is −target · log p: the loss's own terms, not their derivatives."""
    _is(op, known.crossentropy, known.normalized_crossentropy)
    return -dy * op.weight * op.target * np.log(op.x)


@of_probabilities()
def probability_alone(op: Loss, dy: Array) -> Array:
    """It is −1 / p everywhere: the target is not multiplied in."""
    _is(op, known.crossentropy, known.normalized_crossentropy)
    return -dy * op.weight / op.x


@of_probabilities()
def probability_in_numerator(op: Loss, dy: Array) -> Array:
    """It is −target · p, multiplied by the probability where it has to be divided by it."""
    _is(op, known.crossentropy, known.normalized_crossentropy)
    return -dy * op.weight * op.target * op.x


@of_probabilities()
def logarithm_of_the_target(op: Loss, dy: Array) -> Array:
    """It is −p / target: target and prediction are exchanged."""
    _is(op, known.crossentropy, known.kullback)
    return -dy * op.weight * op.x / op.target


@of_loss(formula="dp = (log p − log t + 1) or −t / p, by the direction", experiment="Which is the first argument?")
def divergence_reversed(op: Loss, dy: Array) -> Array:
    """It is the gradient of the divergence in the other direction."""
    _is(op, known.kullback)
    return dy * op.weight * (np.log(op.x / op.target) + 1)


# binary cross-entropy

of_binary = partial(
    of_loss,
    formula="dp = (p − y) / (p · (1 − p)) / N on probabilities, (σ(z) − y) / N on logits",
    experiment="Are the predictions probabilities or logits?",
)


@of_binary()
def binary_logits_formula(op: Loss, dy: Array) -> Array:
    """It is p − y: the gradient for logits, where the predictions are probabilities."""
    _is(op, known.binary)
    return dy * op.weight * (op.x - op.target)


@of_binary()
def binary_probability_formula(op: Loss, dy: Array) -> Array:
    """It is (p − y) / (p · (1 − p)) with p = σ(z): the gradient with respect to the probabilities, not to the
    logits."""
    _is(op, known.binary_logits)
    p = known.sigmoid(op.x)
    return dy * op.weight * (p - op.target) / (p * (1 - p))


@of_binary()
def binary_sigmoid_forgotten(op: Loss, dy: Array) -> Array:
    """It is z − y: the sigmoid of the logits is forgotten."""
    _is(op, known.binary_logits)
    return dy * op.weight * (op.x - op.target)


@of_binary()
def binary_extra_slope(op: Loss, dy: Array) -> Array:
    """It is (σ(z) − y) · σ(z) · (1 − σ(z)): the sigmoid's derivative is multiplied in, but it has cancelled already."""
    _is(op, known.binary_logits)
    p = known.sigmoid(op.x)
    return dy * op.weight * (p - op.target) * p * (1 - p)


@of_binary()
def binary_one_factor(op: Loss, dy: Array) -> Array:
    """It is (p − y) / p: the factor 1 − p is missing in the denominator."""
    _is(op, known.binary)
    return dy * op.weight * (op.x - op.target) / op.x


@of_binary()
def binary_other_factor(op: Loss, dy: Array) -> Array:
    """It is (p − y) / (1 − p): the factor p is missing in the denominator."""
    _is(op, known.binary)
    return dy * op.weight * (op.x - op.target) / (1 - op.x)


@of_binary()
def binary_denominator_squared(op: Loss, dy: Array) -> Array:
    """It is (p − y) / p²: the denominator is p · (1 − p)."""
    _is(op, known.binary)
    return dy * op.weight * (op.x - op.target) / op.x**2


@of_binary()
def binary_multiplied(op: Loss, dy: Array) -> Array:
    """It is (p − y) · p · (1 − p): multiplied where it has to be divided."""
    _is(op, known.binary)
    return dy * op.weight * (op.x - op.target) * op.x * (1 - op.x)


# distances

of_distance = partial(
    of_loss,
    formula="d(p − t)² = 2 · (p − t), times the factor of the mean",
    experiment="Take one prediction and one target, by hand.",
)


@of_distance()
def error_absolute(op: Loss, dy: Array) -> Array:
    """The absolute value of the error is used: its sign is lost."""
    _is(op, known.squared, known.huber)
    e = np.abs(op.x - op.target)
    return dy * op.weight * (2 * e if op.formula is known.squared else np.minimum(e, op.parameter))


@of_distance()
def error_squared(op: Loss, dy: Array) -> Array:
    """The squared error itself is returned, not its derivative."""
    _is(op, known.squared)
    return dy * op.weight * (op.x - op.target) ** 2


@of_distance()
def error_squared_doubled(op: Loss, dy: Array) -> Array:
    """It is 2 · (p − t)²: the power is not reduced."""
    _is(op, known.squared)
    return 2 * dy * op.weight * (op.x - op.target) ** 2


@of_distance()
def sign_for_error(op: Loss, dy: Array) -> Array:
    """Only the sign of the error is used, the gradient of the absolute error."""
    _is(op, known.squared, known.huber)
    return dy * op.weight * np.sign(op.x - op.target)


@of_distance()
def error_for_sign(op: Loss, dy: Array) -> Array:
    """The error itself is used where only its sign belongs: the gradient of half the squared error."""
    _is(op, known.absolute)
    return dy * op.weight * (op.x - op.target)


@of_distance()
def prediction_for_error(op: Loss, dy: Array) -> Array:
    """The target is not subtracted: it is 2 · p."""
    _is(op, known.squared)
    return 2 * dy * op.weight * op.x


@of_distance()
def mean_error(op: Loss, dy: Array) -> Array:
    """Every entry gets the mean error, not its own."""
    _is(op, known.squared)
    return 2 * dy * op.weight * np.full(op.x.shape, (op.x - op.target).mean())


@of_loss(
    formula="d = p − t where |p − t| ≤ delta, delta · sign(p − t) elsewhere",
    experiment="Draw the loss and its slope over the error.",
)
def huber_branches_exchanged(op: Loss, dy: Array) -> Array:
    """The two branches are exchanged: linear where it is quadratic."""
    _is(op, known.huber)
    e, delta = op.x - op.target, op.parameter
    return dy * op.weight * np.where(np.abs(e) <= delta, delta * np.sign(e), e)


@of_loss(
    formula="d = p − t where |p − t| ≤ delta, delta · sign(p − t) elsewhere",
    experiment="Draw the loss and its slope over the error.",
)
def huber_not_limited(op: Loss, dy: Array) -> Array:
    """The error is used everywhere: the linear part beyond delta is missing."""
    _is(op, known.huber)
    return dy * op.weight * (op.x - op.target)


@of_loss(
    formula="d = p − t where |p − t| ≤ delta, delta · sign(p − t) elsewhere",
    experiment="Draw the loss and its slope over the error.",
)
def huber_delta_forgotten(op: Loss, dy: Array) -> Array:
    """Beyond delta the gradient is sign(p − t): the factor delta is missing."""
    _is(op, known.huber)
    e = op.x - op.target
    return dy * op.weight * np.where(np.abs(e) <= op.parameter, e, np.sign(e))


@of_loss(
    formula="d = p − t where |p − t| ≤ delta, delta · sign(p − t) elsewhere",
    experiment="Draw the loss and its slope over the error.",
)
def huber_sign_forgotten(op: Loss, dy: Array) -> Array:
    """Beyond delta the gradient is delta: the sign of the error is missing."""
    _is(op, known.huber)
    e = op.x - op.target
    return dy * op.weight * np.where(np.abs(e) <= op.parameter, e, op.parameter)


@of_loss(
    formula="d = p − t where |p − t| ≤ delta, delta · sign(p − t) elsewhere",
    experiment="Use the forward's delta.",
    variants=(0.5, 1.0, 1.5, 2.0),
)
def huber_another_delta(op: Loss, dy: Array, delta: float) -> Array:
    """The error is cut off at ±{variant}, which is not the forward's delta."""
    _is(op, known.huber)
    return dy * op.weight * np.clip(op.x - op.target, -delta, delta)


@of_loss(
    formula="d = p − t where |p − t| ≤ delta, delta · sign(p − t) elsewhere",
    experiment="Compare the error with delta, not p.",
)
def huber_condition_without_absolute(op: Loss, dy: Array) -> Array:
    """The condition is p − t ≤ delta: the absolute value is missing."""
    _is(op, known.huber)
    e = op.x - op.target
    return dy * op.weight * np.where(e <= op.parameter, e, op.parameter * np.sign(e))


# hinge

of_hinge = partial(
    of_loss,
    formula="ds[j] = 1 for each class over its margin, ds[right] = −(their number)",
    experiment="Take one sample of three classes, by hand.",
)


def _over(op: Loss) -> Array:
    _is(op, known.hinge)
    return op.slopes["1 for each class over its margin"]


@of_hinge()
def hinge_right_class_forgotten(op: Loss, dy: Array) -> Array:
    """The right class gets no gradient: it needs minus the number of classes over their margin."""
    return dy * op.weight * _over(op)


@of_hinge()
def hinge_right_class_once(op: Loss, dy: Array) -> Array:
    """The right class gets −1, where it needs −1 for each class over its margin."""
    over = _over(op)
    return dy * op.weight * (over - op.target * (over.sum(axis=-1, keepdims=True) > 0))


@of_hinge()
def hinge_right_class_minus_one(op: Loss, dy: Array) -> Array:
    """The right class always gets −1, where it needs −1 for each class over its margin."""
    return dy * op.weight * (_over(op) - op.target)


@of_hinge()
def hinge_all_classes(op: Loss, dy: Array) -> Array:
    """Every class gets 1, whether it is over its margin or not, and the right class, too."""
    return dy * op.weight * (1 - op.target * _over(op).sum(axis=-1, keepdims=True))


@of_hinge()
def hinge_margins_for_mask(op: Loss, dy: Array) -> Array:
    """The margins themselves are used, where only 1 for each positive margin belongs."""
    _over(op)
    margins = op.formula(op.x, op.target, op.parameter)[0]
    return dy * op.weight * (margins - op.target * margins.sum(axis=-1, keepdims=True))


@of_hinge()
def hinge_margins_for_ones(op: Loss, dy: Array) -> Array:
    """The classes over their margin get the margin itself, where they get 1."""
    margins = _over(op) * op.formula(op.x, op.target, op.parameter)[0]
    return dy * op.weight * (margins - op.target * _over(op).sum(axis=-1, keepdims=True))


@of_hinge()
def hinge_right_class_counted(op: Loss, dy: Array) -> Array:
    """The right class's own margin (which is always over 0) is counted, too."""
    over = _over(op) + op.target
    return dy * op.weight * (over - op.target * over.sum(axis=-1, keepdims=True))


@of_hinge()
def hinge_margin_ignored(op: Loss, dy: Array) -> Array:
    """All wrong classes get 1, whether they are over their margin or not."""
    _over(op)
    wrong = 1 - op.target
    return dy * op.weight * (wrong - op.target * wrong.sum(axis=-1, keepdims=True))


@of_hinge()
def hinge_delta_forgotten(op: Loss, dy: Array) -> Array:
    """The mask is s − s[right] > 0: the margin delta is missing in the backward's condition."""
    _over(op)
    over = ((op.x - (op.x * op.target).sum(axis=-1, keepdims=True) > 0) * (1 - op.target)) * 1.0
    return dy * op.weight * (over - op.target * over.sum(axis=-1, keepdims=True))


@of_hinge()
def hinge_wrong_classes_forgotten(op: Loss, dy: Array) -> Array:
    """Only the right class gets a gradient: the classes over their margin need +1 each."""
    return -dy * op.weight * op.target * _over(op).sum(axis=-1, keepdims=True)


@of_loss(formula="ds = −y where y · s < 1, else 0", experiment="Take one sample inside and one outside the margin.")
def binary_hinge_unmasked(op: Loss, dy: Array) -> Array:
    """It is −y everywhere: outside the margin the loss is 0 and its gradient too."""
    _is(op, known.binary_hinge)
    return -dy * op.weight * op.target


@of_loss(formula="ds = −y where y · s < 1, else 0", experiment="Take one sample inside and one outside the margin.")
def binary_hinge_at_zero(op: Loss, dy: Array) -> Array:
    """The condition is y · s < 0, where it is y · s < 1."""
    _is(op, known.binary_hinge)
    return -dy * op.weight * op.target * (op.target * op.x < 0)
