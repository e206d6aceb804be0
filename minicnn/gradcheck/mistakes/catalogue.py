"""What an entry of the catalogue is, and how entries are written and found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..known import Operation

Array = np.ndarray


@dataclass(frozen=True)
class Mistake:
    """A usual mistake in a backward, with the wrong gradient that it gives."""

    name: str
    """Its identifier: "convolution.dx-assigned"."""
    of: tuple[type[Operation], ...]
    """The operations in whose backward it is made; empty if in any."""
    role: str | None
    """The gradient that it spoils: "x", "kernel", …; None if any."""
    code: Callable[..., Array]
    sentence: str
    """What was done, in one sentence."""
    formula: str
    """The right formula, in one line."""
    experiment: str
    """What to try next."""
    acts_on: str = "operation"
    """What the code gets: the "operation" and dy; or, for any function, "dy", or the right "gradient", and the case."""
    variant: Any = None

    def __str__(self) -> str:
        return self.sentence

    @property
    def explanation(self) -> str:
        """The sentence, the formula and the next experiment."""
        return f"{self.sentence} Right: {self.formula}. {self.experiment}"


@dataclass(frozen=True)
class Case:
    """What an entry for any function may use: one gradient of one function on one probe."""

    argument: str
    arrays: dict[str, Array]
    y: Array
    dy: Array
    true: Callable[[str, Array], Array]
    """The right gradient with respect to an argument, for any dy."""

    @property
    def value(self) -> Array:
        return self.arrays[self.argument]

    @property
    def N(self) -> int:
        return len(next(iter(self.arrays.values())))


CATALOGUE: list[Mistake] = []
"""All entries, in the order of their files."""


def mistake(
    *,
    formula: str,
    experiment: str,
    of: Sequence[type[Operation]] = (),
    gradient: str | None = None,
    acts_on: str = "operation",
    variants: Sequence[Any] = (None,),
) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Put a function into the catalogue: its code is the mistake, its docstring the sentence.

    It returns the wrong gradient from (operation, dy); with acts_on="dy" the wrong dy from (dy, case), with
    acts_on="gradient" the wrong gradient from (right gradient, case). With variants, each is one entry: the function
    gets it as a further argument, and the sentence may name it: {variant}.
    """

    def enter(code: Callable[..., Array]) -> Callable[..., Array]:
        family = code.__module__.rpartition(".")[2]
        words = " ".join((code.__doc__ or "").split())
        for variant in variants:
            end = "" if variant is None else f" {variant}".replace("-", "minus ")
            name = f"{family}.{re.sub(r'[^²³√σˣ.0-9a-zA-Z]+', '-', code.__name__ + end).strip('-')}"
            sentence = words if variant is None else words.format(variant=variant)
            CATALOGUE.append(Mistake(name, tuple(of), gradient, code, sentence, formula, experiment, acts_on, variant))
        return code

    return enter


def of_operation(mistake: Mistake, operation: Operation, dy: Array) -> Array:
    """The wrong gradient, canonical, that an entry for known operations gives. May raise ValueError or IndexError."""
    further = () if mistake.variant is None else (mistake.variant,)
    return mistake.code(operation, dy, *further)


def of_case(mistake: Mistake, case: Case) -> Array:
    """The wrong gradient that an entry for any function gives. May raise ValueError or IndexError."""
    further = () if mistake.variant is None else (mistake.variant,)
    if mistake.acts_on == "dy":
        changed = mistake.code(case.dy, case, *further)
        if changed.shape != case.dy.shape:
            raise ValueError("not of y's shape")
        return case.true(case.argument, changed)
    return mistake.code(case.true(case.argument, case.dy), case, *further)


def entries(operation: Operation | None = None, role: str | None = None) -> Iterator[Mistake]:
    """The entries that may explain this gradient of this operation; those for any function if None."""
    for entry in CATALOGUE:
        if not entry.of or (operation is not None and isinstance(operation, entry.of) and entry.role in (None, role)):
            yield entry
