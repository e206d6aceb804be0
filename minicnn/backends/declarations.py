"""The declarations of arrays in the contract, parsed from the strings of `contract.shapes`."""

from __future__ import annotations

from typing import Any, NamedTuple

KINDS = {"floating": "fc", "integers": "iu", "reals": "biuf", "numbers": "biufc"}
"""NumPy's letters for the kinds of numbers that the contract names."""

Lengths = dict[str, Any]
"""The known lengths of axes by letter; for "...", a tuple of lengths."""


class Declared(NamedTuple):
    """An array, or a list of arrays, among the arguments of an operation."""

    argument: str
    alternatives: tuple[tuple[str, ...], ...]
    """The names of its axes; several tuples if several shapes are allowed."""
    kind: str = "floating"
    optional: bool = False
    or_number: bool = False
    in_place: bool = False
    below: str = ""
    """For indices: the argument that bounds them, a number or an array of that length."""

    @classmethod
    def parse(cls, argument: str, text: str) -> Declared:
        axes, *rest = (part.strip() for part in text.split(","))
        found: dict[str, Any] = {
            "optional": "or None" in rest,
            "or_number": "or a number" in rest,
            "in_place": "in place" in rest,
        }
        for kind, *below in (words.split() for words in rest if words.split()[0] in KINDS):
            found |= {"kind": kind, "below": below[-1] if below else ""}
        axes = "..." if axes == "y" else axes  # the forward has fixed y's axes
        return cls(argument, tuple(tuple(one.split()) for one in axes.split("|")), **found)

    @property
    def axes(self) -> tuple[str, ...]:
        return self.alternatives[0]

    def lengths(self, shape: tuple[int, ...], known: Lengths) -> Lengths | None:
        """The known lengths together with those of an array of this shape; None if it does not fit."""
        for axes in self.alternatives:
            found = _matched(axes, shape, known)
            if found is not None:
                return found
        return None

    def shape(self, known: Lengths) -> tuple[int, ...]:
        """The shape, from the lengths of all axes."""
        lengths: list[int] = []
        for axis in self.axes:
            lengths += known[axis] if axis == "..." else [sum(known[letter] for letter in axis.split("+"))]
        return tuple(lengths)

    def describe(self, known: Lengths) -> str:
        """The shape as text with the known lengths: (KH, KW, C = 3, F)."""
        return " or ".join(_described(axes, known) for axes in self.alternatives)


def _matched(axes: tuple[str, ...], shape: tuple[int, ...], known: Lengths) -> Lengths | None:
    if "..." in axes:
        before = axes.index("...")
        after = len(shape) - (len(axes) - before - 1)
        if after < before:
            return None
        lengths: tuple[Any, ...] = (*shape[:before], shape[before:after], *shape[after:])
    else:
        lengths = shape
    if len(axes) != len(lengths):
        return None
    found = dict(known)
    for axis, length in zip(axes, lengths, strict=True):
        if found.setdefault(axis, length) != length or (length == 0 and axis != "N"):
            return None
    return found


def _described(axes: tuple[str, ...], known: Lengths) -> str:
    words: list[str] = []
    for axis in axes:
        if axis == "..." and axis in known:
            words += map(str, known[axis])
        else:
            words.append(f"{axis} = {known[axis]}" if axis in known else axis)
    return f"({', '.join(words)}{',' * (len(words) == 1)})"
