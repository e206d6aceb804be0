"""The protocol: the rules that every forward and backward must keep."""

from __future__ import annotations

import numpy as np

from ..backends import to_host
from .functions import Function, Gradients


def nothing_overwritten(function: Function, dy: np.ndarray) -> str | None:
    """x, dy and the parameters belong to the caller: forward and backward must not write to them."""
    handed_dy = dy.copy()
    function.forward(function.arrays)
    by_forward = overwritten(function)
    function.backward(handed_dy)
    by_backward = [name for name in overwritten(function) if name not in by_forward]
    by_backward += [] if same(handed_dy, dy) else ["dy"]
    for step, names in (("forward", by_forward), ("backward", by_backward)):
        if names:
            return (
                f"{step} writes into {' and '.join(names)}, which the caller may still need. Make a new array instead: "
                f"x * 2 rather than x *= 2, or start with a copy()."
            )
    return None


def same_again(function: Function, dy: np.ndarray) -> str | None:
    """Repeating the same forward and backward gives the same result."""
    function.clear_gradients()
    first_y, first = run(function, dy)
    second_y, second = run(function, dy)
    if not alike(first_y, second_y):
        return (
            "the second forward of the same x gives another y. The layer has a state or draws random numbers: put that "
            "state into get_state and set_state, so that it can be restored."
        )
    for name, gradient in first.items():
        again = second[name]
        if gradient is None or again is None or alike(gradient, again):
            continue
        doubled = ", twice the first: it accumulates" if alike(again, 2 * gradient) else ""
        return (
            f"the second backward of the same dy gives another {function.quantity(name)}{doubled}. "
            f"A gradient belongs to one batch: set it (grad = …), don't add to the last one (grad += …)."
        )
    return None


def linear_in_dy(function: Function, dy: np.ndarray) -> str | None:
    """A backward is a product with a Jacobian: backward(dy − 3·other) = backward(dy) − 3·backward(other)."""
    other = np.cos(np.arange(dy.size)).reshape(dy.shape)
    (_, of_dy), (_, of_other), (_, of_both) = (run(function, upstream) for upstream in (dy, other, dy - 3 * other))
    for name, both in of_both.items():
        one, two = of_dy[name], of_other[name]
        if both is None or one is None or two is None:
            continue
        if not alike(both, one - 3 * two):
            ignores = " It does not depend on dy at all." if alike(one, two) else ""
            return (
                f"{function.quantity(name)} is not linear in dy.{ignores} By the chain rule it is dy times derivatives "
                f"that depend on the forward only: use conditions on x or y (dy * (y > 0)), never on dy (dy > 0)."
            )
    return None


def results_left_alone(function: Function, dy: np.ndarray) -> str | None:
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
        return (
            f"the next batch overwrites {' and '.join(changed)} of this one. Return new arrays instead of a reused "
            f"buffer, and make a new grad instead of writing to the old one."
        )
    return None


def same_without_dx(function: Function, dy: np.ndarray) -> str | None:
    """need_dx=False, as for a model's first layer, does not change the parameters' gradients."""
    _, full = run(function, dy)
    function.forward(function.arrays)
    partial = function.backward(dy, need_dx=False)
    for name, gradient in full.items():
        other = partial[name]
        if name != "x" and gradient is not None and (other is None or not alike(gradient, other)):
            return (
                f"backward(dy, need_dx=False) gives another {function.quantity(name)}. It may skip only dx, "
                f"not the parameters' gradients."
            )
    return None


RULES = {
    "nothing overwritten": nothing_overwritten,
    "same when repeated": same_again,
    "linear in dy": linear_in_dy,
    "results left alone": results_left_alone,
    "same without dx": same_without_dx,
}
"""Every rule by its name in the report. After the first broken rule, the others are not checked."""


def rules_for(function: Function) -> list[str]:
    """The rules that apply to this function."""
    excluded = set() if function.takes_dy else {"linear in dy"}
    if not getattr(function, "parameters", None):
        excluded.add("same without dx")
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


def alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are equal up to rounding (threads may add in another order)."""
    if a.shape != b.shape:
        return False
    a, b = (np.nan_to_num(array, posinf=0, neginf=0) for array in (a, b))  # NaN has its own diagnosis
    scale = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    return bool(np.abs(a - b).max(initial=0) <= 1e-11 * scale)
