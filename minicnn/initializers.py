"""Keras's initialisers of weights, by class or by string name.

Variance scaling draws with variance scale / n, so that signals neither vanish nor explode from layer to layer:
Glorot n = (fan_in + fan_out) / 2, scale 1 (Glorot & Bengio, 2010); He n = fan_in, scale 2 (He et al., 2015);
LeCun n = fan_in, scale 1 (LeCun et al., 1998).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from . import arguments
from .compatibility import reporter
from .config import check_precision, floatx
from .configurable import Configurable, deserializer
from .configurable import serialize as serialize
from .errors import explain
from .random import draw_seed

TRUNCATED_STDDEV = 0.87962566103423978
"""The standard deviation of a standard normal truncated at ±2; Keras's "normal" initialisers divide by it."""


class Initializer(Configurable):
    """Makes the initial value of a parameter: initializer(shape, dtype) -> array; without a dtype, that of floatx()."""

    accepted_at_default: ClassVar[dict[str, Any]] = {"input_axes": None, "output_axes": None}

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        where = type(self).__name__
        values = self.values(arguments.shape(f"{where} shape", shape, unknown=False))
        with np.errstate(over="ignore"):  # whoever takes the values checks that they are finite
            return values.astype(check_precision(f"{where} dtype", floatx() if dtype is None else dtype))

    def values(self, shape: Sequence[int]) -> np.ndarray:
        """The numbers in float64: what a subclass defines."""
        raise NotImplementedError(
            explain(type(self).__name__, "a method values(self, shape)", "none", "Return an array of that shape.")
        )


class Zeros(Initializer):
    """All zeros."""

    def values(self, shape: Sequence[int]) -> np.ndarray:
        return np.zeros(shape)


class Ones(Initializer):
    """All ones."""

    def values(self, shape: Sequence[int]) -> np.ndarray:
        return np.ones(shape)


class Constant(Initializer):
    """All `value`, or an array that is broadcast to the shape: one number for each output, or a whole kernel."""

    value: float | np.ndarray

    def __init__(self, value: Any = 0.0) -> None:
        if isinstance(value, (list, tuple, np.ndarray)):
            self.value = arguments.array("Constant value", "numbers", value, finite=True)
        else:
            self.value = arguments.number("Constant value", value)

    def values(self, shape: Sequence[int]) -> np.ndarray:
        try:
            return np.broadcast_to(self.value, shape)
        except ValueError:
            expected, found = f"a value for the shape {tuple(shape)}", f"shape {np.shape(self.value)}"
            raise ValueError(explain("Constant", expected, found, "Reshape it.")) from None


class _Random(Initializer):
    """An initialiser that draws random numbers; without a seed it takes the next one from `set_random_seed`'s."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = None if seed is None else arguments.seed(f"{type(self).__name__} seed", seed)

    def generator(self) -> np.random.Generator:
        return np.random.default_rng(draw_seed() if self.seed is None else self.seed)


class RandomNormal(_Random):
    """Normal with the given mean and standard deviation."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = arguments.number("RandomNormal mean", mean)
        self.stddev = arguments.non_negative("RandomNormal stddev", stddev)

    def values(self, shape: Sequence[int]) -> np.ndarray:
        return self.generator().normal(self.mean, self.stddev, shape)


class RandomUniform(_Random):
    """Uniform between minval and maxval."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval = arguments.number("RandomUniform minval", minval)
        self.maxval = arguments.number("RandomUniform maxval", maxval, least=self.minval)

    def values(self, shape: Sequence[int]) -> np.ndarray:
        return self.generator().uniform(self.minval, self.maxval, shape)


class TruncatedNormal(_Random):
    """Normal with the given mean and standard deviation; values more than two standard deviations off are redrawn."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = arguments.number("TruncatedNormal mean", mean)
        self.stddev = arguments.non_negative("TruncatedNormal stddev", stddev)

    def values(self, shape: Sequence[int]) -> np.ndarray:
        return self.mean + self.stddev * _truncated(self.generator(), shape)


def _truncated(generator: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
    """Standard normal, redrawn where it is outside ±2."""
    values = generator.normal(size=shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = generator.normal(size=int(outside.sum()))
    return values


class VarianceScaling(_Random):
    """Draws with variance scale / n; n is fan_in, fan_out, or their mean.

    mode is "fan_in", "fan_out" or "fan_avg"; distribution "truncated_normal", "untruncated_normal" or "uniform".
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        self.scale = arguments.non_negative("VarianceScaling scale", scale)
        self.mode = arguments.choice("VarianceScaling mode", mode, MODES, "a mode")
        self.distribution = arguments.choice("VarianceScaling distribution", distribution, DRAWS, "a distribution")

    def values(self, shape: Sequence[int]) -> np.ndarray:
        variance = self.scale / max(1.0, MODES[self.mode](*fans(shape)))
        return DRAWS[self.distribution](self.generator(), variance, shape)


MODES: dict[str, Callable[[float, float], float]] = {
    "fan_in": lambda fan_in, fan_out: fan_in,
    "fan_out": lambda fan_in, fan_out: fan_out,
    "fan_avg": lambda fan_in, fan_out: (fan_in + fan_out) / 2,
}

DRAWS: dict[str, Callable[[np.random.Generator, float, Sequence[int]], np.ndarray]] = {
    "truncated_normal": lambda draw, variance, shape: _truncated(draw, shape) * np.sqrt(variance) / TRUNCATED_STDDEV,
    "untruncated_normal": lambda draw, variance, shape: draw.normal(0, np.sqrt(variance), shape),
    "uniform": lambda draw, variance, shape: draw.uniform(-np.sqrt(3 * variance), np.sqrt(3 * variance), shape),
}
"""Numbers of mean 0 and a given variance."""


class GlorotUniform(VarianceScaling):
    """Uniform in ±√(6 / (fan_in + fan_out)): Keras's default for kernels."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "uniform", seed)


class GlorotNormal(VarianceScaling):
    """Truncated normal of variance 2 / (fan_in + fan_out)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "truncated_normal", seed)


class HeUniform(VarianceScaling):
    """Uniform in ±√(6 / fan_in): for relu, which halves the variance."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "uniform", seed)


class HeNormal(VarianceScaling):
    """Truncated normal of variance 2 / fan_in: for relu, which halves the variance."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "truncated_normal", seed)


class LecunUniform(VarianceScaling):
    """Uniform in ±√(3 / fan_in)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "uniform", seed)


class LecunNormal(VarianceScaling):
    """Truncated normal of variance 1 / fan_in."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "truncated_normal", seed)


CLASSES: dict[str, type[Initializer]] = {
    cls.__name__: cls
    for cls in (
        Zeros,
        Ones,
        Constant,
        RandomNormal,
        RandomUniform,
        TruncatedNormal,
        VarianceScaling,
        GlorotUniform,
        GlorotNormal,
        HeUniform,
        HeNormal,
        LecunUniform,
        LecunNormal,
    )
}

NAMES = {
    "zero": Zeros,
    "zeros": Zeros,
    "one": Ones,
    "ones": Ones,
    "constant": Constant,
    "normal": RandomNormal,
    "random_normal": RandomNormal,
    "uniform": RandomUniform,
    "random_uniform": RandomUniform,
    "truncated_normal": TruncatedNormal,
    "variance_scaling": VarianceScaling,
    "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal,
    "he_uniform": HeUniform,
    "he_normal": HeNormal,
    "lecun_uniform": LecunUniform,
    "lecun_normal": LecunNormal,
}


def fans(shape: Sequence[int]) -> tuple[float, float]:
    """fan_in and fan_out: how many inputs one output depends on, and how many outputs one input reaches.

    `shape` is (window…, in, out).
    """
    if len(shape) < 2:
        size = float(np.prod(shape))
        return size, size
    window = float(np.prod(shape[:-2]))
    return window * shape[-2], window * shape[-1]


deserialize = deserializer(CLASSES, "initializer")


def get(identifier: Any) -> Callable[..., Any]:
    """The initialiser for an Initializer, its class, a string name, a description, or a function of shape and dtype.

    Raises ValueError for an unknown name, TypeError for a function with other arguments.
    """
    if isinstance(identifier, Initializer):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if callable(identifier):
        return arguments.function("initializer", identifier, "shape", keywords=["dtype"])
    known: dict[str, type[Initializer]] = {**CLASSES, **NAMES}
    return known[arguments.choice("initializer", identifier, known, "the name of an initialiser")]()


def initial_values(where: str, identifier: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """The initial value of a parameter. Raises ValueError, TypeError or MemoryError if the initialiser fails."""
    try:
        values = get(identifier)(shape, dtype=dtype)
    except MemoryError as error:
        raise MemoryError(explain(where, f"memory for {shape}", str(error), "Make the layer smaller.")) from None
    array = arguments.array(where, "initial values", values, dtype, finite=True)
    if array.shape != shape:
        raise ValueError(explain(where, f"initial values of shape {shape}", f"{array.shape}", "Return that shape."))
    return array


def __getattr__(name: str) -> Any:
    """Keras's other names, such as he_normal for HeNormal; for anything else, the error."""
    return NAMES[name] if name in NAMES else reporter(__name__, CLASSES)(name)
