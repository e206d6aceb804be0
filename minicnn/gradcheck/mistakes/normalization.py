"""Mistakes in the backward of batch and layer normalisation; M entries share a mean and a variance."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..known.normalization import FixedNormalization, Normalization
from .catalogue import Array, mistake

DX = "dx = gamma / std · (dz − mean(dz) − x̂ · mean(dz · x̂)), the means over the M entries"

of_dx = partial(
    mistake,
    of=[Normalization],
    gradient="x",
    formula=DX,
    experiment="Write dx as the sum of its paths, and leave out one after the other.",
)
of_dgamma = partial(mistake, of=[Normalization, FixedNormalization], gradient="gamma", formula="dgamma = Σ dz · x̂")
of_dgamma_in_training = partial(mistake, of=[Normalization], gradient="gamma", formula="dgamma = Σ dz · x̂")
of_dbeta = partial(mistake, of=[Normalization, FixedNormalization], gradient="beta", formula="dbeta = Σ dz")
of_fixed = partial(
    mistake,
    of=[FixedNormalization],
    gradient="x",
    formula="dx = dz · gamma / std: given statistics do not depend on x",
    experiment="Compare with the forward of this mode.",
)


def composed(op: Normalization, dnormalized: Array, std: Array | None = None, M: float | None = None) -> Array:
    """dx from the gradient of x̂, with another std or M if given."""
    std, M = op.std if std is None else std, M or op.M
    normalized = op.centred / std
    level = dnormalized.sum(axis=1, keepdims=True) / M * op.centre
    tilt = (dnormalized * normalized).sum(axis=1, keepdims=True) / M * op.scaled
    return (dnormalized - level - normalized * tilt) / std


def tilted(op: Normalization, mean: Array) -> Array:
    """The path through the variance; 0 if nothing is divided by it."""
    return op.normalized * mean * op.scaled


def parts(op: Normalization, dy: Array) -> tuple[Array, Array, Array]:
    """The three paths: direct, through the mean, through the variance, with their signs."""
    paths = [term.coefficient * term.value for term in op.terms("x", dy).values()]
    if len(paths) < 3:
        raise ValueError
    return paths[0], paths[1], paths[2]


@of_dx()
def path_through_mean_missing(op: Normalization, dy: Array) -> Array:
    """The path through the mean is missing: the mean depends on x, and every output on the mean, − Σ dz / M."""
    if not op.centre:
        raise ValueError
    first, *rest = (term.coefficient * term.value for term in op.terms("x", dy).values())
    return first + sum(rest[1:])


@of_dx()
def path_through_variance_missing(op: Normalization, dy: Array) -> Array:
    """The path through the variance is missing: − x̂ · Σ (dz · x̂) / M."""
    direct, mean, _ = parts(op, dy)
    return direct + mean


@of_dx()
def both_paths_missing(op: Normalization, dy: Array) -> Array:
    """The paths through the mean and through the variance are missing: both depend on x."""
    return parts(op, dy)[0]


@of_dx()
def direct_path_missing(op: Normalization, dy: Array) -> Array:
    """The direct path, dz · gamma / std, is missing."""
    _, mean, variance = parts(op, dy)
    return mean + variance


@of_dx()
def gamma_forgotten(op: Normalization, dy: Array) -> Array:
    """The factor gamma is missing in dx."""
    _gamma(op)
    return composed(op, op.upstream(dy))


@of_dx()
def gamma_twice(op: Normalization, dy: Array) -> Array:
    """The factor gamma is multiplied in twice."""
    _gamma(op)
    return composed(op, op.upstream(dy) * op.scale**2)


@of_dx()
def variance_without_epsilon_for_std(op: Normalization, dy: Array) -> Array:
    """dx is divided by the variance, where it is divided by its square root, with epsilon."""
    return composed(op, op.upstream(dy) * op.scale) * op.std / op.variance


@of_dx()
def std_forgotten(op: Normalization, dy: Array) -> Array:
    """The division by std is missing in dx."""
    return composed(op, op.upstream(dy) * op.scale) * op.std


@of_dx()
def variance_for_std(op: Normalization, dy: Array) -> Array:
    """dx is divided by the variance (plus epsilon), where it is divided by its square root."""
    return composed(op, op.upstream(dy) * op.scale) / op.std


@of_dx()
def std_multiplied(op: Normalization, dy: Array) -> Array:
    """dx is multiplied by std, where it is divided by it."""
    return composed(op, op.upstream(dy) * op.scale) * op.std**2


@of_dx()
def epsilon_forgotten(op: Normalization, dy: Array) -> Array:
    """epsilon is missing in the backward's std."""
    return composed(op, op.upstream(dy) * op.scale, np.sqrt(op.variance))


@of_dx()
def epsilon_forgotten_outside(op: Normalization, dy: Array) -> Array:
    """epsilon is missing in the backward's last division, while x̂ has it."""
    return composed(op, op.upstream(dy) * op.scale) * op.std / np.sqrt(op.variance)


@of_dx()
def epsilon_outside_root(op: Normalization, dy: Array) -> Array:
    """epsilon is added to the standard deviation, where the forward adds it to the variance."""
    return composed(op, op.upstream(dy) * op.scale, np.sqrt(op.variance) + op.epsilon)


@of_dx()
def unbiased_variance(op: Normalization, dy: Array) -> Array:
    """The backward divides by M − 1, where the forward divides by M (or the other way round): the variance's
    divisor."""
    other = op.variance * (op.M - op.less) / (op.M - (1 - op.less))
    return composed(op, op.upstream(dy) * op.scale, np.sqrt(other + op.epsilon))


@of_dx()
def unbiased_sums(op: Normalization, dy: Array) -> Array:
    """The sums of both paths are divided by M − 1, where they are divided by M."""
    return composed(op, op.upstream(dy) * op.scale, M=op.M - 1)


@of_dx()
def sums_not_divided(op: Normalization, dy: Array) -> Array:
    """The sums of both paths are not divided by M."""
    return composed(op, op.upstream(dy) * op.scale, M=1)


@of_dx()
def x_for_normalized(op: Normalization, dy: Array) -> Array:
    """x stands where x̂ belongs in the path through the variance."""
    d = op.upstream(dy) * op.scale
    return (d - d.mean(axis=1, keepdims=True) - op.x * (d * op.x).mean(axis=1, keepdims=True)) / op.std


@of_dx()
def x_for_normalized_in_sum(op: Normalization, dy: Array) -> Array:
    """x stands where x̂ belongs in the sum of the path through the variance, Σ (dz · x̂)."""
    d = op.upstream(dy) * op.scale
    return (d - d.mean(axis=1, keepdims=True) - op.normalized * (d * op.x).mean(axis=1, keepdims=True)) / op.std


@of_dx()
def x_for_normalized_before_sum(op: Normalization, dy: Array) -> Array:
    """x stands where x̂ belongs before the sum of the path through the variance."""
    d = op.upstream(dy) * op.scale
    return (d - d.mean(axis=1, keepdims=True) - op.x * (d * op.normalized).mean(axis=1, keepdims=True)) / op.std


@of_dx()
def centred_for_normalized(op: Normalization, dy: Array) -> Array:
    """x − mean stands where x̂ belongs: it is not divided by std."""
    d = op.upstream(dy) * op.scale
    return (d - d.mean(axis=1, keepdims=True) - op.centred * (d * op.centred).mean(axis=1, keepdims=True)) / op.std


@of_dx()
def centred_for_normalized_before_sum(op: Normalization, dy: Array) -> Array:
    """x − mean stands where x̂ belongs before the sum of the path through the variance."""
    d = op.upstream(dy) * op.scale
    return (d - d.mean(axis=1, keepdims=True) - op.centred * (d * op.normalized).mean(axis=1, keepdims=True)) / op.std


@of_dx()
def output_for_normalized(op: Normalization, dy: Array) -> Array:
    """The output y stands where x̂ belongs."""
    _gamma(op)
    d = op.upstream(dy) * op.scale
    return (d - d.mean(axis=1, keepdims=True) - op.y * (d * op.y).mean(axis=1, keepdims=True)) / op.std


@of_dx()
def power_of_std(op: Normalization, dy: Array) -> Array:
    """The power in the variance's path is wrong: (variance + epsilon)^(−1/2) where it is ^(−3/2)."""
    direct, mean, variance = parts(op, dy)
    return direct + mean + variance * op.std**2


@of_dx()
def power_of_std_minus_one(op: Normalization, dy: Array) -> Array:
    """The power in the variance's path is wrong: (variance + epsilon)^(−1) where it is ^(−3/2)."""
    direct, mean, variance = parts(op, dy)
    return direct + mean + variance * op.std


@of_dx()
def mean_path_not_scaled(op: Normalization, dy: Array) -> Array:
    """The path through the mean is not divided by std."""
    direct, mean, variance = parts(op, dy)
    return direct + mean * op.std + variance


@of_dx()
def direct_path_not_divided_by_std(op: Normalization, dy: Array) -> Array:
    """The direct path is not divided by std."""
    direct, mean, variance = parts(op, dy)
    return direct * op.std + mean + variance


@of_dx()
def direct_and_mean_path_not_divided_by_std(op: Normalization, dy: Array) -> Array:
    """The direct path is not divided by std, and with it the path through the mean."""
    direct, mean, variance = parts(op, dy)
    return (direct + mean) * op.std + variance


@of_dx()
def derivative_of_root_forgotten(op: Normalization, dy: Array) -> Array:
    """The derivative of the root, 1 / (2 · std), is missing in the path through the variance."""
    direct, mean, variance = parts(op, dy)
    return direct + mean + variance * 2 * op.std


@of_dx()
def only_divided_by_std(op: Normalization, dy: Array) -> Array:
    """It is dz / std: the factor gamma is missing, and the paths through the mean and through the variance."""
    _gamma(op)
    return op.upstream(dy) / op.std


@of_dx()
def mean_over_all(op: Normalization, dy: Array) -> Array:
    """The means of dz and dz · x̂ are taken over the whole array, where each group has its own."""
    d = op.upstream(dy) * op.scale
    return (d - d.mean() - tilted(op, (d * op.normalized).mean())) / op.std


@of_dx()
def mean_over_groups(op: Normalization, dy: Array) -> Array:
    """The means of dz and dz · x̂ are taken over the other axis, where they are over the axis of the mean."""
    d = op.upstream(dy) * op.scale
    means = (d.mean(axis=0, keepdims=True), (d * op.normalized).mean(axis=0, keepdims=True))
    return (d - means[0] - tilted(op, means[1])) / op.std


@of_dx()
def mean_of_dz_over_groups(op: Normalization, dy: Array) -> Array:
    """The mean of dz is taken over the other axis, where it is over the axis of the mean."""
    d = op.upstream(dy) * op.scale
    level, tilt = d.mean(axis=0, keepdims=True), (d * op.normalized).mean(axis=1, keepdims=True)
    return (d - level - tilted(op, tilt)) / op.std


@of_dx()
def mean_of_products_over_groups(op: Normalization, dy: Array) -> Array:
    """The mean of dz · x̂ is taken over the other axis, where it is over the axis of the mean."""
    d = op.upstream(dy) * op.scale
    level, tilt = d.mean(axis=1, keepdims=True), (d * op.normalized).mean(axis=0, keepdims=True)
    return (d - level - tilted(op, tilt)) / op.std


@of_dx()
def gamma_after_sums(op: Normalization, dy: Array) -> Array:
    """gamma is multiplied after the means, where it belongs before them: it is not the same for all entries."""
    _gamma(op)
    return composed(op, op.upstream(dy)) * op.scale


# gamma and beta


@of_dgamma(experiment="Keep x̂ in the cache, not x.")
def dgamma_of_x(op: Normalization, dy: Array) -> Array:
    """dgamma is computed with x where x̂ belongs."""
    return op.per_parameter(op.upstream(dy) * op.x)


@of_dgamma(experiment="Keep x̂ in the cache, not y.")
def dgamma_of_output(op: Normalization, dy: Array) -> Array:
    """dgamma is computed with the output y where x̂ belongs."""
    return op.per_parameter(op.upstream(dy) * op.y)


@of_dgamma_in_training(experiment="Keep x̂ in the cache, not x − mean.")
def dgamma_of_centred(op: Normalization, dy: Array) -> Array:
    """dgamma is computed with x − mean where x̂ belongs: it is not divided by std."""
    if not op.centre:
        raise ValueError
    return op.per_parameter(op.upstream(dy) * op.centred)


@of_dgamma(experiment="Multiply by x̂, then sum.")
def dgamma_without_normalized(op: Normalization, dy: Array) -> Array:
    """dgamma is Σ dz, the gradient of beta: the factor x̂ is missing."""
    return op.per_parameter(op.upstream(dy))


@of_dgamma(experiment="Multiply first, then sum: Σ (a · b) is not Σ a · Σ b.")
def dgamma_product_of_sums(op: Normalization, dy: Array) -> Array:
    """dgamma is Σ dz times Σ x̂, where it is the sum of the products."""
    return op.per_parameter(op.upstream(dy)) * op.per_parameter(op.normalized)


@of_dgamma(experiment="The derivative of gamma · x̂ with respect to gamma is x̂.")
def dgamma_times_gamma(op: Normalization, dy: Array) -> Array:
    """dgamma is multiplied by gamma."""
    return op.per_parameter(op.upstream(dy) * op.normalized * op.scale)


@of_dgamma_in_training(experiment="Give x̂ the same epsilon as in the forward.")
def dgamma_without_epsilon(op: Normalization, dy: Array) -> Array:
    """dgamma uses an x̂ without epsilon."""
    return op.per_parameter(op.upstream(dy) * op.centred / np.sqrt(op.variance))


@of_dgamma_in_training(experiment="Compare the variance's divisor with the forward's.")
def dgamma_unbiased(op: Normalization, dy: Array) -> Array:
    """dgamma uses an x̂ of the variance divided by M − 1, where the forward divides by M."""
    return op.per_parameter(op.upstream(dy) * op.centred / np.sqrt(op.variance * op.M / (op.M - 1) + op.epsilon))


@of_dbeta(experiment="The derivative of y with respect to beta is 1.")
def dbeta_of_gamma(op: Normalization, dy: Array) -> Array:
    """dbeta is multiplied by gamma."""
    return op.per_parameter(op.upstream(dy) * op.scale)


@of_dbeta(experiment="The derivative of y with respect to beta is 1.")
def dbeta_of_normalized(op: Normalization, dy: Array) -> Array:
    """dbeta is Σ dz · x̂, the gradient of gamma."""
    return op.per_parameter(op.upstream(dy) * op.normalized)


@of_dbeta(experiment="Check the axes of the sum.")
def dbeta_summed_over_all(op: Normalization, dy: Array) -> Array:
    """dbeta is the sum of all of dz, the same for every entry."""
    return np.full(int(op.index.max()) + 1, op.upstream(dy).sum())


@of_dgamma(experiment="Check the axes of the sum.")
def dgamma_summed_over_all(op: Normalization, dy: Array) -> Array:
    """dgamma is the sum over everything, the same for every entry."""
    return np.full(int(op.index.max()) + 1, (op.upstream(dy) * op.normalized).sum())


# given statistics, as in inference


@of_fixed()
def training_formula_in_inference(op: FixedNormalization, dy: Array) -> Array:
    """The formula of training is used in inference: the paths through mean and variance are subtracted, but given
    statistics do not depend on x."""
    d = dy * op.scale
    level, tilt = d.mean(axis=1, keepdims=True), (d * op.normalized).mean(axis=1, keepdims=True)
    return (d - level - op.normalized * tilt) * op.factors


@of_fixed()
def batch_statistics_in_inference(op: FixedNormalization, dy: Array) -> Array:
    """The batch's statistics are used in the backward of inference, where the forward uses the given ones."""
    normal = Normalization({"x": op.x, **({} if op.gamma is None else {"gamma": op.gamma})}, op.index, 1e-3)
    return normal.pull(dy)["x"]


@of_fixed()
def fixed_std_forgotten(op: FixedNormalization, dy: Array) -> Array:
    """The division by the given std is missing: dx = dz · gamma."""
    return dy * op.scale


@of_fixed()
def fixed_gamma_forgotten(op: FixedNormalization, dy: Array) -> Array:
    """The factor gamma is missing: dx = dz / std."""
    _gamma(op)
    return dy * op.factors


@of_fixed()
def fixed_variance_for_std(op: FixedNormalization, dy: Array) -> Array:
    """dx is divided by the variance, where it is divided by its square root."""
    return dy * op.scale * op.factors**2


@of_fixed()
def fixed_std_multiplied(op: FixedNormalization, dy: Array) -> Array:
    """dx is multiplied by std, where it is divided by it."""
    return dy * op.scale / op.factors


def _gamma(op: Normalization | FixedNormalization) -> None:
    if op.gamma is None:
        raise ValueError("no gamma")
