"""The protocol: the rules that every forward and backward must keep."""

from __future__ import annotations

from copy import copy

import numpy as np

from ..backends import to_host
from .comparison import Comparison
from .diagnosis import MOST_DIFFERENTIATED, Diagnosis, Investigation
from .functions import Function, Gradients
from .known.pooling import MaxPooling
from .mistakes import CATALOGUE
from .probes import Probe, generic_probe, known_operation, mixed, of_another_size, of_other_labels
from .probes import run as run_probe

ROUNDING = 1e-11
"""Two results are equal up to rounding if they differ by at most this much of the largest entry."""

SINGLE_ROUNDING = 1e-4
"""The same for float32."""

FEW = 12
"""Entries of each array that are differentiated on a second batch."""


def nothing_overwritten(function: Function, dy: np.ndarray) -> Diagnosis | None:
    """x, dy and the parameters belong to the caller: forward and backward must not write to them."""
    handed_dy = dy.copy()
    function.forward(function.arrays)
    by_forward = overwritten(function)
    function.backward(handed_dy)
    by_backward = [name for name in overwritten(function) if name not in by_forward]
    by_backward += [] if same(handed_dy, dy) else ["dy"]
    for step, names in (("forward", by_forward), ("backward", by_backward)):
        if names:
            return Diagnosis(
                f"{step} writes into {' and '.join(names)}, which the caller may still need. Make a new array instead: "
                f"x * 2 rather than x *= 2, or start with a copy().",
                ("protocol.overwrites",),
            )
    return None


def same_again(function: Function, dy: np.ndarray) -> Diagnosis | None:
    """Repeating the same forward and backward gives the same result."""
    runs = repeated(function, dy)
    if not alike(runs[0][0], runs[1][0]):
        return Diagnosis(
            "the second forward of the same x gives another y. The layer has a state or draws random numbers: put that "
            "state into get_state and set_state, so that it can be restored.",
            ("protocol.forward-not-repeatable",),
        )
    return next((change for name in function.arrays if (change := changes(function, runs, name))), None)


def repeated(function: Function, dy: np.ndarray) -> list[tuple[np.ndarray, Gradients]]:
    """The results of the same forward and backward, three times."""
    function.clear_gradients()
    return [run(function, dy) for _ in range(3)]


def changes(function: Function, runs: list[tuple[np.ndarray, Gradients]], name: str) -> Diagnosis | None:
    """Whether one gradient changes when forward and backward are repeated."""
    gradient, again, third = (gradients[name] for _, gradients in runs)
    if gradient is None or again is None or third is None or alike(gradient, again):
        return None
    if gradient.shape == again.shape == third.shape and alike(third - again, again - gradient, SINGLE_ROUNDING):
        return Diagnosis(
            f"each backward of the same dy adds the same to {function.quantity(name)}: it accumulates. A gradient "
            f"belongs to one batch: set it (grad = …), do not add (grad += …).",
            ("protocol.accumulates",),
        )
    return Diagnosis(
        f"the second backward of the same dy gives another {function.quantity(name)}. The backward has a state or "
        f"draws random numbers: a mask that is drawn anew in the backward is not the forward's.",
        ("protocol.backward-not-repeatable",),
    )


def linear_in_dy(function: Function, dy: np.ndarray) -> Diagnosis | None:
    """A backward is a product with a Jacobian: backward(dy − 3·other) = backward(dy) − 3·backward(other)."""
    other = np.cos(np.arange(dy.size)).reshape(dy.shape)
    (_, of_dy), (_, of_other), (_, of_both) = (run(function, upstream) for upstream in (dy, other, dy - 3 * other))
    for name, both in of_both.items():
        one, two = of_dy[name], of_other[name]
        if both is None or one is None or two is None or alike(both, one - 3 * two, SINGLE_ROUNDING):
            continue
        hint, cause = _why_not_linear(function, name, dy, one, two, both)
        return Diagnosis(f"{function.quantity(name)} is not linear in dy. {hint}", (cause,))
    return None


def _why_not_linear(
    function: Function, name: str, dy: np.ndarray, one: np.ndarray, two: np.ndarray, both: np.ndarray
) -> tuple[str, str]:
    """What a gradient that is not linear in dy shows, if it shows anything."""
    rule = "By the chain rule it is dy times derivatives that depend on the forward only."
    if alike(one, two):
        return f"It does not depend on dy at all. {rule}", "shapes.dy-not-used"
    if all((np.trunc(g) == g).all() for g in (one, two, both)):
        return "It has whole numbers only: it is stored in an array of integers.", "shapes.cast-to-integers"
    _, tiny = run(function, 1e-6 * dy)
    _, twice = run(function, 2e-6 * dy)
    small, double = tiny[name], twice[name]
    assert small is not None
    assert double is not None
    if alike(double, 2 * small, 1e-9) and not alike(1e6 * small, one, 1e-6):
        return "It is for small dy only: large values are cut off. Clip in the optimiser.", "shapes.clipped"
    _, minus = run(function, -dy)
    negative = minus[name]
    assert negative is not None
    if not alike(negative, -one, 1e-9) and alike(double, 2 * small, 1e-9):
        return (
            f"The sign of dy decides: {rule} Use conditions on x or y (dy * (y > 0)), never on dy (dy > 0).",
            "shapes.masked-by-dy",
        )
    return rule, "protocol.not-linear"


def results_left_alone(function: Function, dy: np.ndarray) -> Diagnosis | None:
    """The next batch must not change the arrays that one batch returned."""
    y = function.forward(function.arrays)
    gradients = function.backward(dy)
    kept = {"y": y, **{function.quantity(name): g for name, g in gradients.items() if g is not None}}
    copies = {name: array.copy() for name, array in kept.items()}
    first = next(iter(function.arrays))
    function.forward({**function.arrays, first: 0.7 * function.arrays[first]})
    function.backward(0.7 * dy)
    changed = [name for name, array in kept.items() if not same(array, copies[name])]
    if changed:
        return Diagnosis(
            f"the next batch overwrites {' and '.join(changed)} of this one. Return new arrays instead of a reused "
            f"buffer, and make a new grad instead of writing to the old one.",
            ("protocol.reuses-a-buffer",),
        )
    return None


def same_without_dx(function: Function, dy: np.ndarray) -> Diagnosis | None:
    """need_dx=False, as for a model's first layer, does not change the parameters' gradients."""
    function.clear_gradients()
    _, full = run(function, dy)
    function.clear_gradients()  # else an early return would leave the right ones
    function.forward(function.arrays)
    partial = function.backward(dy, need_dx=False)
    for name, gradient in full.items():
        other = partial[name]
        if name not in function.skippable and gradient is not None and (other is None or not alike(gradient, other)):
            left = " It is not set at all: the backward returns too early." if other is None or not other.any() else ""
            return Diagnosis(
                f"backward(dy, need_dx=False) gives another {function.quantity(name)}.{left} It may skip only dx, "
                f"not the parameters' gradients.",
                ("protocol.early-return-without-dx",),
            )
    return None


def of_this_batch(function: Function, dy: np.ndarray) -> Diagnosis | None:
    """The gradients of further batches are those of these batches: one like the given arrays, one that hides nothing,
    if there is a single sample, one of two, one of other labels, and those of opposite signs that give the same y."""
    rng = np.random.default_rng(11)
    like = run_probe(function, mixed(function.arrays, rng), None, rng)
    generic = generic_probe(function, function.arrays, rng)
    two = _of_two(function, generic)
    largest = two or generic
    relabelled = of_other_labels(largest) if largest is not None else None
    further = [probe for probe in (like, generic, two, relabelled) if probe is not None]
    first = Probe(function, dict(function.arrays), np.array(function.forward(function.arrays)), dy, {})
    for name in function.arrays:
        wrong = [probe for probe in further if probe.found[name] is not None and not _is_right(probe, name)]
        if not wrong:
            continue
        found = _diagnosed(wrong[-1], name)
        if not found.causes and all(_is_of(first, probe, name) for probe in further):
            return Diagnosis(
                f"{function.quantity(name)} of a second batch is that of the first one: what the forward keeps for the "
                f"backward is not replaced. Keep x and y anew in every forward.",
                ("protocol.stale-cache",),
            )
        return Diagnosis(
            f"{function.quantity(name)} is right for the given arrays and wrong for others: {found.text}",
            found.causes,
        )
    return _sign_missing(largest) if largest is not None else None


def _sign_missing(probe: Probe) -> Diagnosis | None:
    """If y is the same for an array and its negative, as in x · |w|, the gradients are right for both."""
    for name, array in probe.arrays.items():
        negated = run_probe(probe.function, {**probe.arrays, name: -array}, probe.dy, None)
        if negated is None or not same(negated.y, probe.y):
            continue
        for argument, found in negated.found.items():
            if found is not None and not _is_right(negated, argument):
                return Diagnosis(
                    f"{probe.function.quantity(argument)} is right for the given {name} and wrong for −{name}, "
                    f"although y is the same for both, as in |{name}| and {name}². Look in the backward for {name} "
                    f"where |{name}| is meant, and for a derivative without its sign."
                )
    return None


def _of_two(function: Function, generic: Probe | None) -> Probe | None:
    """If there is a single sample, a probe of two."""
    if generic is None or len(next(iter(generic.arrays.values()))) > 1:
        return None
    rng = np.random.default_rng(12)
    resized = (generic_probe(other, arrays, rng) for other, arrays in of_another_size(function, generic.arrays))
    return next((probe for probe in resized if probe is not None and probe.uses_last_sample()), None)


def _is_of(first: Probe, later: Probe, name: str) -> bool:
    """Whether a later batch's gradient is that of the first one, and not dy itself: that is right where y = x."""
    found = later.found[name]
    if found is None or later.dy.shape != first.y.shape or found.shape != first.arrays[name].shape:
        return False
    is_dy = found.shape == later.dy.shape and alike(found, later.dy, SINGLE_ROUNDING)
    differentiable = first.differentiate(name, np.arange(found.size)[:FEW]).exists(later.dy).any()
    return bool(differentiable and found.any()) and not is_dy and _is_right(first, name, found, later.dy)


def _diagnosed(probe: Probe, name: str) -> Diagnosis:
    """What is wrong with a gradient on a probe's arrays."""
    function = copy(probe.function)
    function.arrays = probe.arrays
    entries = np.arange(probe.arrays[name].size)[:MOST_DIFFERENTIATED]
    compared = Comparison(function, name, "central", probe.y, probe.dy, probe.found[name], entries)
    return Investigation(function, probe.y, probe.dy, probe.found, {name: compared}).diagnose(name)


def ties_shared(function: Function, dy: np.ndarray) -> Diagnosis | None:
    """Max pooling: if all of a window's entries grow by 1, so does its maximum. So dx sums to dy, at ties, too."""
    rng = np.random.default_rng(13)
    probe = run_probe(function, mixed(function.arrays, rng), None, rng)
    if probe is None:
        return None
    known = known_operation(function, [probe])
    if known is None or not isinstance(probe.operation, MaxPooling):
        return None
    (name,) = probe.arrays
    tied = run_probe(function, {name: np.round(probe.arrays[name] / (2 * np.std(probe.arrays[name])))}, None, rng)
    if tied is None or not tied.know(known) or (found := tied.found[name]) is None:
        return None
    view = known.roles[name][1]
    given, returned = known.y.to(tied.dy).sum(axis=(1, 2)), view.to(found).sum(axis=(1, 2))
    if alike(given, returned, SINGLE_ROUNDING):
        return None
    entry = next(entry for entry in CATALOGUE if entry.name == "pooling.all-ties")
    wrong = tied.wrong(entry, name)
    if wrong is not None and alike(wrong, found, SINGLE_ROUNDING):
        return Diagnosis(entry.explanation, (entry.name,))
    return Diagnosis(
        "with equal entries in a window, dx does not sum to dy: all entries of a window grow by 1 together, and its "
        "maximum with them.",
        ("pooling.ties-do-not-sum",),
    )


def _is_right(probe: Probe, name: str, found: np.ndarray | None = None, dy: np.ndarray | None = None) -> bool:
    """Whether this is the right gradient on a probe: the known operation's, or the numerical one at some entries."""
    found, dy = probe.found[name] if found is None else found, probe.dy if dy is None else dy
    assert found is not None
    known_operation(probe.function, [probe])
    entries = np.arange(found.size)[:: max(1, found.size // FEW)]
    if probe.recognised is not None:
        true = probe.true(name, dy)
        if alike(found, true, SINGLE_ROUNDING):
            return True
        entries = np.argsort(np.abs(found - true), axis=None)[-FEW:]  # those in doubt
    derivatives = probe.differentiate(name, entries)
    off = np.abs(derivatives.gradient(dy) - found.ravel()[entries])
    bound = 8 * derivatives.error(dy) + SINGLE_ROUNDING * derivatives.size(dy).max(initial=0)
    return not (derivatives.exists(dy) & (off > bound)).any()


def saved_is_set(function: Function, dy: np.ndarray) -> Diagnosis | None:
    """A layer's call keeps what its backward needs in self.saved."""
    function.forward(function.arrays)
    missing = [layer for layer in function.layers if getattr(layer, "saved", ()) is None]
    if missing:
        return Diagnosis(
            f"call does not set self.saved, so a network refuses {missing[0]}'s backward. Set it in call, to () if "
            f"nothing is kept.",
            ("protocol.saved-not-set",),
        )
    return None


RULES = {
    "nothing overwritten": nothing_overwritten,
    "same when repeated": same_again,
    "linear in dy": linear_in_dy,
    "results left alone": results_left_alone,
    "of this batch": of_this_batch,
    "ties shared": ties_shared,
    "same without dx": same_without_dx,
    "saved is set": saved_is_set,
}
"""Every rule by its name in the report. After the first broken rule, the others are not checked."""


def rules_for(function: Function, right: bool) -> list[str]:
    """The rules that apply to this function; `right` tells whether its gradients are right on the first batch."""
    excluded = set() if function.takes_dy else {"linear in dy"}
    if not right or len(function.layers) > 1:
        excluded |= {"of this batch", "ties shared"}
    if len(function.arrays) > 1 or next(iter(function.arrays.values())).ndim < 3:
        excluded.add("ties shared")
    if not getattr(function, "parameters", None):
        excluded.add("same without dx")
    if not function.layers:
        excluded.add("saved is set")
    return [name for name in RULES if name not in excluded]


def run(function: Function, dy: np.ndarray) -> tuple[np.ndarray, Gradients]:
    """Copies of the results of a forward and a backward."""
    y = function.forward(function.arrays).copy()
    gradients = function.backward(dy.copy())
    return y, {name: None if gradient is None else gradient.copy() for name, gradient in gradients.items()}


def overwritten(function: Function) -> list[str]:
    return [name for name, array in function.arrays.items() if not same(to_host(function.handed[name]), array)]


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a, b, equal_nan=True)


def alike(a: np.ndarray, b: np.ndarray, rounding: float = ROUNDING) -> bool:
    """Whether two arrays are equal up to rounding (threads may add in another order)."""
    if a.shape != b.shape:
        return False
    a, b = (np.nan_to_num(array, posinf=0, neginf=0) for array in (a, b))  # NaN has its own diagnosis
    scale = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    return bool(np.abs(a - b).max(initial=0) <= rounding * scale)
