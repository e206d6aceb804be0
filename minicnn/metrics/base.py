"""The base classes of metrics: numbers that say how good predictions are, over all batches since the last reset."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np

from .. import arguments
from ..backends import to_host
from ..compatibility import missing_member
from ..configurable import Accepted, Configurable
from ..errors import explain


class Metric(Configurable):
    """Base class of all metrics. One of your own defines update_state, result and reset_state.

    metric.update_state(y_true, y_pred)     # one batch
    metric.result()                         # over all batches so far
    metric.reset_state()                    # begin anew, as fit does before each epoch
    """

    accepted_at_default: ClassVar[dict[str, Any]] = {
        "dtype": Accepted((None, "float32", "float64"), "Results are Python's floats, summed up in float64.")
    }

    takes_logits = False
    """Whether it depends only on the order of each row's outputs, so that softmax does not change it."""

    larger_is_better: bool | None = None
    """Which way is up, for EarlyStopping(mode="auto"); None if it is unknown."""

    def __init__(self, name: str | None = None) -> None:
        cls = type(self).__name__
        name = re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", cls).lower() if name is None else name
        self.name = arguments.text(f"{cls} name", name)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add one batch."""
        expected = "a method update_state(self, y_true, y_pred, sample_weight=None)"
        raise NotImplementedError(explain(type(self).__name__, expected, "none", "Add one batch in it."))

    def result(self) -> Any:
        """The metric over all batches since the last reset."""
        raise NotImplementedError(explain(type(self).__name__, "a method result(self)", "none", "Return a number."))

    def reset_state(self) -> None:
        """Forget all batches."""
        expected, remedy = "a method reset_state(self)", "Set the sums to 0 in it."
        raise NotImplementedError(explain(type(self).__name__, expected, "none", remedy))

    def fresh(self) -> Metric:
        """A copy that has seen no batch."""
        twin = deepcopy(self)
        twin.reset_state()
        return twin

    def __call__(self, *batch: Any, **options: Any) -> Any:
        """Add one batch; returns the result over all batches so far."""
        self.update_state(*batch, **options)
        return self.result()

    def __getattr__(self, name: str) -> Any:
        """Called for an attribute that does not exist."""
        raise missing_member(self, "Metric", name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class Reduction(Metric):
    """A metric of values, weighted or not: the base of Mean and Sum."""

    total, count = 0.0, 0.0

    def reset_state(self) -> None:
        self.total, self.count = 0.0, 0.0

    def add(self, values: Any, sample_weight: Any, over_the_rest: Callable[..., Any]) -> None:
        """Add values (N, …); those of one sample become one number by `over_the_rest`, np.mean or np.sum.

        sample_weight: a number, or (N,), or an array of the values' shape. The weights of a mean are summed up, too.
        """
        values = numbers(self.name, "values", values).astype(np.float64)
        weights = None
        if sample_weight is not None:
            weights = numbers(self.name, "sample_weight", sample_weight).astype(np.float64)
            if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
                weights = weights[..., 0]
            values = over_the_rest(values, axis=tuple(range(weights.ndim, values.ndim))) if weights.ndim else values
            try:
                weights = np.broadcast_to(weights, values.shape)
            except ValueError:
                expected, found = f"weights for values of shape {values.shape}", f"shape {np.shape(sample_weight)}"
                raise ValueError(explain(self.name, expected, found, "Give one weight for each sample.")) from None
            values = values * weights
        if values.ndim > 1:
            rest = tuple(range(1, values.ndim))
            values = over_the_rest(values, axis=rest)
            weights = None if weights is None else over_the_rest(weights, axis=rest)
        self.total += float(values.sum())
        self.count += float(values.size if weights is None else weights.sum())


class Mean(Reduction):
    """The mean of values: Σ w · value / Σ w, with weights of 1 if none are given."""

    def __init__(self, name: str = "mean") -> None:
        super().__init__(name)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]  # as in Keras
        self.add(values, sample_weight, np.mean)

    def result(self) -> float:
        return self.total / self.count if self.count else 0.0


class Sum(Reduction):
    """The sum of values, Σ w · value."""

    def __init__(self, name: str = "sum") -> None:
        super().__init__(name)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]  # as in Keras
        self.add(values, sample_weight, np.sum)

    def result(self) -> float:
        return self.total


class MeanMetricWrapper(Reduction):
    """The mean of a function of each sample, fn(y_true, y_pred, **kwargs) -> (N, …), with NumPy arrays."""

    def __init__(self, fn: Callable[..., Any], name: str | None = None, **options: Any) -> None:
        fn = arguments.function("MeanMetricWrapper fn", fn, "y_true", "y_pred", keywords=options)
        super().__init__(getattr(fn, "__name__", None) if name is None else name)
        self.fn, self.options = fn, options

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = numbers(self.name, "y_true", y_true), numbers(self.name, "y_pred", y_pred)
        self.add(self.fn(y_true, y_pred, **self.options), sample_weight, np.mean)

    def result(self) -> float:
        return self.total / self.count if self.count else 0.0


def numbers(where: str, what: str, value: Any) -> np.ndarray:
    """The value as a NumPy array of real numbers. Raises TypeError or ValueError."""
    return to_host(arguments.array(where, what, value))


def share(part: Any, whole: Any) -> np.ndarray:
    """part / whole, entry by entry; 0 where whole is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)


def decisions(y_pred: np.ndarray, thresholds: Any) -> np.ndarray:
    """y_pred (…) > threshold, for each of T thresholds -> (T, …).

    The thresholds are rounded to y_pred's precision: 0.3 in float32 is larger than 0.3 in float64.
    """
    precision = y_pred.dtype if y_pred.dtype.kind == "f" else np.float64
    return np.less.outer(np.asarray(thresholds, precision), y_pred)


def decision_weights(where: str, sample_weight: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Weights of decisions of this shape: 1 for None, one for each sample (N,) or (N, 1), or one for each decision."""
    weights = np.ones(()) if sample_weight is None else numbers(where, "sample_weight", sample_weight)
    if weights.ndim == len(shape) + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    if weights.ndim:
        weights = weights.reshape(weights.shape + (1,) * (len(shape) - weights.ndim))
    try:
        return np.broadcast_to(weights.astype(np.float64), shape)
    except ValueError:
        expected, found = f"weights for decisions of shape {shape}", f"shape {np.shape(sample_weight)}"
        raise ValueError(
            explain(f"{where} sample_weight", expected, found, "Give one weight for each sample, or for each decision.")
        ) from None
