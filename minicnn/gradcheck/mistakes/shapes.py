"""Mistakes of any backward: signs, factors, axes, and which part of dy is used."""

from __future__ import annotations

from functools import partial
from itertools import combinations, permutations, product

import numpy as np

from .catalogue import Array, Case, mistake

ENDS = {"first": 0, "last": -1}
AXES = tuple(product(ENDS, range(5)))

of_dy = partial(mistake, acts_on="dy")
of_gradient = partial(mistake, acts_on="gradient")

CHAIN = "gradient = Σ dy · ∂y/∂argument over all outputs"


# the whole gradient


@of_gradient(formula=CHAIN, experiment="Is the gradient computed, and is the right variable returned?")
def all_zeros(gradient: Array, case: Case) -> Array:
    """It is all zeros, the true gradient is not: the backward does not propagate along this path. With softmax or
    batch norm a check with dy = 1 does not show this, because there the true gradient is zero as well."""
    return 0 * gradient


@of_gradient(formula=CHAIN, experiment="Check y − target and target − y, and every minus of the derivative.")
def sign_flipped(gradient: Array, case: Case) -> Array:
    """Its sign is flipped: it is exactly minus the true gradient."""
    return -gradient


@of_gradient(formula=CHAIN, experiment="Write the derivative f′ beside the line, and multiply dy by it.")
def derivative_forgotten(gradient: Array, case: Case) -> Array:
    """It is dy itself: the derivative is forgotten, as if y were equal to x."""
    return case.dy.reshape(case.value.shape)


@of_gradient(formula=CHAIN, experiment="Print both, and see which variable is returned.")
def value_returned(gradient: Array, case: Case) -> Array:
    """It is the argument itself, not its gradient."""
    return case.value


@of_gradient(formula=CHAIN, experiment="Print both, and see which variable is returned.")
def output_returned(gradient: Array, case: Case) -> Array:
    """It is the output y, not a gradient."""
    return case.y.reshape(case.value.shape)


@of_gradient(
    formula="one gradient for each argument, in the forward's order",
    experiment="Compare the backward's return line with the forward's arguments.",
    variants=range(4),
)
def of_another_argument(gradient: Array, case: Case, position: int) -> Array:
    """It is the gradient with respect to another argument, number {variant} counted from 0: the gradients are
    returned in another order."""
    name = list(case.arrays)[position]
    if name == case.argument:
        raise ValueError
    return case.true(name, case.dy).reshape(case.value.shape)


# factors


@of_gradient(
    formula="dy already contains the loss's 1/N, so a gradient is a sum over the samples",
    experiment="Use np.sum for np.mean, or remove the division by N.",
)
def mean_over_batch(gradient: Array, case: Case) -> Array:
    """It is 1/N times the true gradient, N the batch size: the mean over the batch is taken once too often."""
    return gradient / case.N


@of_gradient(
    formula="a mean over N samples has the derivative 1/N for each of them",
    experiment="Divide by N once: here, or in the loss.",
)
def batch_mean_forgotten(gradient: Array, case: Case) -> Array:
    """It is N times the true gradient, N the batch size: a mean over the batch was differentiated as if it were a
    sum."""
    return gradient * case.N


# order and axes


@of_gradient(
    formula="the gradient has its argument's axes, in the same order: (a · b)ᵀ = bᵀ · aᵀ",
    experiment="Write the shape of every array beside its line.",
)
def transposed(gradient: Array, case: Case) -> Array:
    """It is transposed: the two factors of its matrix product are exchanged."""
    if gradient.ndim != 2:
        raise ValueError
    return gradient.T


def _orders(rank: int) -> list[tuple[int, ...]]:
    return [order for order in permutations(range(rank)) if order != tuple(range(rank))]


ORDERS = [order for rank in (2, 3, 4) for order in _orders(rank)]


@of_gradient(
    formula="transpose back what was transposed, then reshape",
    experiment="Try it on an array whose axes all have different lengths.",
    variants=[order for order in ORDERS if len(order) > 2],
)
def axes_in_wrong_order(gradient: Array, case: Case, order: tuple[int, ...]) -> Array:
    """Its entries are right but in the wrong places: it lies in memory in the axis order {variant}, and is reshaped
    without transposing it back."""
    if gradient.ndim != len(order):
        raise ValueError
    return gradient.transpose(order).reshape(gradient.shape)


@of_gradient(
    formula="reshape in the order in which the forward reshapes, C's",
    experiment="Try it on an array whose entries are 0, 1, 2, …",
)
def reshaped_in_fortran_order(gradient: Array, case: Case) -> Array:
    """Its entries are right but in the wrong places: it is reshaped with order="F"."""
    return gradient.reshape(len(gradient), -1).reshape(gradient.shape, order="F")


@of_dy(
    formula="transpose dy until its channels are last, then reshape",
    experiment="Try it on a dy whose entries are 0, 1, 2, …, and print the reshaped one.",
    variants=[order for order in _orders(4) if order != (0, 2, 3, 1)],
)
def dy_transposed_wrongly(dy: Array, case: Case, order: tuple[int, ...]) -> Array:
    """dy is transposed by {variant} before it is reshaped, where its channels, axis 1, have to become the last axis,
    (0, 2, 3, 1)."""
    N, F, OH, OW = dy.shape
    return dy.transpose(order).reshape(N, OH, OW, F).transpose(0, 3, 1, 2)


@of_dy(
    formula="transpose dy until its axes are those of the matrix product, then reshape",
    experiment="Try it on a dy whose entries are 0, 1, 2, …, and print the reshaped one.",
    variants=ORDERS,
)
def dy_reshaped_without_transpose(dy: Array, case: Case, order: tuple[int, ...]) -> Array:
    """dy is reshaped where it has to be transposed first: its entries are taken as if its axes were in the order
    {variant}."""
    if dy.ndim != len(order):
        raise ValueError
    turned = tuple(dy.shape[axis] for axis in order)
    return dy.reshape(turned).transpose(np.argsort(order))


@of_dy(
    formula="transpose dy until its axes are those of the matrix product, then reshape",
    experiment="Try it on a dy whose entries are 0, 1, 2, …, and print the reshaped one.",
    variants=[order for order in ORDERS if tuple(np.argsort(order)) != order],
)
def dy_transposed_and_reshaped(dy: Array, case: Case, order: tuple[int, ...]) -> Array:
    """dy is transposed by {variant} and then reshaped as if it had not been."""
    return dy.transpose(order).reshape(dy.shape)


@of_gradient(
    formula="the forward and the backward agree which end of an axis comes first: x[p + i] · kernel[i] everywhere",
    experiment="Check it with a kernel that has a single 1, in a corner.",
    variants=[axes for count in (1, 2) for axes in combinations(range(4), count)],
)
def flipped(gradient: Array, case: Case, axes: tuple[int, ...]) -> Array:
    """It is reversed along axes {variant} (along two: turned by 180°)."""
    return np.flip(gradient, axes)


@of_gradient(
    formula="dx begins where the padding before the image ends",
    experiment="Check the indices of the crop on a dy with a single 1.",
    variants=[(axis, by) for axis in range(1, 4) for by in (-2, -1, 1, 2)],
)
def rolled(gradient: Array, case: Case, move: tuple[int, int]) -> Array:
    """It is shifted cyclically, {variant} (axis, places)."""
    return np.roll(gradient, move[1], move[0])


@of_gradient(
    formula="each sample has its own gradient",
    experiment="Compare the samples: is the index n used everywhere?",
    variants=("first", "last"),
)
def one_sample_for_all(gradient: Array, case: Case, end: str) -> Array:
    """Every sample gets the gradient of the {variant} one."""
    return np.broadcast_to(gradient[ENDS[end]], gradient.shape)


@of_gradient(
    formula="each sample has its own gradient",
    experiment="Remove the sum or the mean over axis 0.",
    variants=("sum", "mean"),
)
def reduced_over_samples(gradient: Array, case: Case, how: str) -> Array:
    """Every sample gets the {variant} of all samples' gradients."""
    return np.broadcast_to(getattr(gradient, how)(axis=0), gradient.shape)


@of_gradient(
    formula="each channel has its own gradient",
    experiment="Look for a sum over the channels that should not be there.",
    variants=[(how, axis) for how in ("sum", "mean") for axis in (1, 2, 3)],
)
def reduced_over_axis(gradient: Array, case: Case, variant: tuple[str, int]) -> Array:
    """It is the {variant[0]} over axis {variant[1]} of the true gradient, spread over that axis."""
    how, axis = variant
    return np.broadcast_to(getattr(gradient, how)(axis=axis, keepdims=True), gradient.shape)


# which part of dy is used


@of_dy(formula=CHAIN, experiment="Multiply by dy, then sum. A check with dy = 1 cannot see this.")
def dy_not_used(dy: Array, case: Case) -> Array:
    """It is the true gradient for a dy of ones: dy is not used."""
    return np.ones_like(dy)


@of_dy(formula=CHAIN, experiment="Multiply by dy once.")
def dy_used_twice(dy: Array, case: Case) -> Array:
    """It is the true gradient for dy²: dy is multiplied in twice."""
    return dy * dy


@of_dy(
    formula="dW = Σ over all samples",
    experiment="A loop over the samples needs +=, not =, on a gradient that starts at zero.",
    variants=tuple(ENDS),
)
def only_one_sample(dy: Array, case: Case, end: str) -> Array:
    """It is the contribution of the {variant} sample alone: the others are overwritten or never reached."""
    if len(dy) != case.N or case.argument == next(iter(case.arrays)):
        raise ValueError
    only = np.zeros_like(dy)
    only[ENDS[end]] = dy[ENDS[end]]
    return only


@of_dy(
    formula=CHAIN,
    experiment="Check the bounds of the loop: range(n) has n − 1 as its last.",
    variants=AXES,
)
def loop_misses_one(dy: Array, case: Case, which: tuple[str, int]) -> Array:
    """The {variant[0]} entry along axis {variant[1]} of dy is not used: a loop stops too early or starts too late."""
    end, axis = which
    less = dy.copy()
    np.moveaxis(less, axis, 0)[ENDS[end]] = 0
    return less


@of_dy(
    formula=CHAIN,
    experiment="Inside the loop, add with +=, and set the gradient to zero before it.",
    variants=[(end, axis) for end, axis in AXES if axis],
)
def only_one_of_axis(dy: Array, case: Case, which: tuple[str, int]) -> Array:
    """Only the {variant[0]} entry along axis {variant[1]} of dy arrives: the loop over that axis overwrites (=)
    instead of adding (+=)."""
    end, axis = which
    only = np.zeros_like(dy)
    np.moveaxis(only, axis, 0)[ENDS[end]] = np.moveaxis(dy, axis, 0)[ENDS[end]]
    return only


@of_dy(
    formula=CHAIN,
    experiment="Is the index of the loop used in dy[n]?",
    variants=AXES,
)
def dy_of_one_for_all(dy: Array, case: Case, which: tuple[str, int]) -> Array:
    """The {variant[0]} entry along axis {variant[1]} of dy is used for all entries of that axis."""
    end, axis = which
    return np.broadcast_to(np.take(dy, [ENDS[end]], axis=axis), dy.shape).copy()


@of_dy(
    formula=CHAIN,
    experiment="Remove the sum or mean of dy before the product.",
    variants=[(how, axis) for how in ("sum", "mean") for axis in range(4)],
)
def dy_reduced(dy: Array, case: Case, which: tuple[str, int]) -> Array:
    """dy is replaced by its {variant[0]} over axis {variant[1]}."""
    how, axis = which
    return np.broadcast_to(getattr(dy, how)(axis=axis, keepdims=True), dy.shape).copy()


@of_dy(formula=CHAIN, experiment="Iterate forwards, or reverse x too.", variants=range(4))
def dy_reversed(dy: Array, case: Case, axis: int) -> Array:
    """dy is taken in reverse along axis {variant}."""
    return np.flip(dy, axis).copy()


# functions of dy that are not linear


@of_dy(formula="dx = dy · f′(x): the condition is on x", experiment="Use the mask of the forward: x > 0.")
def masked_by_dy(dy: Array, case: Case) -> Array:
    """dy is set to zero where it is negative itself: the condition is on dy, not on x."""
    return np.maximum(dy, 0)


@of_dy(formula=CHAIN, experiment="Remove np.abs or the square root of a square.")
def absolute_dy(dy: Array, case: Case) -> Array:
    """The absolute value of dy is used."""
    return np.abs(dy)


@of_dy(formula=CHAIN, experiment="Clip gradients in the optimiser, not in a backward.", variants=(0.1, 0.5, 1.0, 5.0))
def dy_clipped(dy: Array, case: Case, limit: float) -> Array:
    """dy is clipped to ±{variant}."""
    return np.clip(dy, -limit, limit)


@of_gradient(
    formula=CHAIN, experiment="Clip gradients in the optimiser, not in a backward.", variants=(0.1, 0.5, 1.0, 5.0)
)
def clipped(gradient: Array, case: Case, limit: float) -> Array:
    """The gradient is clipped to ±{variant}."""
    return np.clip(gradient, -limit, limit)


@of_gradient(
    formula="a gradient is an array of floating-point numbers",
    experiment="np.zeros(shape) and np.zeros_like(float array) are; np.zeros_like(integers) is not.",
)
def cast_to_integers(gradient: Array, case: Case) -> Array:
    """Its fractions are cut off: it is stored in an array of integers."""
    return np.trunc(gradient)


@of_gradient(formula=CHAIN, experiment="Divide in the optimiser if you must, not in a backward.")
def normalized(gradient: Array, case: Case) -> Array:
    """The gradient is divided by its own norm."""
    return gradient / np.linalg.norm(gradient)


@of_dy(formula=CHAIN, experiment="Write dy * mask, not dy > 0 or np.sign(dy).")
def sign_of_dy(dy: Array, case: Case) -> Array:
    """Only the sign of dy is used."""
    return np.sign(dy)
