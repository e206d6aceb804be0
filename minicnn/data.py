"""From arrays to batches: the arrays are checked once, then the batches are gathered on the device one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from . import arguments
from .backends import active, to_device, to_host
from .backends.contract import Array, on_gpu
from .distributed import DataParallel
from .errors import explain
from .inputs import in_their_order
from .several import each, listed

Batch = tuple[Any, "Array | None", "np.ndarray | None"]
"""x, y and the weights of the samples, in the active backend's memory but for the weights. Of several inputs, x is the
list."""


class Batches:
    """Samples x, and targets y if there are any, in batches of `batch_size`; the last one may be smaller. Of several
    inputs, x is the list of their arrays.

    Each sample may have a weight in the loss: `sample_weight` (N,), or `class_weight`, a weight for each class.
    With `steps`, an epoch has at most so many batches. With `parallel`, several processes share each batch.
    Raises TypeError or ValueError, saying what was expected and found, if x or y cannot be used for training.
    """

    parallel: DataParallel | None = None
    """With it, each batch has x of this process's shards only; y and the weights are those of the whole batch."""

    def __init__(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        where: str = "data",
        dtype: Any = None,
        input_names: Sequence[str] = ("input",),
        target_names: Sequence[str] | None = None,
        *,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        steps: int | None = None,
    ) -> None:
        self.x, self.input_names = check_inputs(where, input_names, x, dtype), input_names
        self.target_names = target_names
        self.y = None if y is None else check_targets(where, target_names, y, dtype)
        self._moved: tuple[Any, Any] | None = None
        self.batch_size = arguments.whole(f"{where} batch_size", 32 if batch_size is None else batch_size)
        self.steps = steps
        check_as_many(where, target_names, self.samples, self.y)
        self.weights = weights_of_targets(where, target_names, self.samples, self.y, sample_weight, class_weight)

    @property
    def samples(self) -> int:
        return len(listed(self.x)[0])

    @property
    def count(self) -> int:
        """The number of batches of an epoch."""
        whole = -(-self.samples // self.batch_size)
        return whole if self.steps is None else min(whole, self.steps)

    def slices(self) -> Iterator[slice]:
        """The slice of the samples that each batch takes."""
        starts = range(0, self.samples, self.batch_size)
        return (slice(start, start + self.batch_size) for start in starts[: self.steps])

    def own(self, where: slice) -> slice:
        """The samples of a batch whose x this process takes: all of them, unless several processes share the batch."""
        if self.parallel is None:
            return where
        return self.parallel.own(where.start, min(where.stop, self.samples))

    def in_order(self, dtype: Any) -> Iterator[Batch]:
        """The batches in the samples' order, x converted to `dtype`."""
        x, y = self._on_device()
        for rows in self.slices():
            own = self.own(rows)
            yield each(lambda one: to_device(one[own], dtype), x), _rows(y, rows), _rows(self.weights, rows)  # noqa: B023

    def shuffled(self, dtype: Any, order: np.ndarray) -> Iterator[Batch]:
        """The batches of the samples permuted by `order`, x converted to `dtype`."""
        take = active().take
        weights = _rows(self.weights, order)
        (x, y), order = self._on_device(), to_device(order)
        for rows in self.slices():
            own, whole = order[self.own(rows)], order[rows]
            xb = each(lambda one: take(one, own, dtype), x)  # noqa: B023
            yield xb, None if y is None else each(lambda one: take(one, whole, None), y), _rows(weights, rows)  # noqa: B023

    def _on_device(self) -> tuple[Any, Any]:
        """x and y in the active backend's memory; they are transferred once, not once per epoch."""
        if self._moved is None or not active().owns(listed(self._moved[0])[0]):
            self._moved = each(to_device, self.x), None if self.y is None else each(to_device, self.y)
        return self._moved

    def split(self, share: float) -> tuple[Batches, Batches]:
        """Two parts: all but the last `share` of the samples, and that last share (Keras's validation_split)."""
        arguments.fraction("fit validation_split", share)
        at = int(self.samples * (1 - share))
        if not 0 < at < self.samples:
            raise ValueError(
                explain("fit validation_split", "a share that leaves samples on both sides", share, "Use more samples.")
            )
        first, last = (
            Batches(
                _rows(self.x, part),
                _rows(self.y, part),
                self.batch_size,
                "fit",
                input_names=self.input_names,
                target_names=self.target_names,
                sample_weight=_rows(self.weights, part),
            )
            for part in (slice(0, at), slice(at, None))
        )
        first.steps = self.steps
        return first, last


def _rows(arrays: Any, which: Any) -> Any:
    """These rows of an array, or of a list of arrays; None of None."""
    return None if arrays is None else each(lambda one: one[which], arrays)


def check_targets(where: str, names: Sequence[str] | None, y: Any, dtype: Any) -> Any:
    """y on the host, as an array of finite numbers; of several outputs, the list in the order of these names."""
    if names is None:
        return _on_host(arguments.array(where, "targets y", y, dtype, finite=True))
    return [check_targets(f"{where}, output {name!r}", None, one, dtype) for name, one in zip(names, y, strict=True)]


def check_as_many(where: str, names: Sequence[str] | None, samples: int, y: Any) -> None:
    """Raise ValueError unless there are as many targets as samples, for each of several outputs."""
    for number, one in enumerate([] if y is None else listed(y)):
        if one.shape[:1] != (samples,):
            where = f"{where}, output {names[number]!r}" if names else where
            expected, found = f"as many targets as samples, {samples}", f"y of shape {one.shape}"
            raise ValueError(explain(where, expected, found, "Pair x and y up again."))


def weights_of_targets(
    where: str, names: Sequence[str] | None, samples: int, y: Any, sample_weight: Any, class_weight: Any
) -> Any:
    """weights_of_samples; of several outputs, a list for their targets, from one array for all, a list or a dict."""
    if names is None:
        return weights_of_samples(where, samples, y, sample_weight, class_weight)
    if class_weight is not None:
        remedy = "Give sample_weight, a list with the weights of the samples for each output."
        raise ValueError(explain(f"{where} class_weight", "None, for several outputs", "a dict", remedy))
    if sample_weight is None:
        return None
    if not isinstance(sample_weight, (list, tuple, dict)):
        sample_weight = [sample_weight] * len(names)
    if len(names) > 1:
        sample_weight = in_their_order(f"{where} sample_weight", names, sample_weight)
    given = (np.ones(samples) if one is None else one for one in sample_weight)
    return [weights_of_samples(where, samples, one, weights, None) for one, weights in zip(y, given, strict=True)]


def weights_of_samples(
    where: str, samples: int, y: np.ndarray | None, sample_weight: Any, class_weight: Mapping[int, float] | None
) -> np.ndarray | None:
    """The weights, (N,) or (N, …), or None if neither is given. A class that class_weight lacks has the weight 1."""
    if sample_weight is not None:
        if class_weight is not None:
            found, remedy = "both", "Multiply them: sample_weight = weights * [class_weight[label] for label in y]."
            raise ValueError(explain(where, "sample_weight or class_weight", found, remedy))
        weights = _on_host(arguments.array(where, "sample_weight", sample_weight, finite=True))
        if weights.shape[:1] != (samples,):
            expected, found = f"sample_weight with one entry for each of {samples} samples", f"shape {weights.shape}"
            raise ValueError(explain(where, expected, found, "Give a weight for each sample, or none at all."))
        return weights.astype(np.float64)
    if class_weight is None or y is None:
        return None
    if not isinstance(class_weight, Mapping):
        found = type(class_weight).__name__
        raise TypeError(explain(f"{where} class_weight", "a dict", found, "Example: {0: 1.0, 1: 5.0}."))
    labels = y.argmax(axis=-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(samples, -1)[:, 0]
    known = {int(label): arguments.non_negative(f"{where} class_weight", w) for label, w in class_weight.items()}
    numbers, inverse = np.unique(labels, return_inverse=True)
    return np.array([known.get(int(number), 1.0) for number in numbers])[inverse]


def check_inputs(where: str, names: Sequence[str], x: Any, dtype: Any) -> Any:
    """check_samples of x; of several inputs, x is the list in the order of their names."""
    if len(names) == 1:
        return check_samples(where, "x", x, dtype)
    return [check_samples(f"{where}, input {name!r}", "x", one, dtype) for name, one in zip(names, x, strict=True)]


def check_samples(where: str, what: str, x: Any, dtype: Any = None) -> np.ndarray:
    """x on the host, as an array of at least one sample whose numbers are finite in `dtype`."""
    x = _on_host(arguments.array(where, what, x, dtype, finite=True))
    if x.ndim < 2:
        raise ValueError(
            explain(where, f"{what} of shape (samples, …)", f"shape {x.shape}", "Add the batch axis: x[numpy.newaxis].")
        )
    if 0 in x.shape:
        raise ValueError(
            explain(where, "at least one sample", f"{what} of shape {x.shape}", "Leave out empty batches.")
        )
    return x


def _on_host(array: Array) -> np.ndarray:
    return to_host(array) if on_gpu(array) else array
