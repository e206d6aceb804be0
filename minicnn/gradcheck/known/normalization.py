"""Normalisation: batch, layer, instance and group norm, centring, and batch norm with given statistics."""

from __future__ import annotations

from functools import partial
from itertools import combinations, permutations

import numpy as np

from .base import Array, Arrays, Operation, Proposals, Recognised, Term, View, activate, activation_between, same

EPSILONS = (1e-3, 1e-5, 1e-8, 1e-7, 1e-6, 1e-4, 1e-2, 0.0)


class Normalization(Operation):
    """x (G, M): each row is normalised over its M entries; then scaled and shifted.

    y = gamma · x̂ + beta, x̂ = (x − mean) / std, std = √(variance + epsilon) (with `outside`: √variance + epsilon; with
    scaled=False: 1). With centre=False no mean is subtracted, so that std is the root of the mean square. gamma and
    beta (P,) belong to the entries by `index` (G, M); both may be missing.
    """

    family = "normalisation"

    def __init__(
        self,
        arrays: Arrays,
        index: Array,
        epsilon: float = 0.0,
        less: int = 0,
        outside: bool = False,
        scaled: bool = True,
        centre: bool = True,
        activation: str = "linear",
    ) -> None:
        self.x, self.gamma, self.beta = arrays["x"], arrays.get("gamma"), arrays.get("beta")
        self.index, self.epsilon, self.less, self.outside, self.scaled = index, epsilon, less, outside, scaled
        self.activation, self.centre = activation, centre
        self.formulas = {}
        if not scaled:
            self.formulas = {"x": "dx = dz − mean(dz), the mean over the M entries"}
        if not centre:
            self.formulas = {"x": "dx = gamma / std · (dz − x̂ · mean(dz · x̂)), the mean over the M entries"}
        self.M = self.x.shape[1]
        if index.shape != self.x.shape:
            raise ValueError("made for another batch size")
        self.samples = 0
        self.centred = self.x - centre * self.x.mean(axis=1, keepdims=True)
        self.variance = (self.centred**2).sum(axis=1, keepdims=True) / (self.M - less)
        root = np.sqrt(self.variance + (0 if outside else epsilon))
        self.std = (root + (epsilon if outside else 0)) if scaled else np.ones_like(root)
        self.normalized = self.centred / self.std
        self.scale = np.ones_like(self.x) if self.gamma is None else self.gamma[index]
        self.z = self.scale * self.normalized + (0 if self.beta is None else self.beta[index])
        self.y = activate(activation, self.z)

    def per_parameter(self, values: Array) -> Array:
        """The sum of the values (G, M) that belong to each entry of gamma or beta: (P,)."""
        return np.bincount(self.index.ravel(), values.ravel(), minlength=int(self.index.max()) + 1)

    def pull(self, dz: Array) -> dict[str, Array]:
        return {
            "x": sum((t.coefficient * t.value for t in self._paths(dz).values()), np.zeros_like(dz)),
            **({} if self.gamma is None else {"gamma": self.per_parameter(dz * self.normalized)}),
            **({} if self.beta is None else {"beta": self.per_parameter(dz)}),
        }

    def terms(self, role: str, dy: Array) -> dict[str, Term]:
        return self._paths(self.upstream(dy)) if role == "x" else {}

    def _paths(self, dz: Array) -> dict[str, Term]:
        dnormalized = dz * self.scale
        level = dnormalized.mean(axis=1, keepdims=True) / self.std * np.ones_like(self.x)
        paths = {"the direct path": Term(dnormalized / self.std)}
        if self.centre:
            paths["the path through the mean"] = Term(level, -1)
        if self.scaled:
            root = np.sqrt(self.variance + (0 if self.outside else self.epsilon))
            total = (dnormalized * self.centred).sum(axis=1, keepdims=True) / (self.M - self.less)
            paths["the path through the variance"] = Term(self.centred * total / (root * self.std**2), -1)
        return paths


class FixedNormalization(Operation):
    """x (G, M) with given statistics, as in inference: each row is scaled and shifted by constants."""

    family = "normalisation with fixed statistics"

    def __init__(self, arrays: Arrays, index: Array, factors: Array, offsets: Array) -> None:
        self.x, self.gamma, self.beta = arrays["x"], arrays.get("gamma"), arrays.get("beta")
        self.index, self.factors, self.offsets, self.M = index, factors, offsets, self.x.shape[1]
        if index.shape != self.x.shape:
            raise ValueError("made for another batch size")
        self.samples = 0
        self.normalized = self.x * factors + offsets
        self.scale = np.ones_like(self.x) if self.gamma is None else self.gamma[index]
        self.y = self.z = self.scale * self.normalized + (0 if self.beta is None else self.beta[index])

    def per_parameter(self, values: Array) -> Array:
        return np.bincount(self.index.ravel(), values.ravel(), minlength=int(self.index.max()) + 1)

    def pull(self, dz: Array) -> dict[str, Array]:
        return {
            "x": dz * self.scale * self.factors,
            "gamma": self.per_parameter(dz * self.normalized),
            "beta": self.per_parameter(dz),
        }


def recognise(arrays: Arrays, y: Array) -> Proposals:
    """x, and perhaps gamma and beta."""
    x_name, *others = arrays
    x = arrays[x_name]
    if y.shape != x.shape or x.ndim < 2 or len(others) > 2:
        return
    for names in permutations(others):
        named = dict(zip(("gamma", "beta"), names, strict=False))
        for index in _indices(x, [arrays[name] for name in names]):
            for count in range(1, x.ndim + 1):
                for axes in combinations(range(x.ndim), count):
                    kept = tuple(axis for axis in range(x.ndim) if axis not in axes)
                    members = int(np.prod([x.shape[axis] for axis in axes]))
                    view = _Grouped((*kept, *axes), members)
                    yield from _over(arrays, y, x_name, named, index, view, f"over axes {axes}")
            for order in [(0, *range(1, x.ndim)), (0, x.ndim - 1, *range(1, x.ndim - 1))]:
                channels = x.shape[order[1]]
                for groups in range(2, channels):
                    if channels % groups == 0 and x.ndim > 2:
                        view = _Grouped(order, x[0].size // groups)
                        yield from _over(arrays, y, x_name, named, index, view, f"over {groups} groups of channels")
            if named:
                yield from _fixed(arrays, y, x_name, named, index)


def _indices(x: Array, parameters: list[Array]) -> list[Array]:
    """For each entry of x, to which entry of gamma and beta it may belong."""
    if not parameters:
        return [np.zeros(x.shape, int)]
    size, found = parameters[0].size, []
    if any(parameter.size != size for parameter in parameters):
        return []
    for axis in reversed(range(x.ndim)):
        if x.shape[axis] == size:
            shape = [1] * x.ndim
            shape[axis] = size
            found.append(np.broadcast_to(np.arange(size).reshape(shape), x.shape))
    for start in range(1, x.ndim):
        if x.ndim - start > 1 and np.prod(x.shape[start:]) == size:
            found.append(np.broadcast_to(np.arange(size).reshape(x.shape[start:]), x.shape))
    return found


def _over(
    arrays: Arrays, y: Array, x_name: str, named: dict[str, str], index: Array, view: _Grouped, title: str
) -> Proposals:
    """Normalisation over the rows of this view, if y is that."""
    if view.members < 2:
        return
    roles = {x_name: ("x", view), **{name: (role, View(None, "flat")) for role, name in named.items()}}
    canonical = {role: v.to(arrays[name]) for name, (role, v) in roles.items()}
    cy, ci = view.to(y), view.to(index)
    for options in (*_options(canonical, ci, cy, True), *_options(canonical, ci, cy, False)):
        operation = Normalization(canonical, ci, **options)
        activation = activation_between(operation.z, cy)
        if activation and activation != "softmax":
            make = partial(Normalization, index=ci, activation=activation, **options)
            kind = "normalisation" if options.get("scaled", True) else "centring"
            how = "" if options["centre"] else " by the root of the mean square"
            yield Recognised(f"{kind} {title}{how}", make, roles, view)


def _options(canonical: Arrays, index: Array, y: Array, centre: bool) -> list[dict]:
    """Which epsilon, which variance: found from x and y where no activation hides it."""
    plain = Normalization(canonical, index, scaled=False, centre=centre)
    scale = plain.scale
    if not plain.centred.any() or not scale.all():
        return []
    beta = 0 if plain.beta is None else plain.beta[index]
    normalized = (y - beta) / scale
    factor = (normalized * plain.centred).sum(axis=1, keepdims=True) / (plain.centred**2).sum(axis=1, keepdims=True)
    options: list[dict] = []
    if same(factor * plain.centred, normalized) and (factor > 0).all():
        if same(factor, np.ones_like(factor)):
            return [{"scaled": False, "centre": True}] if centre else []
        for less in (0, 1) if centre else (0, plain.M - 1):  # with M − 1, the root of the sum of squares
            variance = plain.variance * plain.M / (plain.M - less)
            inside, outside = 1 / factor**2 - variance, 1 / factor - np.sqrt(variance)
            for epsilon, where in ((inside, False), (outside, True)):
                value = float(np.median(epsilon))
                if np.ptp(epsilon) <= 1e-9 * (variance.max() + 1) and value > -1e-9:
                    options.append(
                        {"epsilon": _nice(max(value, 0.0)), "less": less, "outside": where, "centre": centre}
                    )
    elif centre and (not (y < 0).any() or np.abs(y).max() <= 1):  # perhaps an activation follows
        options = [{"epsilon": epsilon, "centre": True} for epsilon in EPSILONS]
    return options


def _nice(epsilon: float) -> float:
    """The usual epsilon next to a measured one."""
    for usual in EPSILONS:
        if abs(epsilon - usual) <= 1e-6 * usual + 1e-10:
            return usual
    return epsilon


def _fixed(arrays: Arrays, y: Array, x_name: str, named: dict[str, str], index: Array) -> Proposals:
    """y = gamma · (a · x + b) + beta with constants a and b for each entry of gamma."""
    x = arrays[x_name]
    gamma = arrays[named["gamma"]].reshape(-1)
    beta = arrays[named["beta"]].reshape(-1) if "beta" in named else np.zeros_like(gamma)
    if not gamma.all():
        return
    normalized = (y - beta[index]) / gamma[index]
    flat_x, flat_n, flat_i = x.ravel(), normalized.ravel(), index.ravel()
    factors, offsets = np.ones(gamma.size), np.zeros(gamma.size)
    for k in range(gamma.size):
        there = flat_i == k
        if there.sum() < 2 or np.ptp(flat_x[there]) == 0:
            return
        factors[k], offsets[k] = np.polyfit(flat_x[there], flat_n[there], 1)
    if not same(x * factors[index] + offsets[index], normalized) or not (factors > 0).all():
        return
    chosen = [axis for axis in range(x.ndim) if np.diff(index, axis=axis).any()]
    view = _Grouped((*chosen, *(axis for axis in range(x.ndim) if axis not in chosen)), x.size // gamma.size)
    ci = view.to(index)
    roles = {x_name: ("x", view), **{name: (role, View(None, "flat")) for role, name in named.items()}}
    make = partial(FixedNormalization, index=ci, factors=factors[ci], offsets=offsets[ci])
    yield Recognised("a scale and shift by fixed statistics", make, roles, view)


class _Grouped(View):
    """The entries of each group as a row: (G, M)."""

    def __init__(self, order: tuple[int, ...], members: int) -> None:
        super().__init__(order)
        object.__setattr__(self, "members", members)

    members: int

    def to(self, array: Array) -> Array:
        return array.transpose(self.order).reshape(-1, self.members)
