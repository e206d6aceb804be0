"""Batches from an iterable: a generator, a list, PyTorch's DataLoader, tf.data's Dataset, a Keras Sequence."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from . import arguments
from .backends import to_device
from .data import Batch, check_as_many, check_inputs, check_targets, weights_of_targets
from .errors import explain
from .inputs import in_their_order
from .losses import Loss
from .outputs import targets_in_order
from .several import each, listed

END = object()

Check = Callable[[Any, Any], Any]
"""check(x, y): the targets of a batch in the form that the loss takes; raises an error if they do not fit."""


class Stream:
    """Batches x, (x, y) or (x, y, sample_weight) from an iterable; each is checked when it comes.

    Without `steps`, an epoch is one pass through the iterable. With `steps`, it has so many batches, and the next
    epoch continues with the following one; at the end of the iterable, it begins anew, if it can.
    """

    parallel = None  # processes do not share batches that come one by one

    def __init__(
        self,
        source: Any,
        where: str,
        dtype: Any,
        input_names: Sequence[str] = ("input",),
        loss: Loss | None = None,
        *,
        class_weight: Mapping[int, float] | None = None,
        steps: int | None = None,
        check: Check | None = None,
    ) -> None:
        self.source, self.where, self.dtype, self.input_names, self.loss = source, where, dtype, input_names, loss
        self.class_weight, self.steps, self.check = class_weight, steps, check
        self._rest: Iterator[Any] | None = None

    @property
    def count(self) -> int | None:
        """The number of batches of an epoch; None if it is not known before."""
        if self.steps is not None:
            return self.steps
        try:
            return len(self.source)
        except TypeError:
            return None

    def in_order(self, dtype: Any) -> Iterator[Batch]:
        """The batches of one epoch; none, with a warning, if there are no more."""
        number = 0
        while self.steps is None or number < self.steps:
            item = self._next(begin=number == 0 or self.steps is not None)
            if item is END:
                break
            yield self._checked(item, dtype)
            number += 1
        if number == 0 or (self.steps is not None and number < self.steps):
            warnings.warn(
                f"{self.where}: the data ended after {number} of {self.steps or 'an unknown number of'} batches. "
                "A generator can be read once only: let it repeat its data for ever, and say how many batches an epoch "
                "has (steps_per_epoch, validation_steps, steps).",
                stacklevel=2,
            )
        if hasattr(self.source, "on_epoch_end"):  # a Keras Sequence
            self.source.on_epoch_end()

    def _next(self, begin: bool) -> Any:
        """The next item; at the end, the first one of a new pass if it may begin."""
        if self._rest is not None:
            item = next(self._rest, END)
            if item is not END:
                return item
            self._rest = None
        if not begin:
            return END
        self._rest = self._pass()
        item = next(self._rest, END)
        self._rest = None if item is END else self._rest
        return item

    def _pass(self) -> Iterator[Any]:
        if _is_sequence(self.source):
            return (self.source[number] for number in range(len(self.source)))
        return iter(self.source)

    def _checked(self, item: Any, dtype: Any) -> Batch:
        parts = tuple(item) if isinstance(item, (tuple, list)) else (item,)
        if not 1 <= len(parts) <= 3:
            found, remedy = f"{len(parts)} parts", "Yield a tuple of arrays."
            raise ValueError(explain(self.where, "batches x, (x, y) or (x, y, sample_weight)", found, remedy))
        x, y, weight = (*parts, None, None)[:3]
        x = in_their_order(self.where, self.input_names, x)
        x = check_inputs(self.where, self.input_names, x, self.dtype)
        moved = each(lambda one: to_device(one, dtype), x)
        if self.check is None:
            return moved, None, None
        if y is None:
            raise ValueError(explain(self.where, "batches (x, y)", "x alone", "Give one target per sample."))
        names, y = targets_in_order(self.where, self.loss, y)
        y = self.check(x, check_targets(self.where, names, y, self.dtype))
        samples = len(listed(x)[0])
        check_as_many(self.where, names, samples, y)
        weights = weights_of_targets(self.where, names, samples, y, weight, self.class_weight)
        return moved, each(to_device, y), weights


def is_stream(x: Any, y: Any) -> bool:
    """Whether x is an iterable of batches, and not an array of samples."""
    if y is not None or hasattr(x, "__array__") or hasattr(x, "dtype"):
        return False
    if isinstance(x, (str, bytes, memoryview, Mapping)):
        return False
    if isinstance(x, (list, tuple)):
        return bool(x) and all(isinstance(item, tuple) and item and getattr(item[0], "ndim", 0) > 1 for item in x)
    return _is_sequence(x) or isinstance(x, Iterable)


def _is_sequence(source: Any) -> bool:
    """Whether it has batches by number, as a Keras Sequence or PyDataset, but does not count its own end."""
    return hasattr(source, "__getitem__") and hasattr(source, "__len__") and not isinstance(source, (list, tuple))


def steps(where: str, value: Any) -> int | None:
    """A number of batches, or None."""
    return None if value is None else arguments.whole(where, value)
