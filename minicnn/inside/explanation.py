"""An explanation: the products that sum to one element, as text, as a table for notebooks, and as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from .products import Factor, Part

SHOWN = 12
"""How many products the text and the notebook's table list."""


class Term(NamedTuple):
    """One product."""

    value: float
    part: str
    """The name of its part: "direct", "bias"."""
    factors: tuple[tuple[str, tuple[int, ...] | None, float], ...]
    """(name, index in that array or None, value) of each factor."""

    def __str__(self) -> str:
        return " · ".join(f"{written(name, index)} ({value:.4g})" for name, index, value in self.factors)


@dataclass(frozen=True)
class Explanation:
    """One element of an activation or of a gradient, and the products that it is the sum of."""

    name: str
    """As given to `explain`: "conv2d/kernel"."""
    index: tuple[int, ...]
    stored: float
    """The element as the run stored it."""
    formula: str
    parts: tuple[Part, ...]
    page: str
    """The documentation's page about the operation, relative to the site."""

    @cached_property
    def values(self) -> np.ndarray:
        """(T,) float64: all products, in the order of the parts."""
        return np.concatenate([part.values for part in self.parts]) + 0.0  # −0 becomes 0

    @property
    def sum(self) -> float:
        """All products added up in float64; equal to `stored` up to the rounding of the model's dtype."""
        return float(self.values.sum())

    @property
    def zeros(self) -> int:
        """How many products are 0: inputs that are 0, units that a ReLU did not let through."""
        return int((self.values == 0).sum())

    def __len__(self) -> int:
        """How many products there are."""
        return len(self.values)

    def largest(self, count: int | None = None) -> list[Term]:
        """The products with the largest absolute values, largest first; all of them without `count`."""
        size = np.abs(self.values)
        order = np.argsort(-np.where(np.isnan(size), np.inf, size), kind="stable")[:count]
        starts = np.cumsum([0, *(len(part.values) for part in self.parts)])
        which = np.searchsorted(starts, order, side="right") - 1
        return [_term(self.parts[at], int(t - starts[at])) for t, at in zip(order, which, strict=True)]

    def to_dict(self, count: int | None = None) -> dict[str, Any]:
        """Plain data that json.dumps accepts, with the `count` largest products or all.

        NaN and infinities are the strings "NaN", "Infinity" and "-Infinity".
        """
        return {
            "name": self.name,
            "index": list(self.index),
            "formula": self.formula,
            "page": self.page,
            "stored": plain(self.stored),
            "sum": plain(self.sum),
            "products": len(self),
            "zeros": self.zeros,
            "parts": [
                {"name": part.name, "sum": plain(part.values.sum()), "products": len(part.values)}
                for part in self.parts
            ],
            "terms": [
                {
                    "value": plain(term.value),
                    "part": term.part,
                    "factors": [
                        {"name": name, "index": None if index is None else list(index), "value": plain(value)}
                        for name, index, value in term.factors
                    ],
                }
                for term in self.largest(count)
            ],
        }

    def __str__(self) -> str:
        lines = [written(self.name, self.index), self.formula, ""]
        terms = self.largest(SHOWN)
        lines += [f"{term.value:>13.6g}  {self._part(term)}{term}" for term in terms]
        lines += self._rest(terms)
        if len(self.parts) > 1:
            lines += ["", *(f"{part.values.sum() + 0.0:>13.6g}  {part.name}" for part in self.parts)]
        lines += ["", f"{self.sum:>13.6g}  the sum of {self._counted()}", f"{self.stored:>13.6g}  stored"]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The table for a notebook."""
        terms = self.largest(SHOWN)
        rows = [(f"{term.value:.6g}", f"{self._part(term)}{term}") for term in terms]
        rows += [(line.split()[0], line.split(maxsplit=1)[1]) for line in self._rest(terms)]
        if len(self.parts) > 1:
            rows += [(f"<i>{part.values.sum() + 0.0:.6g}</i>", part.name) for part in self.parts]
        rows += [(f"<b>{self.sum:.6g}</b>", f"the sum of {self._counted()}"), (f"<b>{self.stored:.6g}</b>", "stored")]
        body = "".join(
            f'<tr><td style="text-align:right">{value}</td><td style="text-align:left">{escape(text)}</td></tr>'
            for value, text in rows
        )
        title = f"<code>{escape(written(self.name, self.index))}</code><br><code>{escape(self.formula)}</code>"
        return f"<p>{title}</p><table>{body}</table>"

    def _part(self, term: Term) -> str:
        return f"{term.part}: " if len(self.parts) > 1 else ""

    def _rest(self, terms: list[Term]) -> list[str]:
        """A line for the products that are not listed."""
        if len(self) == len(terms):
            return []
        rest = self.sum - sum(term.value for term in terms)
        return [f"{rest:>13.6g}  the other {len(self) - len(terms):,}"]

    def _counted(self) -> str:
        zeros = f", {self.zeros:,} of them 0" if self.zeros else ""
        return f"{len(self):,} product{'' if len(self) == 1 else 's'}{zeros}"


def written(name: str, index: tuple[int, ...] | None) -> str:
    """ "x[0, 3, 4, 1]"; the name alone for a number without position, or without axes."""
    return f"{name}[{', '.join(map(str, index))}]" if index else name


def plain(number: Any) -> float | str:
    """A float that JSON has, or the name of NaN or an infinity."""
    number = float(number)
    if isfinite(number):
        return number
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"


def _term(part: Part, t: int) -> Term:
    return Term(float(part.values[t]) + 0.0, part.name, tuple(_factor(factor, t) for factor in part.factors))


def _factor(factor: Factor, t: int) -> tuple[str, tuple[int, ...] | None, float]:
    """Product t's factor; an array of one number or one position serves all products."""
    values, positions = np.atleast_1d(factor.values), factor.positions
    value = float(values[t if len(values) > 1 else 0])
    if positions is None:
        return factor.name, None, value
    return factor.name, tuple(positions[t if len(positions) > 1 else 0].tolist()), value
