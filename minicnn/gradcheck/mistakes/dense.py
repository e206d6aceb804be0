"""Mistakes in the backward of a dense layer: z = x · kernel + bias."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..known.dense import Dense
from .catalogue import Array, mistake

of_dense = partial(mistake, of=[Dense])

DX, DKERNEL, DBIAS = "dx = dz · kernelᵀ", "dkernel = xᵀ · dz", "dbias = Σ dz over the samples"


@of_dense(gradient="x", formula=DX, experiment="Take more outputs than inputs: the shapes will not fit.")
def kernel_untransposed(op: Dense, dy: Array) -> Array:
    """dx is computed with the kernel where its transpose belongs."""
    return op.upstream(dy) @ op.kernel


@of_dense(gradient="kernel", formula=DKERNEL, experiment="Take a batch that is not square: the shapes will not fit.")
def x_untransposed(op: Dense, dy: Array) -> Array:
    """dkernel is computed with x where its transpose belongs."""
    return op.x @ op.upstream(dy)


@of_dense(gradient="kernel", formula=DKERNEL, experiment="Print the shape of the sum: it has to be the kernel's.")
def outer_of_sums(op: Dense, dy: Array) -> Array:
    """dkernel is the product of the sums over the samples, where it is the sum of the samples' products."""
    return np.outer(op.x.sum(axis=0), op.upstream(dy).sum(axis=0))


@of_dense(gradient="kernel", formula=DKERNEL, experiment="Print the shape of the sum: it has to be the kernel's.")
def outer_of_means(op: Dense, dy: Array) -> Array:
    """dkernel is the product of the mean x and the summed dz, where it is the sum of the samples' products."""
    return np.outer(op.x.mean(axis=0), op.upstream(dy).sum(axis=0))


@of_dense(gradient="kernel", formula=DKERNEL, experiment="Use x[n] with dz[n] in the loop.", variants=("first", "last"))
def one_x_for_all(op: Dense, dy: Array, which: str) -> Array:
    """dkernel uses the {variant} sample's x for all samples."""
    x = op.x[0 if which == "first" else -1]
    return np.outer(x, op.upstream(dy).sum(axis=0))


@of_dense(gradient="kernel", formula=DKERNEL, experiment="Keep the layer's input in the cache, not its output.")
def output_for_input(op: Dense, dy: Array) -> Array:
    """dkernel is computed with the layer's output y where its input x belongs."""
    return op.y.T @ op.upstream(dy)


@of_dense(gradient="kernel", formula=DKERNEL, experiment="Keep the layer's input in the cache, not its output.")
def preactivation_for_input(op: Dense, dy: Array) -> Array:
    """dkernel is computed with z where the input x belongs."""
    return op.z.T @ op.upstream(dy)


@of_dense(gradient="kernel", formula=DKERNEL, experiment="Does the forward use |x| or x?")
def absolute_x(op: Dense, dy: Array) -> Array:
    """dkernel is computed with the absolute value of x."""
    return np.abs(op.x).T @ op.upstream(dy)


@of_dense(gradient="x", formula=DX, experiment="Use the kernel of the forward, without the bias.")
def bias_in_dx(op: Dense, dy: Array) -> Array:
    """The bias is added to dx: it has no part in it, because it does not depend on x."""
    return op.upstream(dy) @ op.kernel.T + _bias(op).sum()


@of_dense(gradient="bias", formula=DBIAS, experiment="Check the axis of the sum: it is the samples', 0.")
def bias_summed_over_all(op: Dense, dy: Array) -> Array:
    """dbias is the sum of all of dz, the same for every output."""
    return np.full(op.kernel.shape[1], op.upstream(dy).sum())


@of_dense(gradient="bias", formula=DBIAS, experiment="Check the axis of the sum: it is the samples', 0.")
def bias_summed_over_outputs(op: Dense, dy: Array) -> Array:
    """dbias is summed over the outputs, where it is summed over the samples."""
    return op.upstream(dy).sum(axis=1)


@of_dense(gradient="bias", formula=DBIAS, experiment="The derivative of z with respect to the bias is 1.")
def bias_times_bias(op: Dense, dy: Array) -> Array:
    """dbias is multiplied by the bias itself."""
    return op.upstream(dy).sum(axis=0) * _bias(op)


@of_dense(gradient="bias", formula=DBIAS, experiment="np.max is not np.sum.")
def bias_maximum(op: Dense, dy: Array) -> Array:
    """dbias is the largest dz of the samples, not their sum."""
    return op.upstream(dy).max(axis=0)


@of_dense(
    gradient="kernel",
    formula=DKERNEL,
    experiment="Add the derivative of a penalty only if the forward has the penalty.",
    variants=(1e-4, 1e-3, 0.01, 0.1, 0.5, 1.0),
)
def decay_added(op: Dense, dy: Array, strength: float) -> Array:
    """The kernel times {variant} is added, the gradient of a penalty that the forward does not have."""
    return op.x.T @ op.upstream(dy) + strength * op.kernel


def _bias(op: Dense) -> Array:
    if op.bias is None:
        raise ValueError("no bias")
    return op.bias
