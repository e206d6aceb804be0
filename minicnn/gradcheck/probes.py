"""Probes: the function run on other inputs and other dy, to tell mistakes apart that look alike on one.

On each probe the backward's gradients are compared with what a mistake would give. The right gradients come from the
known operation, if the forward is one, else from numerical derivatives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import numerical
from .functions import Function, Gradients
from .known import Operation, Recognised, recognise
from .known.losses import Loss
from .mistakes import Case, Mistake, of_case, of_operation

EXACT, NUMERICAL, SINGLE = 1e-8, 1e-5, 1e-4
"""Relative tolerances of a match: for a known operation, for numerical derivatives, for float32."""


@dataclass
class Probe:
    """One run of a function: its arrays, y, dy, and the gradients that the backward gave."""

    function: Function
    arrays: dict[str, np.ndarray]
    y: np.ndarray
    dy: np.ndarray
    found: Gradients
    recognised: Recognised | None = None
    exists: dict[str, np.ndarray] = field(default_factory=dict)
    """Where the function has a derivative, for arrays in which it has none at some entries."""
    jacobians: dict[str, numerical.Derivatives] = field(default_factory=dict)
    operation: Operation | None = None

    @property
    def of_another_shape(self) -> set[str]:
        """The arguments whose gradient has not their shape."""
        return {name for name, g in self.found.items() if g is not None and g.shape != self.arrays[name].shape}

    def know(self, recognised: Recognised | None) -> bool:
        """Use this known operation for the right gradients, if the probe's y is what it gives."""
        if recognised is None:
            return False
        try:
            operation = recognised.operation(self.arrays)
            same = np.allclose(recognised.output(operation, self.y.shape), self.y, rtol=1e-5, atol=1e-8)
        except (ValueError, IndexError):
            return False
        if same:
            self.recognised, self.operation = recognised, operation
        return same

    def uses_last_sample(self) -> bool:
        """Whether y depends on the last sample. A loss ignores it if it has no label for it."""
        first = next(iter(self.arrays))
        x = self.arrays[first].copy()
        x[-1] *= -0.7
        changed = run(self.function, {**self.arrays, first: x}, self.dy, None)
        return changed is not None and not np.array_equal(changed.y, self.y)

    def true(self, argument: str, dy: np.ndarray) -> np.ndarray:
        """The right gradient with respect to an argument, for any dy."""
        if self.recognised is not None and self.operation is not None:
            return self.recognised.gradients(self.operation, self.arrays, dy)[argument]
        if argument not in self.jacobians:
            self.jacobians[argument] = self.differentiate(argument, np.arange(self.arrays[argument].size))
        derivatives = self.jacobians[argument]
        self.exists.setdefault(argument, derivatives.exists(self.dy).reshape(self.arrays[argument].shape))
        return derivatives.gradient(dy).reshape(self.arrays[argument].shape)

    def differentiate(self, argument: str, entries: np.ndarray) -> numerical.Derivatives:
        """The numerical derivatives at some entries of an array."""

        def forward(array: np.ndarray) -> np.ndarray:
            return self.function.forward({**self.arrays, argument: array})

        return numerical.differences(forward, self.arrays[argument], entries)

    def wrong(self, mistake: Mistake, argument: str) -> np.ndarray | None:
        """The gradient that a mistake would give; None if it cannot be made here."""
        try:
            with np.errstate(all="ignore"):
                if mistake.acts_on != "operation":
                    return of_case(mistake, Case(argument, self.arrays, self.y, self.dy, self.true))
                assert self.recognised is not None
                assert self.operation is not None
                canonical = of_operation(mistake, self.operation, self.recognised.y.to(self.dy))
                return self.recognised.back(argument, np.asarray(canonical), self.arrays)
        except (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError):
            return None

    def where(self, argument: str) -> np.ndarray:
        """The entries that can be compared."""
        return self.exists.get(argument, np.ones(self.arrays[argument].shape, bool))

    def explains(self, gradient: np.ndarray, argument: str, tolerance: float) -> bool:
        """Whether this is the gradient that the backward gave, much nearer to it than the right one."""
        found = self.found[argument]
        if found is None or found.shape != gradient.shape:
            return False
        there = self.where(argument)
        found, gradient, true = found[there], gradient[there], self.true(argument, self.dy)[there]
        if not np.isfinite(gradient).all():
            return False
        residual = np.abs(found - gradient).max(initial=0)
        scale = max(np.abs(found).max(initial=0), np.abs(gradient).max(initial=0), np.abs(true).max(initial=0))
        wrongness = np.abs(found - true).max(initial=0)
        return bool(residual <= tolerance * scale and (residual <= 0.05 * wrongness or wrongness <= tolerance * scale))

    def is_wrong(self, argument: str, tolerance: float) -> bool:
        """Whether the backward's gradient differs from the right one on this probe."""
        return not self.explains(self.true(argument, self.dy), argument, tolerance)


def run(
    function: Function,
    arrays: dict[str, np.ndarray],
    dy: np.ndarray | None,
    rng: Any,
    left_out: Collection[str] = (),
) -> Probe | None:
    """A probe of these arrays, with a random dy if none is given; None if the function does not accept them.

    The gradients with respect to the arguments `left_out` are None in it.
    """
    try:
        with np.errstate(all="ignore"):
            y = np.array(function.forward(arrays))
            if dy is None:
                dy = rng.standard_normal(y.shape) if function.takes_dy else np.ones(y.shape)
            function.clear_gradients()
            gradients = {
                name: None if g is None or name in left_out else np.array(g)
                for name, g in function.backward(np.array(dy)).items()
            }
    except Exception:  # the user's code may raise anything for arrays that it was not written for
        return None
    probe = Probe(function, arrays, y, dy, gradients)
    finite = np.isfinite(y).all() and all(g is None or np.isfinite(g).all() for g in gradients.values())
    return probe if finite and not probe.of_another_shape else None


def mixed(arrays: dict[str, np.ndarray], rng: np.random.Generator, spread: float = 1.0) -> dict[str, np.ndarray]:
    """Other arrays like these: the input's samples mixed, the other arrays' entries changed by up to a third.

    A mixture of samples is as positive, as bounded or as normalised as the samples; entries that are equal are told
    apart by a small change. Inputs that are not between 0 and 1 are multiplied by `spread`.
    """
    first, *others = arrays
    x = arrays[first]
    other = 0.7 * np.roll(x, 1, axis=0) + 0.3 * x[::-1]
    jitter = 0.1 * numerical.size_of(x) * rng.random(x.shape) * np.where(np.abs(x) < 0.5 * numerical.size_of(x), 1, 0.1)
    inside = (x >= 0).all() and (x <= 1).all()
    x = other * (1 - 0.1 * rng.random(x.shape)) if inside and (x > 0).all() else spread * (other + jitter)
    return {first: x, **{name: arrays[name] * (1 + 0.3 * rng.uniform(-1, 1, arrays[name].shape)) for name in others}}


def generic_probe(
    function: Function, arrays: dict[str, np.ndarray], rng: np.random.Generator, left_out: Collection[str] = ()
) -> Probe | None:
    """A probe that hides nothing: x normal, of size 1, without ties; parameters that are not all equal.

    A ReLU without its mask is right where x > 0, abs(w) for w where w > 0. So x has both signs, and if possible every
    parameter, if the forward is then a known operation. Other functions may be defined, or clipped, in a certain range,
    and x stays in the given one, with the parameters' own signs. Probabilities are mixed.
    """
    first, *others = arrays
    x = arrays[first]
    if not function.takes_dy and _may_be_probabilities(x, function.labels):
        return run(function, mixed(arrays, rng), None, rng, left_out)
    normal = rng.standard_normal(x.shape)
    parameters = {name: _told_apart(arrays[name], rng) for name in others}
    signed = {name: array * rng.choice((-1, 1), array.shape) for name, array in parameters.items()}
    for chosen in (signed, parameters) if others else ({},):
        probe = run(function, {first: normal, **chosen}, None, rng, left_out)
        if probe is not None and known_operation(function, [probe]):
            return probe
    width = np.ptp(x) or 0.3 * numerical.size_of(x)
    return run(function, {first: x.min() + width * rng.random(x.shape), **parameters}, None, rng, left_out)


def _may_be_probabilities(x: np.ndarray, labels: np.ndarray | None) -> bool:
    """Whether a loss's predictions are between 0 and 1, and its targets no other real numbers."""
    real = labels is not None and labels.dtype.kind == "f" and ((labels < 0) | (labels > 1)).any()
    return not real and bool((x >= 0).all() and (x <= 1).all() and x.any())


def _told_apart(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A parameter of the same signs, with entries that are neither equal nor all 0."""
    if not array.any():
        return rng.standard_normal(array.shape)
    return array * (1 + rng.uniform(-0.3, 0.3, array.shape))


def of_another_size(
    function: Function, arrays: dict[str, np.ndarray]
) -> Iterator[tuple[Function, dict[str, np.ndarray]]]:
    """The function and its arrays with one sample more, the first again: in x alone, and in all arrays."""
    first = next(iter(arrays))
    N = len(arrays[first])
    chosen = np.arange(N + 1) % N
    for resized in function.of_samples(chosen, N):
        yield resized, {**arrays, first: arrays[first][chosen]}
        yield resized, {name: array[chosen] if len(array) == N else array for name, array in arrays.items()}


def of_other_labels(probe: Probe) -> Probe | None:
    """If the function is a known loss of class labels, a probe with the labels 0, 1, 2, …: they differ."""
    labels = probe.function.labels
    known_operation(probe.function, [probe])
    if not isinstance(probe.operation, Loss) or labels is None or labels.dtype.kind not in "iu":
        return None
    samples, classes = probe.operation.target.shape
    if labels.size != samples or classes < 2:
        return None
    other = copy(probe.function)
    other.take_labels((np.arange(samples) % classes).astype(labels.dtype).reshape(labels.shape))
    relabelled = run(other, probe.arrays, probe.dy, None)
    return relabelled if relabelled is not None and known_operation(other, [relabelled]) else None


def probes_of(function: Function, base: Probe, rng: np.random.Generator) -> Iterator[Probe]:
    """Further probes: generic arrays, another dy, other arrays, a dy with a single 1, another size, another scale.

    A gradient of another shape than its argument is left out: it must not hide the causes of the others.
    """
    left_out = base.of_another_shape
    generic = generic_probe(function, base.arrays, rng, left_out)
    yield from _kept(generic)
    if function.takes_dy:
        yield from _kept(run(function, base.arrays, None, rng, left_out))
    yield from _kept(run(function, mixed(base.arrays, rng), None, rng, left_out))
    yield from _kept(run(function, mixed(base.arrays, rng, 3.0), None, rng, left_out))
    if function.takes_dy:
        single = np.zeros(base.y.shape)
        single.flat[rng.integers(single.size)] = 1
        yield from _kept(run(function, base.arrays, single, rng, left_out))
    for resized, arrays in of_another_size(function, base.arrays if generic is None else generic.arrays):
        other = run(resized, mixed(arrays, rng), None, rng, left_out)
        if other is not None and other.uses_last_sample():
            yield other
            return


def _kept(probe: Probe | None) -> Iterator[Probe]:
    if probe is not None:
        yield probe


def known_operation(function: Function, probes: list[Probe]) -> Recognised | None:
    """The known operation that the forward is on all these probes, found on the first; they are told about it."""
    full = [probe for probe in probes if probe.function is function]
    found = recognise([(probe.arrays, probe.y) for probe in full], function.labels)
    for probe in probes:
        if not probe.know(found) and found is not None:
            probe.know(recognise([(probe.arrays, probe.y)], probe.function.labels))
    return found
