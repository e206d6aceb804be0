"""The diagnosis: tries common mistakes until one explains the difference between a wrong gradient and the right one.

A cause is a function of the comparison: it returns a sentence if its pattern is found, otherwise None. The causes are
tried in the order of CAUSES, the simplest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, permutations, product

import numpy as np

from .comparison import Comparison
from .functions import LayerFunction


def diagnose(compared: Comparison) -> str:
    """The reason why the gradient is wrong, as far as its pattern shows it."""
    for cause in CAUSES:
        if sentence := cause(compared):
            return sentence
    raise AssertionError("the last cause explains everything")


def never_set(compared: Comparison) -> str | None:
    """None instead of an array."""
    if compared.analytic is not None:
        return None
    if compared.is_input:
        return f"{compared.quantity} is None: backward must return it, or the layers before this one cannot learn."
    return f"{compared.quantity} is None: backward must set it, or the optimiser cannot update the parameter."


def of_another_shape(compared: Comparison) -> str | None:
    """A gradient of another shape than its array."""
    assert compared.analytic is not None
    found, expected = compared.analytic.shape, compared.value.shape
    if found == expected:
        return None
    hint = "A gradient has one entry for every entry of its array."
    if found == expected[::-1]:
        hint = "It is transposed: swap the two factors of its matrix product, (a.T @ b).T = b.T @ a."
    elif len(found) == len(expected) + 1 and found[1:] == expected:
        hint = "It still has the axis of the samples: sum over the first axis."
    elif np.prod(found) == np.prod(expected):
        hint = f"The number of entries is right: perhaps only .reshape({expected}) is missing."
    return f"it has shape {found}, but {compared.argument} has shape {expected}. {hint}"


def not_finite(compared: Comparison) -> str | None:
    """NaN or infinity."""
    assert compared.analytic is not None
    bad = np.argwhere(~np.isfinite(compared.analytic))
    if not len(bad):
        return None
    return (
        f"{len(bad)} of {compared.analytic.size} entries are NaN or infinite, the first at {_index(bad[0])}. Look for "
        f"a division by zero, a logarithm of zero, or an exponential that overflows."
    )


# simple relations to the right gradient


def all_zeros(compared: Comparison) -> str | None:
    """A gradient of zeros only."""
    if compared.found.any():
        return None
    return (
        f"it is all zeros, the true gradient is not (largest entry {np.abs(compared.expected).max():.3g}): the "
        f"backward does not propagate along this path. Is it computed and stored? With softmax or batch norm, a check "
        f"with dy = 1 does not show this, because there the true gradient is zero as well."
    )


def something_for_nothing(compared: Comparison) -> str | None:
    """A gradient with respect to an array that the output does not depend on."""
    if np.abs(compared.expected).max() > compared.noise:
        return None
    return (
        f"the true gradient is zero: y does not depend on {compared.argument}, but the backward returns another "
        f"gradient (largest entry {np.abs(compared.found).max():.3g}). Does it differentiate the wrong branch, or does "
        f"the forward not use {compared.argument}?"
    )


def sign_flipped(compared: Comparison) -> str | None:
    """Minus the right gradient."""
    if not compared.alike(compared.found, -compared.expected):
        return None
    return "its sign is flipped: it is exactly minus the true gradient. Check y − target and target − y."


def constant_factor(compared: Comparison) -> str | None:
    """A multiple of the right gradient; the factor often shows what is missing."""
    factor = float((compared.found * compared.expected).sum() / (compared.expected**2).sum())
    if not compared.alike(compared.found, factor * compared.expected):
        return None
    return f"it is {factor:.4g} times the true gradient, everywhere. {_meaning_of(factor, compared)}"


def _meaning_of(factor: float, compared: Comparison) -> str:
    N = len(next(iter(compared.function.arrays.values())))
    if np.isclose(factor, N):
        return f"{N} is the batch size: a mean over the batch was differentiated as if it were a sum. Divide by N once."
    if np.isclose(factor, 1 / N):
        return (
            f"{N} is the batch size: the mean over the batch is taken once too often. Sum over the samples; dy already "
            f"contains the loss's 1/N."
        )
    if np.isclose(factor, 0.5):
        return "Was a square differentiated without its 2, or one of two equal paths left out?"
    if np.isclose(factor, 2):
        return "Is a path counted twice, or is the 2 of a square not cancelled by a half?"
    lengths = {
        "number of inputs to each output": compared.value.size // compared.y.size,
        "number of rows (all axes of y but the last)": compared.y.size // (compared.y.shape or (1,))[-1],
        "number of inputs": compared.value.size,
        "number of outputs": compared.y.size,
        **{f"length of y's axis {axis}": length for axis, length in enumerate(compared.y.shape)},
    }
    for name, length in lengths.items():
        if length > 1 and np.isclose(factor, length):
            return f"{length} is the {name}: a mean was differentiated as if it were a sum."
        if length > 1 and np.isclose(factor, 1 / length):
            return f"1/{length}, and {length} is the {name}: a sum was differentiated as if it were a mean."
    return "Which constant of the formula has this value? It is missing, or it is applied twice."


def without_dy(compared: Comparison) -> str | None:
    """The derivative of Σ y, without the factor dy."""
    of_ones = np.ones_like(compared.dy)
    if not compared.function.takes_dy or not compared.alike(compared.found, compared.true_gradient(of_ones)):
        return None
    return "it is the true gradient for a dy of ones: dy is not used. Chain rule: multiply by dy, then sum."


# the right numbers in the wrong places


def axes_swapped(compared: Comparison) -> str | None:
    """A transposed gradient."""
    if not compared.is_whole:
        return None
    found = compared.found_array
    for order in list(permutations(range(found.ndim)))[1:]:
        if compared.alike(found.transpose(order), compared.expected_array):
            if found.ndim == 2:
                return "it is transposed: swap the two factors of its matrix product, (a.T @ b).T = b.T @ a."
            return f"its axes are in the wrong order: transpose{order} corrects it."
    return None


def turned(compared: Comparison) -> str | None:
    """A gradient that is reversed along some axes."""
    if not compared.is_whole:
        return None
    for axes in _subsets(axis for axis, length in enumerate(compared.value.shape) if length > 1):
        if compared.alike(np.flip(compared.found_array, axes), compared.expected_array):
            how = "turned by 180°" if len(axes) == 2 else "flipped"
            names = " and ".join(f"{compared.axis_name(axis)}s" for axis in axes)
            return (
                f"it is {how}: reversed along its {names}. Forward and backward must agree on which end of the window "
                f"comes first: x[p + i] · kernel[i] everywhere, as here, or x[p − i] everywhere."
            )
    return None


def shifted(compared: Comparison) -> str | None:
    """The right gradient, shifted by some pixels."""
    if not compared.is_whole or not compared.is_input or compared.value.ndim < 3:
        return None
    spatial = compared.value.shape[1:-1]
    moves = product(*(range(-min(2, length - 2), min(2, length - 2) + 1) for length in spatial))
    for move in sorted(moves, key=lambda move: np.abs(move).sum()):
        if not any(move):
            continue
        there = tuple(slice(max(m, 0), length + min(m, 0)) for m, length in zip(move, spatial, strict=True))
        here = tuple(slice(max(-m, 0), length - max(m, 0)) for m, length in zip(move, spatial, strict=True))
        if compared.alike(compared.found_array[(slice(None), *there)], compared.expected_array[(slice(None), *here)]):
            return (
                f"it is the true gradient, shifted by {_index(move)} pixels: the padding was not removed at the right "
                f"place. dx begins where the padding before the image ends."
            )
    return None


# a part of the sum


def one_sample_alone(compared: Comparison) -> str | None:
    """A parameter's gradient from a single sample of the batch."""
    N = len(next(iter(compared.function.arrays.values())))
    if compared.is_input or compared.y.shape[:1] != (N,) or N < 2:
        return None
    for n in range(N):
        dy = np.zeros_like(compared.dy)
        dy[n] = compared.dy[n]
        if compared.alike(compared.found, compared.true_gradient(dy)):
            return (
                f"it is the contribution of only sample {n} of {N}. Sum over the batch: a loop over the samples needs "
                f"+=, not =, on a gradient that starts at zero."
            )
    return None


def own_output_alone(compared: Comparison) -> str | None:
    """dx[i] from y[i] only, although other outputs depend on x[i], too."""
    if not compared.function.takes_dy or compared.value.shape != compared.y.shape:
        return None
    own = compared.jacobian.reshape(len(compared.entries), -1)[np.arange(len(compared.entries)), compared.entries]
    if not compared.alike(compared.found, own * compared.dy.reshape(-1)[compared.entries]):
        return None
    return (
        "every entry uses only its own output (the Jacobian's diagonal), but other outputs depend on x[i], too, as in "
        "softmax through the row's sum: dx[i] = Σⱼ dy[j] · ∂y[j]/∂x[i]."
    )


def path_through_softmax_sum(compared: Comparison) -> str | None:
    """A difference of y times one number per row: softmax's second term."""
    shape = compared.y.shape
    if not (compared.is_whole and compared.is_input) or compared.value.shape != shape or shape[-1] < 3:
        return None
    off, y = compared.found_array - compared.expected_array, compared.y
    share = (off * y).sum(axis=-1, keepdims=True) / np.maximum((y * y).sum(axis=-1, keepdims=True), 1e-300)
    if not compared.alike(off, share * y) or not np.ptp(y / y.mean()) > 1e-3:
        return None
    return (
        "y times one number per row is missing: the path through softmax's sum. dx = y · (dy − Σ dy·y), with the sum "
        "over the row."
    )


def path_through_statistics(compared: Comparison) -> str | None:
    """A difference of a constant per channel, or of a multiple of x − mean: batch norm's second and third path."""
    if not (compared.is_whole and compared.is_input) or compared.value.ndim < 2:
        return None
    for axis in (compared.value.ndim - 1, *range(compared.value.ndim - 1)):
        x, off = (
            np.moveaxis(array, axis, 0).reshape(compared.value.shape[axis], -1)
            for array in (compared.value, compared.found_array - compared.expected_array)
        )
        if x.shape[1] < 4:
            continue
        centred = x - x.mean(axis=1, keepdims=True)
        level = off.mean(axis=1, keepdims=True) + 0 * off
        tilt = (off * centred).sum(axis=1, keepdims=True) / (centred**2).sum(axis=1, keepdims=True) * centred
        each = f"for each {compared.axis_name(axis)}"
        if compared.alike(off, level):
            return (
                f"it is off by one constant {each}: the path through the mean is missing. The mean depends on x, and "
                f"every output on the mean: dx needs − Σ dy / M (times the factor of dy)."
            )
        if compared.alike(off, tilt):
            return (
                f"it is off by a multiple of x − mean {each}: the path through the variance is missing: "
                f"− x̂ · Σ (dy·x̂) / M, as in batch normalisation."
            )
        if compared.alike(off, level + tilt):
            return (
                f"it is off by a constant and a multiple of x − mean {each}: the paths through the mean and through "
                f"the variance are missing. Both depend on x: − Σ dy / M and − x̂ · Σ (dy·x̂) / M."
            )
    return None


# what another layer's backward would give


def as_if_kernel_were_another(compared: Comparison) -> str | None:
    """A dx that would be right for a transposed or reversed kernel."""
    if not (compared.is_input and compared.is_whole and compared.function.takes_dy):
        return None
    for name, kernel in list(compared.function.arrays.items())[1:]:
        for how, other in _variants(kernel):
            compared.function.arrays[name] = other
            try:
                expected = compared.true_gradient_now()
            finally:
                compared.function.arrays[name] = kernel
            if compared.alike(compared.found, expected):
                return (
                    f"it would be right if the {name} were {how}. The backward must use it like the forward: "
                    f"windows · kernel in the forward is dz · kernelᵀ in the backward, for each position in the window."
                )
    return None


def _variants(kernel: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The kernel (window…, in, out), transposed and reversed in all ways that keep its shape."""
    if kernel.ndim < 2:
        return
    square = kernel.shape[-1] == kernel.shape[-2]
    for axes in [(), *_subsets(axis for axis in range(kernel.ndim - 2) if kernel.shape[axis] > 1)]:
        how = "" if not axes else "turned by 180°" if len(axes) == 2 else f"reversed along axis {axes[0]}"
        other = np.flip(kernel, axes)
        if axes:
            yield how, other
        if square:
            yield " and ".join(filter(None, (how, "transposed (in and out swapped)"))), other.swapaxes(-1, -2)


def without_activation(compared: Comparison) -> str | None:
    """A gradient that would be right without the activation."""
    if not isinstance(compared.function, LayerFunction) or compared.function.layer.activation == "linear":
        return None
    layer = compared.function.layer
    activation, layer.activation = layer.activation, "linear"
    try:
        expected = compared.true_gradient_now()
    finally:
        layer.activation = activation
    if not compared.alike(compared.found, expected):
        return None
    return f"it would be right without the {activation}: begin the backward with dz = dy · {activation}'(z)."


def factor_of_each_index(compared: Comparison) -> str | None:
    """A factor that varies along one axis only, such as a missing gamma."""
    if not compared.is_whole or compared.value.ndim < 2:
        return None
    for axis in reversed(range(compared.value.ndim)):
        found, expected = (
            np.moveaxis(array, axis, 0).reshape(compared.value.shape[axis], -1)
            for array in (compared.found_array, compared.expected_array)
        )
        if len(found) < 2 or found.shape[1] < 2:
            continue
        factors = (found * expected).sum(axis=1) / np.maximum((expected**2).sum(axis=1), 1e-300)
        if np.isclose(factors, 1).any() or not compared.alike(found, factors[:, None] * expected):
            continue
        listed = ", ".join(f"{factor:.4g}" for factor in factors[:4]) + (", …" if len(factors) > 4 else "")
        return (
            f"each {compared.axis_name(axis)} is off by a different factor ({listed}). "
            f"{_meaning_of_factors(factors, compared)}"
        )
    return None


def _meaning_of_factors(factors: np.ndarray, compared: Comparison) -> str:
    for name, array in compared.function.arrays.items():
        if array.shape == factors.shape and np.allclose(factors * array, 1):
            return f"It is 1 / {name}: a factor {name} is missing."
        if array.shape == factors.shape and np.allclose(factors, array):
            return f"It is {name}: it is applied once too often."
    return "Which array has one value for each of them? It is missing, or it is applied twice."


# right in some places only


def wrong_at_the_border(compared: Comparison) -> str | None:
    """A gradient that is right inside the image and wrong at its border."""
    if not (compared.is_whole and compared.is_input) or compared.value.ndim < 3:
        return None
    spatial = range(1, compared.value.ndim - 1)
    lengths = [compared.value.shape[axis] for axis in spatial]
    for width in range(1, (max(lengths) + 1) // 2):
        inside = tuple(slice(width, length - width) if length > 1 else slice(None) for length in lengths)
        interior = compared.wrong[(slice(None), *inside)]
        sides = [side for axis in spatial for side in _wrong_sides(compared, axis, width)]
        if sides and interior.size and not interior.any():
            return (
                f"it is right inside and wrong within {width} of the border ({', '.join(sides)}): "
                f"the padding, or windows that don't fit evenly. Exactly the padding must be removed again, and a mean "
                f"over a window there has fewer pixels."
            )
    return None


def _wrong_sides(compared: Comparison, axis: int, width: int) -> Iterator[str]:
    """The ends of an axis where most entries are wrong."""
    wrong = np.moveaxis(compared.wrong, axis, 0)
    for end, strip in (("first", wrong[:width]), ("last", wrong[len(wrong) - width :])):
        if strip.mean() > 0.5:
            yield f"the {end} {compared.axis_name(axis)}{'s' if width > 1 else ''}"


def wrong_at_some_indices(compared: Comparison) -> str | None:
    """A gradient that is right only for some samples, channels, rows…"""
    if not compared.is_whole:
        return None
    for axis, length in enumerate(compared.value.shape):
        bad = np.flatnonzero(np.moveaxis(compared.wrong, axis, 0).reshape(length, -1).any(axis=1))
        if 0 < len(bad) < length:
            name = compared.axis_name(axis)
            return (
                f"it is right for {length - len(bad)} of {length} {name}s and wrong for {name} "
                f"{', '.join(map(str, bad[:6]))}{', …' if len(bad) > 6 else ''}. What is special about these? A loop "
                f"that stops early or an index that does not advance has this effect."
            )
    return None


def wrong_on_one_side_of_zero(compared: Comparison) -> str | None:
    """A gradient that is wrong where x is negative and right where it is positive, or the other way round."""
    if not (compared.is_whole and compared.is_input):
        return None
    for side, there in (("x < 0", compared.value < 0), ("x > 0", compared.value > 0)):
        if compared.wrong.sum() > 1 and np.array_equal(compared.wrong, there):
            return f"it is wrong where {side}, and only there: the derivative of that branch of the function."
    return None


def anything_else(compared: Comparison) -> str:
    """No pattern: report the largest error, and how to continue."""
    worst = int(np.abs(compared.found - compared.expected).argmax())
    index = np.unravel_index(compared.entries[worst], compared.value.shape)
    tolerance = compared.method.tolerance * np.abs(compared.expected).max() + compared.noise
    off = np.abs(compared.found - compared.expected) > tolerance
    return (
        f"{off.sum()} of {off.size} entries are wrong, the largest error is at {_index(index)}: "
        f"{compared.found[worst]:.6g} instead of {compared.expected[worst]:.6g}. No common mistake explains it. Make "
        f"the case smaller (one sample, one channel, a linear activation) until it is right: the last thing that you "
        f"removed contains the mistake."
    )


CAUSES: Sequence[Callable[[Comparison], str | None]] = (
    never_set,
    of_another_shape,
    not_finite,
    all_zeros,
    something_for_nothing,
    sign_flipped,
    constant_factor,
    without_dy,
    axes_swapped,
    turned,
    shifted,
    one_sample_alone,
    own_output_alone,
    path_through_softmax_sum,
    path_through_statistics,
    as_if_kernel_were_another,
    without_activation,
    factor_of_each_index,
    wrong_at_the_border,
    wrong_at_some_indices,
    wrong_on_one_side_of_zero,
    anything_else,
)


def _subsets(axes: Iterator[int]) -> Iterator[tuple[int, ...]]:
    """All non-empty subsets, smaller ones first."""
    known = list(axes)
    return (subset for count in range(1, len(known) + 1) for subset in combinations(known, count))


def _index(index: Sequence[int] | np.ndarray) -> str:
    return f"({', '.join(str(int(i)) for i in index)})"
