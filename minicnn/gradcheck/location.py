"""Where a gradient is wrong, if the cause is not known: facts about the wrong entries, and the smallest case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from . import numerical
from .comparison import Comparison
from .functions import Function
from .probes import run

AXES_OF_INPUTS = {
    2: ("sample", "feature"),
    3: ("sample", "step", "channel"),
    4: ("sample", "row", "column", "channel"),
}
AXES_OF_KERNELS = {
    2: ("input", "output"),
    3: ("step", "input channel", "filter"),
    4: ("row", "column", "input channel", "filter"),
}

TRIES = 40
"""Most smaller cases that are tried."""


def describe(compared: Comparison) -> str:
    """Where the gradient is wrong, in one or two sentences."""
    if not compared.is_whole:
        return largest_error(compared)
    found = [sentence for sentence in (_beside_zero(compared), *_indices(compared), _outputs(compared)) if sentence]
    return " ".join([largest_error(compared), *found[:2]])


def largest_error(compared: Comparison) -> str:
    """How many entries are wrong, and the largest error."""
    off = compared.off > compared.tolerance
    worst = int(compared.off.argmax())
    index = np.unravel_index(compared.entries[worst], compared.value.shape)
    ratio = compared.found[worst] / compared.expected[worst] if compared.expected[worst] else np.inf
    times = f", {ratio:.4g} times" if np.isfinite(ratio) else ""
    return (
        f"{off.sum()} of {off.size} entries are wrong, the largest error is at {index_text(index)}: "
        f"{compared.found[worst]:.6g} instead of {compared.expected[worst]:.6g}{times}."
    )


def _beside_zero(compared: Comparison) -> str | None:
    """Wrong where x is negative and right where it is positive, or the other way round."""
    if not compared.is_input:
        return None
    exists = compared.exists.reshape(compared.value.shape)
    for side, there in (("x < 0", compared.value < 0), ("x > 0", compared.value > 0)):
        is_side = np.array_equal(compared.wrong, there & exists)
        if compared.wrong.sum() > 1 and is_side and (exists & ~compared.wrong).any():
            return f"It is wrong where {side}, and only there: look at the derivative of that branch."
    return None


def _indices(compared: Comparison) -> Iterator[str]:
    """Wrong at some indices of an axis only: the border, one channel, one sample."""
    for axis, length in enumerate(compared.value.shape):
        bad = np.flatnonzero(np.moveaxis(compared.wrong, axis, 0).reshape(length, -1).any(axis=1))
        if not 0 < len(bad) < length:
            continue
        name = axis_name(compared, axis)
        border = set(bad) <= {0, 1, length - 2, length - 1} and length > 4 and compared.value.ndim > 2
        shown = ", ".join(map(str, bad[:6])) + (", …" if len(bad) > 6 else "")
        where = "only near the border, at" if border and axis in (1, 2) else "only at"
        yield f"It is wrong {where} {name} {shown} of 0 … {length - 1}."


def _outputs(compared: Comparison) -> str | None:
    """Whether the wrong entries are those on which several outputs depend."""
    if not compared.is_input or compared.value.ndim < 3:
        return None
    users = (np.abs(compared.derivatives.values).reshape(compared.value.size, -1) > 0).sum(axis=1)
    shared = (users > max(1, users.min())).reshape(compared.value.shape)
    if compared.wrong.any() and shared.any() and not shared.all() and not (compared.wrong & ~shared).any():
        return "It is wrong only where windows overlap, at entries on which more than one output depends."
    return None


def axis_name(compared: Comparison, axis: int) -> str:
    """The name of an axis: sample, row, … for channels last; its number for other layouts."""
    rank = compared.value.ndim
    layered = bool(compared.function.layers)
    if compared.is_input and (layered or axis == 0) and rank in AXES_OF_INPUTS:
        return AXES_OF_INPUTS[rank][axis]
    if layered and not compared.is_input and rank in AXES_OF_KERNELS:
        return AXES_OF_KERNELS[rank][axis]
    return f"axis-{axis} index"


def index_text(index: Sequence[int] | np.ndarray) -> str:
    return f"({', '.join(str(int(i)) for i in index)})"


# the smallest case


def smallest_case(function: Function, argument: str) -> str:
    """Make the arrays smaller, and their entries simpler, as long as the gradient stays wrong."""
    arrays = {name: array.copy() for name, array in function.arrays.items()}
    if not _fails(function, arrays, argument):
        return ""
    tries = 0
    shrunk = True
    while shrunk and tries < TRIES:
        shrunk = False
        for smaller in _smaller(arrays):
            tries += 1
            if tries > TRIES:
                break
            if _fails(function, smaller, argument):
                arrays, shrunk = smaller, True
                break
    shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    if all(array.shape == function.arrays[name].shape for name, array in arrays.items()):
        return ""
    return f" The smallest case that still fails has {shapes}: start there."


def _smaller(arrays: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """The arrays with all axes of one length shortened, to 1, to a half, by one: axes that belong together stay
    equal."""
    lengths = sorted({length for array in arrays.values() for length in array.shape if length > 1}, reverse=True)
    for length in lengths:
        for new in dict.fromkeys((1, length // 2, length - 1)):
            if new and new < length:
                yield {name: _cut(array, length, new) for name, array in arrays.items()}
    for name, array in arrays.items():
        for axis, length in enumerate(array.shape):
            if length > 1:
                yield {**arrays, name: np.take(array, range(length - 1), axis=axis)}


def _cut(array: np.ndarray, length: int, new: int) -> np.ndarray:
    return array[tuple(slice(new) if n == length else slice(None) for n in array.shape)].copy()


def _fails(function: Function, arrays: dict[str, np.ndarray], argument: str) -> bool:
    """Whether the gradient is wrong on these arrays, at some of up to 6 entries."""
    rng = np.random.default_rng(7)
    probe = run(function, arrays, None, rng)
    if probe is None or (found := probe.found[argument]) is None or not probe.y.size:
        return False
    entries = np.sort(rng.permutation(found.size)[:6])

    def forward(array: np.ndarray) -> np.ndarray:
        return function.forward({**arrays, argument: array})

    try:
        derivatives = numerical.differences(forward, arrays[argument], entries)
    except Exception:  # the user's code may raise anything for arrays that it was not written for
        return False
    off = np.abs(derivatives.gradient(probe.dy) - found.ravel()[entries])
    size = derivatives.size(probe.dy).max(initial=0)
    return bool((derivatives.exists(probe.dy) & (off > 8 * derivatives.error(probe.dy) + 1e-6 * size)).any())
