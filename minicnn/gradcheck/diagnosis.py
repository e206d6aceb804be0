"""The diagnosis: a cause is stated only if its wrong gradient is the one that was found, in every entry, on every
probe.

Every entry of the catalogue that can apply is computed and compared. If none matches, the coefficients of the
gradient's terms are fitted; then `location.py` says where the gradient is wrong. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from . import location
from .comparison import Comparison
from .functions import Function, Gradients
from .known import Term
from .known.dropout import Dropout
from .mistakes import Mistake, entries
from .probes import EXACT, NUMERICAL, SINGLE, Probe, known_operation, probes_of

MOST_NAMED = 3
"""Most causes that are listed if they cannot be told apart."""

FORMS_OF_SIZE: dict[str, Callable[[float], float]] = {
    "1": lambda n: 1,
    "1/N": lambda n: 1 / n,
    "N": lambda n: n,
    "N/(N − 1)": lambda n: n / (n - 1) if n > 1 else np.nan,
    "(N − 1)/N": lambda n: (n - 1) / n if n > 1 else np.nan,
}
"""How a wrong factor may depend on the batch size."""

MOST_DIFFERENTIATED = 600
"""Most entries of an array of an unknown function that are differentiated on each probe."""


@dataclass(frozen=True)
class Diagnosis:
    """Why a gradient is wrong: a sentence, and the identifiers of the causes that are proven."""

    text: str
    causes: tuple[str, ...] = ()


class Investigation:
    """The diagnosis of the wrong gradients of one function, which share the probes."""

    def __init__(
        self, function: Function, y: np.ndarray, dy: np.ndarray, found: Gradients, comparisons: dict[str, Comparison]
    ) -> None:
        self.function, self.comparisons, self.shrunk = function, comparisons, False
        rng = np.random.default_rng(5)
        self.base = Probe(function, dict(function.arrays), y, dy, found)
        for name, compared in comparisons.items():
            if compared.is_whole and compared.is_comparable:
                self.base.jacobians[name] = compared.derivatives
                self.base.exists[name] = compared.exists.reshape(compared.value.shape)
        further = list(probes_of(function, self.base, rng))
        for probe in further:
            if probe.arrays is self.base.arrays:
                probe.exists = self.base.exists
        self.known = known_operation(function, [*further, self.base])
        if self.known is None:  # without the generic arrays, which the forward may clip
            self.known = known_operation(function, [*further[1:], self.base])
        self.probes = [self.base, *further]
        if self.known is None:
            self.probes = [self.base, *further[:3], *[probe for probe in further if probe.function is not function]]
        else:
            self.probes = [probe for probe in self.probes if probe.recognised is not None]

    def diagnose(self, argument: str) -> Diagnosis:
        """Why the gradient with respect to this argument is wrong, as far as it can be proven."""
        compared = self.comparisons[argument]
        if malformed := self._of_another_argument(argument) or _malformed(compared):
            return malformed
        if not compared.is_whole and self.known is None:
            return Diagnosis(location.largest_error(compared))
        if self.known is None and compared.value.size > MOST_DIFFERENTIATED:
            return Diagnosis(location.describe(compared))
        tolerance = EXACT if self.known else NUMERICAL
        if compared.single:
            tolerance = SINGLE
        return (
            self._without_derivative(argument)
            or self._zero(argument)
            or self._named(argument, tolerance)
            or self._coefficients(argument, tolerance)
            or self._factor(argument, tolerance)
            or self._factor_along_an_axis(argument, tolerance)
            or self._multiple_added(argument, tolerance)
            or self._another_mask(argument)
            or self._located(argument)
        )

    # what is proven

    def _without_derivative(self, argument: str) -> Diagnosis | None:
        """y does not depend on the argument at all, for other dy and other arrays, too (x² has the slope 0 at 0)."""
        if any(probe.true(argument, probe.dy).any() for probe in self.probes):
            return None
        largest = np.abs(self.comparisons[argument].found).max()
        return Diagnosis(
            f"the true gradient is zero: y does not depend on {argument}, but the backward returns another gradient "
            f"(largest entry {largest:.3g}). Does the forward use {argument}?",
            ("shapes.true-gradient-is-zero",),
        )

    def _of_another_argument(self, argument: str) -> Diagnosis | None:
        """The gradients are returned in another order, and have other shapes."""
        found = self.base.found[argument]
        for name, compared in self.comparisons.items():
            if found is None or name == argument or found.shape == self.base.arrays[argument].shape:
                continue
            if found.shape == compared.value.shape and compared.is_whole:
                true, there = compared.expected.reshape(found.shape), compared.exists.reshape(found.shape)
                if np.abs(found - true)[there].max(initial=0) <= NUMERICAL * np.abs(true).max(initial=0):
                    return Diagnosis(
                        f"it is the gradient with respect to {name}: the gradients are returned in another order than "
                        f"{', '.join(self.base.arrays)}.",
                        ("shapes.of-another-argument",),
                    )
        return None

    def _zero(self, argument: str) -> Diagnosis | None:
        """A gradient of zeros; many mistakes could give it."""
        if any(probe.found[argument].any() for probe in self.probes):  # type: ignore[union-attr]
            return None
        entry = next(entry for entry in entries() if entry.name == "shapes.all-zeros")
        return Diagnosis(f"{self._known_as()}{entry.explanation}", (entry.name,))

    def _named(self, argument: str, tolerance: float) -> Diagnosis | None:
        """The entries of the catalogue that match on all probes."""
        role = self.known.roles[argument][0] if self.known else None
        operation = self.base.operation
        self.tried = [e for e in entries(operation, role) if e.acts_on != "dy" or self.function.takes_dy]
        matching = [entry for entry in self.tried if self._matches(entry, argument, tolerance)]
        distinct: list[Mistake] = []
        for entry in matching:
            if all(entry.sentence != other.sentence for other in distinct):
                distinct.append(entry)
        own = [entry for entry in distinct if entry.of]
        named = own or distinct
        if not 0 < len(named) <= MOST_NAMED:
            return None
        text = " Or: ".join(entry.sentence for entry in named)
        either = "One of these, which these arrays cannot tell apart: " if len(named) > 1 else ""
        formula = operation.formulas.get(role or "") if operation and named[0].of else None
        return Diagnosis(
            f"{self._known_as()}{either}{text} Right: {formula or named[0].formula}. {named[0].experiment}",
            tuple(entry.name for entry in named),
        )

    def _matches(self, entry: Mistake, argument: str, tolerance: float) -> bool:
        compared = 0
        for probe in self.probes:
            wrong = probe.wrong(entry, argument)
            if wrong is None or not probe.explains(wrong, argument, tolerance):
                return False
            compared += 1
        return compared > 1 or not self.function.takes_dy

    def _coefficients(self, argument: str, tolerance: float) -> Diagnosis | None:
        """The gradient is a sum of the right terms with wrong coefficients, which may depend on the batch size."""
        if self.known is None:
            return None
        role = self.known.roles[argument][0]
        by_size: dict[int, list[Probe]] = {}
        right: dict[str, float] = {}
        for probe in self.probes:
            by_size.setdefault(len(next(iter(probe.arrays.values()))), []).append(probe)
            right |= {name: term.coefficient for name, term in _terms(probe, role).items()}
        if len(right) < 2:
            return None
        fits = {size: _fit(probes, argument, role, list(right), tolerance) for size, probes in by_size.items()}
        proven = {size: fitted for size, fitted in fits.items() if fitted is not None}
        return self._in_words(list(right), list(right.values()), proven) if self.base_size in proven else None

    @property
    def base_size(self) -> int:
        """The number of samples of the base."""
        return len(next(iter(self.base.arrays.values())))

    def _in_words(self, names: list[str], right: list[float], fits: dict[int, np.ndarray]) -> Diagnosis | None:
        fitted = fits[self.base_size]
        off = [not np.isclose(c, r, rtol=1e-6, atol=1e-7) for c, r in zip(fitted, right, strict=True)]
        if not any(off):
            return None
        ratios = [c / r for c, r in zip(fitted, right, strict=True) if r]
        foreign = any(abs(c) > 1e-7 for c, r in zip(fitted, right, strict=True) if not r)
        if np.ptp(ratios) < 1e-6 * max(map(abs, ratios)) and not foreign:
            return None  # a common factor
        parts = []
        for place, (name, r) in enumerate(zip(names, right, strict=True)):
            if off[place]:
                of_size = {size: coefficients[place] for size, coefficients in fits.items()}
                c, words = _depending_on_size(of_size, self.base_size, getattr(self.base.operation, "M", 0))
                parts.append(f"{name} has the coefficient {words} instead of {as_fraction(r)}{_meaning(c, r)}")
        kept = [name for name, wrong in zip(names, off, strict=True) if not wrong]
        rest = f" Right: {', '.join(kept)}." if kept else ""
        return Diagnosis(f"{self._known_as()}{'; '.join(parts)}.{rest}", ("coefficients",))

    def _another_mask(self, argument: str) -> Diagnosis | None:
        """Dropout: every entry is dy times 0 or the scale, but not by the forward's mask."""
        operation, found = self.base.operation, self.base.found[argument]
        if not isinstance(operation, Dropout) or found is None:
            return None
        ratio = found / self.base.dy
        if np.isclose(ratio, 0).any() and (np.isclose(ratio, 0) | np.isclose(ratio, operation.scale)).all():
            return Diagnosis(
                "each entry is dy times 0 or the scale, but by another mask than the forward's: the mask is drawn anew "
                "in the backward. Keep the forward's mask in the cache.",
                ("dropout.mask-drawn-anew",),
            )
        return None

    def _factor(self, argument: str, tolerance: float) -> Diagnosis | None:
        """A multiple of the right gradient: the same on all probes, or proportional to a power of the batch size."""
        factors: list[float] = []
        sizes: list[int] = []
        for probe in self.probes:
            true, found, there = probe.true(argument, probe.dy), probe.found[argument], probe.where(argument)
            assert found is not None
            norm = float((true[there] ** 2).sum())
            if not norm:
                continue
            factors.append(float((true * found)[there].sum()) / norm)
            sizes.append(len(next(iter(probe.arrays.values()))))
            if not probe.explains(factors[-1] * true, argument, tolerance):
                return None
        if len(factors) < 2:
            return None
        for form, value in FORMS_OF_SIZE.items():
            constants = np.array(factors) / [value(N) for N in sizes]
            if np.ptp(constants) <= 1e-5 * np.abs(constants).max():
                varied = len(set(sizes)) > 1
                return self._factor_in_words(argument, float(np.median(constants)), form, varied)
        return None

    def _factor_in_words(self, argument: str, factor: float, form: str, varied: bool) -> Diagnosis:
        """What a factor times a form of the batch size means; `varied` says whether the batch size was varied."""
        N = self.base_size
        if form != "1":
            times = "" if np.isclose(factor, 1) else f"{as_fraction(factor)} · "
            text = (
                f"it is {times}{form} times the true gradient, N = {N} the batch size, on every input that was tried."
            )
            name = {"1/N": "shapes.mean-over-batch", "N": "shapes.batch-mean-forgotten"}.get(form, f"factor.{form}")
        else:
            text = f"it is {as_fraction(factor)} times the true gradient, everywhere and on every input that was tried."
            text += " It does not depend on the batch size." if varied else ""
            name = f"factor.{as_fraction(factor)}"
        meaning = self._lengths(argument, factor, N if not varied else None) or {
            2.0: "Is a path counted twice, or is the 2 of a square not cancelled by a half?",
            0.5: "Was a square differentiated without its 2, or one of two equal paths left out?",
            1.0: {
                "1/N": "The mean over the batch is taken once too often: sum, dy already contains the loss's 1/N.",
                "N": "A mean over the batch was differentiated as if it were a sum: divide by N once.",
                "N/(N − 1)": "It is divided by N − 1 instead of N.",
                "(N − 1)/N": "It is divided by N instead of N − 1.",
            }.get(form, ""),
        }.get(round(factor, 6), "Which constant of the formula has this value? It is missing, or applied twice.")
        return Diagnosis(f"{self._known_as()}{text} {meaning}", (name,))

    def _lengths(self, argument: str, factor: float, N: int | None) -> str:
        """Which lengths of the arrays the factor is, or its inverse."""
        value, dy = self.base.arrays[argument], self.base.dy
        first = next(iter(self.base.arrays.values()))
        lengths = {
            **({"the batch size": N} if N else {}),
            **{f"the length of axis {axis} of y": n for axis, n in enumerate(dy.shape) if axis},
            **{f"the length of axis {axis} of {argument}": n for axis, n in enumerate(value.shape)},
            "the number of y's entries per sample": dy.size // len(dy) if dy.ndim else 0,
            f"the number of {argument}'s entries per sample": value.size // len(value) if value is first else 0,
            "the number of y's rows and columns": int(np.prod(dy.shape[1:-1])) if dy.ndim > 2 else 0,
            "the number of y's rows and columns, channels first": int(np.prod(dy.shape[2:])) if dy.ndim > 2 else 0,
        }
        for size, verb in (
            (factor, "a mean was differentiated as if it were a sum"),
            (1 / factor, "a sum was differentiated as if it were a mean"),
        ):
            names = [name for name, n in lengths.items() if n > 1 and np.isclose(n, size, rtol=1e-6)]
            if names:
                return f"{size:.0f} is {', and '.join(dict.fromkeys(names))}: perhaps {verb}."
        return ""

    def _factor_along_an_axis(self, argument: str, tolerance: float) -> Diagnosis | None:
        """A factor for each index of one axis, perhaps a known quantity."""
        shape = self.base.arrays[argument].shape
        for axis in reversed(range(len(shape))):
            if shape[axis] < 2 or np.prod(shape) // shape[axis] < 2:
                continue
            fitted = [_factors_along(probe, argument, axis, tolerance) for probe in self.probes]
            factors = [one for one in fitted if one is not None]
            if len(factors) < len(fitted) or not np.ptp(factors[0]) > 1e-6 * np.abs(factors[0]).max():
                continue
            name = location.axis_name(self.comparisons[argument], axis)
            known = self._quantity_of(factors)
            shown = ", ".join(f"{factor:.4g}" for factor in factors[0][:6]) + (", …" if shape[axis] > 6 else "")
            return Diagnosis(
                f"{self._known_as()}each {name} is off by a different factor ({shown}), the same for all its entries."
                f"{known[0]}",
                known[1],
            )
        return None

    def _multiple_added(self, argument: str, tolerance: float) -> Diagnosis | None:
        """The right gradient plus a multiple of something, the same multiple on all probes."""
        for words, added in ADDED.items():
            multiples = [_multiple_of(probe, argument, added, tolerance) for probe in self.probes]
            known = [multiple for multiple in multiples if multiple is not None]
            if len(known) < max(2, len(multiples)) or np.ptp(known) > 1e-5 * np.abs(known).max():
                continue
            multiple = float(np.median(known))
            verb, size = ("too much", multiple) if multiple > 0 else ("missing", -multiple)
            times = "" if np.isclose(size, 1) else f"{as_fraction(size)} · "
            what = words.format(argument=argument)
            return Diagnosis(
                f"{self._known_as()}{times}{what} is {verb} in it, on every input that was tried; the rest is right. "
                f"Is there a path, such as a shortcut or a weight penalty, that only one of forward and backward has?",
                (f"added.{verb.replace(' ', '-')}",),
            )
        return None

    def _quantity_of(self, factors: list[np.ndarray]) -> tuple[str, tuple[str, ...]]:
        """Which array's entries the factors are, on all probes."""
        for name in self.base.arrays:
            arrays = [probe.arrays[name].ravel() for probe in self.probes]
            for power, words in ((-1, "is missing"), (1, "is applied twice"), (-2, "squared is missing")):
                if all(_is_power(array, power, found) for array, found in zip(arrays, factors, strict=True)):
                    how = {-1: f"1 / {name}", 1: name, -2: f"1 / {name}²"}[power]
                    return f" It is {how}: a factor {name} {words}.", (f"factor.{name}-{words.replace(' ', '-')}",)
        return "", ()

    def _located(self, argument: str) -> Diagnosis:
        """No cause is proven: where it is wrong, what it is not, and the smallest case."""
        compared = self.comparisons[argument]
        count = len(self.tried)
        kind = f" for {self.known.title}" if self.known else ""
        excluded = f" It is none of the {count} mistakes of the catalogue{kind}: all of them were computed and differ."
        smallest = "" if self.shrunk else location.smallest_case(self.function, argument)
        self.shrunk = True
        return Diagnosis(f"{location.describe(compared)}{excluded}{smallest}")

    def _known_as(self) -> str:
        return f"the forward is {self.known.title}. " if self.known else ""


def _malformed(compared: Comparison) -> Diagnosis | None:
    """No array, one of another shape, or one with NaN."""
    if compared.analytic is None:
        owner = (
            "return it, or the layers before this one cannot learn"
            if compared.is_input
            else "set it, or the optimiser cannot update the parameter"
        )
        return Diagnosis(f"{compared.quantity} is None: backward must {owner}.", ("protocol.none",))
    found, expected = compared.analytic.shape, compared.value.shape
    if found != expected:
        hint, cause = "A gradient has one entry for every entry of its array.", "shapes.wrong-shape"
        if found == expected[::-1] and len(found) > 1:
            hint, cause = (
                "It is transposed: swap the two factors of its matrix product, (a.T @ b).T = b.T @ a.",
                "shapes.transposed",
            )
        elif len(found) == len(expected) + 1 and found[1:] == expected:
            hint, cause = "It still has the axis of the samples: sum over the first axis.", "shapes.not-summed"
        elif np.prod(found, dtype=int) == np.prod(expected, dtype=int):
            hint, cause = (
                f"The number of entries is right: perhaps only .reshape({expected}) is missing.",
                "shapes.not-reshaped",
            )
        elif len(found) > len(expected):
            hint, cause = (
                f"It has {len(found) - len(expected)} axes too many: sum over those not of {compared.argument}.",
                "shapes.not-summed",
            )
        elif len(found) < len(expected):
            hint, cause = "It has too few axes: a sum runs over an axis that has to stay.", "shapes.summed-too-much"
        elif all(f in (1, e) for f, e in zip(found, expected, strict=True)):
            hint, cause = "A sum runs over an axis that has to stay.", "shapes.summed-too-much"
        text = f"it has shape {found}, but {compared.argument} has shape {expected}. {hint}"
        return Diagnosis(text, (cause,))
    bad = np.argwhere(~np.isfinite(compared.analytic))
    if len(bad):
        text = (
            f"{len(bad)} of {compared.analytic.size} entries are NaN or infinite, the first at "
            f"{location.index_text(bad[0])}. Look for a division by zero, a logarithm of zero, or an exponential that "
            f"overflows."
        )
        return Diagnosis(text, ("shapes.not-finite",))
    return None


ADDED: dict[str, Callable[[Probe, str], np.ndarray]] = {
    "dy": lambda probe, argument: probe.dy,
    "the argument {argument} itself": lambda probe, argument: probe.arrays[argument],
    "the sign of {argument}": lambda probe, argument: np.sign(probe.arrays[argument]),
    "y": lambda probe, argument: probe.y,
    "1 at every entry": lambda probe, argument: np.ones(probe.arrays[argument].shape),
}
"""What a gradient may have too much or too little of."""


def _multiple_of(
    probe: Probe, argument: str, added: Callable[[Probe, str], np.ndarray], tolerance: float
) -> float | None:
    """How much of something was added to the right gradient; None if that does not give what was found."""
    found, true, something = probe.found[argument], probe.true(argument, probe.dy), added(probe, argument)
    assert found is not None
    if something.size != found.size or not something.any():
        return None
    something = something.reshape(found.shape)
    there = probe.where(argument)
    multiple = float((something * (found - true))[there].sum() / (something[there] ** 2).sum())
    return multiple if multiple and probe.explains(true + multiple * something, argument, tolerance) else None


def _factors_along(probe: Probe, argument: str, axis: int, tolerance: float) -> np.ndarray | None:
    """The factors, one for each index of this axis, that make the right gradient the one that was found.

    NaN where the right gradient is zero; None if there are no such factors.
    """
    found, true = probe.found[argument], probe.true(argument, probe.dy)
    assert found is not None
    f, t = (np.moveaxis(array, axis, 0).reshape(found.shape[axis], -1) for array in (found, true))
    norm = (t**2).sum(axis=1)
    factors = np.divide((f * t).sum(axis=1), norm, out=np.full(len(norm), np.nan), where=norm > 0)
    shape = [1] * found.ndim
    shape[axis] = -1
    explained = probe.explains(true * np.nan_to_num(factors).reshape(shape), argument, tolerance)
    return factors if factors.all() and explained else None


def _is_power(array: np.ndarray, power: int, numbers: np.ndarray) -> bool:
    """Whether these numbers are this power of the array's entries."""
    there = ~np.isnan(numbers)
    if array.size != numbers.size or not array.all():
        return False
    return np.allclose((array**power)[there], numbers[there], rtol=1e-5)


def _terms(probe: Probe, role: str) -> dict[str, Term]:
    """The terms of a gradient on a probe of a known operation."""
    assert probe.operation is not None
    assert probe.recognised is not None
    return dict(probe.operation.terms(role, probe.recognised.y.to(probe.dy)))


def _fit(probes: list[Probe], argument: str, role: str, names: list[str], tolerance: float) -> np.ndarray | None:
    """The coefficients of the gradient's terms on these probes; None if there are none that give the gradient."""
    columns, found = [], []
    for probe in probes:
        assert probe.recognised is not None
        there = probe.where(argument).ravel()
        terms = _terms(probe, role)
        missing = np.zeros(probe.arrays[argument].size)
        views = [
            probe.recognised.back(argument, terms[name].value, probe.arrays).ravel() if name in terms else missing
            for name in names
        ]
        scale = np.abs(probe.true(argument, probe.dy)).max() or 1
        columns.append(np.stack(views, axis=1)[there] / scale)
        found.append(probe.found[argument].ravel()[there] / scale)  # type: ignore[union-attr]
    A, b = np.concatenate(columns), np.concatenate(found)
    fitted, _, rank, _ = np.linalg.lstsq(A, b, rcond=None)
    exact = rank == A.shape[1] and np.abs(A @ fitted - b).max() <= 10 * tolerance * np.abs(b).max()
    return fitted if exact else None


def _depending_on_size(coefficients: dict[int, float], N: int, M: int) -> tuple[float, str]:
    """A coefficient that was fitted for some batch sizes, and how it depends on them, in words.

    M is the number of entries that share a mean; it is proportional to the batch size or does not depend on it.
    """
    c = coefficients[N]
    if len(coefficients) > 1 and np.ptp(list(coefficients.values())) > 1e-6 * abs(c):
        for name, per_sample in (("N", 1), ("M", M / N if M else 1)):
            for of_N, value in FORMS_OF_SIZE.items():
                form = of_N.replace("N", name)
                ratios = [number / value(size * per_sample) for size, number in coefficients.items()]
                if np.ptp(ratios) < 1e-6 * abs(ratios[0]):
                    factor = as_fraction(ratios[0])
                    times = {"1": "", "−1": "−"}.get(factor, f"{factor} · ")
                    return c, f"{times}{form} ({name} = {as_fraction(N * per_sample)})"
    return c, as_fraction(c)


def as_fraction(number: float) -> str:
    """A simple fraction if the number is one, else four digits."""
    fraction = Fraction(number).limit_denominator(64)
    if abs(float(fraction) - number) <= 1e-6 * max(abs(number), 1e-3):
        return str(fraction).replace("-", "−")
    return f"{number:.4g}".replace("-", "−")


def _meaning(coefficient: float, right: float) -> str:
    """What a wrong coefficient means."""
    ratio = coefficient / right if right else np.inf
    if abs(coefficient) < 1e-7:
        return ": it is missing"
    if np.isclose(ratio, -1):
        return ": its sign is wrong"
    if np.isclose(ratio, 2):
        return ": it is counted twice"
    if np.isclose(ratio, 0.5):
        return ": half of it is missing"
    return f": {as_fraction(ratio)} times what it should be" if np.isfinite(ratio) else ""
