"""What a network is given: one array, or one for each of its inputs, of the shapes that it expects."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from . import arguments
from .backends.contract import Array
from .errors import explain, shown

Shape = tuple["int | None", ...]


def input_names(count: int) -> tuple[str, ...]:
    """The names of so many inputs that were given none: "input", or "input_1", "input_2", …"""
    return ("input",) if count == 1 else tuple(f"input_{number}" for number in range(1, count + 1))


def shapes_in(given: Any) -> list[Any]:
    """The shapes in a description: one, or a list of several inputs' shapes."""
    return given if any(isinstance(one, (list, tuple)) for one in given) else [given]


def in_their_order(where: str, names: Sequence[str], x: Any) -> Any:
    """What is given for the inputs of these names: for one, x itself; for several, the list in their order.

    x may be a dict by the inputs' names, which may have others, too. Raises TypeError or ValueError if one is missing.
    """
    if isinstance(x, dict):
        missing = [name for name in names if name not in x]
        if missing:
            expected = f"a dict with {', '.join(map(repr, names))}"
            found = f"one with {', '.join(map(repr, x))}" if x else "an empty one"
            raise ValueError(explain(where, expected, found, "Name them Input(shape, name=…), or give a list."))
        x = [x[name] for name in names]
        return x if len(names) > 1 else x[0]
    if len(names) == 1:
        return x
    expected, remedy = f"a list of {len(names)} arrays, for {', '.join(names)}", "A dict by their names will do, too."
    if not isinstance(x, (list, tuple)):
        found = f"one of shape {tuple(x.shape)}" if hasattr(x, "shape") else shown(x)
        raise TypeError(explain(where, expected, found, remedy))
    if len(x) != len(names):
        raise ValueError(explain(where, expected, f"{len(x)}", remedy))
    return list(x)


def as_input(where: str, x: Any, shape: Shape | None, dtype: Any) -> Array:
    """x as an array with as many axes as `shape`: as in Keras, a last axis of length 1 is added to x or removed from it
    if it then fits, and a list of one array is that array. Raises TypeError or ValueError, naming `where`, for anything
    but numbers.
    """
    alone = isinstance(x, (list, tuple)) and len(x) == 1
    x = arguments.array(where, "x", x, dtype)
    if shape is None or len(x.shape) == len(shape):
        return x
    if alone and fits(x.shape[1:], shape):
        return x[0]
    if fits((*x.shape, 1), shape):
        return x[..., None]
    return x[..., 0] if x.shape[-1:] == (1,) and fits(x.shape[:-1], shape) else x


def check_input(where: str, x: Array, shape: Shape | None) -> None:
    """Raise ValueError unless x is a batch of samples of this shape."""
    if len(x.shape) < 2:
        remedy = "Add the batch axis: x[numpy.newaxis]."
        raise ValueError(explain(where, "input of shape (batch, …)", f"shape {tuple(x.shape)}", remedy))
    if shape is None or fits(x.shape, shape):
        return
    expected = ("batch", *("any" if length is None else length for length in shape[1:]))
    expected_shape = f"input of shape ({', '.join(map(str, expected))})"
    raise ValueError(explain(where, expected_shape, f"shape {tuple(x.shape)}", _remedy(tuple(x.shape), shape)))


def _remedy(found: tuple[int, ...], shape: Shape) -> str:
    """What to do about an array of this shape that does not fit."""
    sample, known = shape[1:], [length for length in shape[1:] if length is not None]
    if sample in (found, (*found, 1)):
        return "This is one sample. Add the batch axis: x[numpy.newaxis]."
    if len(found) > 2 and fits((found[0], *found[2:], found[1]), shape):
        return "Arrays are channels last: numpy.moveaxis(x, 1, -1)."
    if len(found) > 2 and fits((found[0], found[-1], *found[1:-1]), shape):
        return f"Arrays are channels last: give the model the input shape {found[1:]}."
    if len(known) == len(sample) and prod(found[1:]) == prod(known):
        return f"Reshape the samples: x.reshape({', '.join(map(str, (-1, *sample)))})."
    return f"Resize the samples, or give the model their shape, {found[1:]}, as its input shape."


def check_samples_alike(where: str, names: Sequence[str], x: Sequence[Array]) -> None:
    """Raise ValueError unless the arrays of all inputs have as many samples."""
    for name, one in zip(names, x, strict=True):
        if one.shape[:1] != x[0].shape[:1]:
            expected = f"{len(x[0])} samples, as for input {names[0]!r}"
            found, remedy = f"shape {tuple(one.shape)}", "Row k of every input belongs to sample k: pair them up again."
            raise ValueError(explain(f"{where}, input {name!r}", expected, found, remedy))


def fits(shape: Sequence[int], expected: Shape) -> bool:
    """Whether an array of this shape is a batch of the expected shape, in which None stands for any length."""
    return len(shape) == len(expected) and all(
        length in (None, found) for length, found in zip(expected, shape, strict=True)
    )
