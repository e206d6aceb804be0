"""From arrays to batches: the arrays are checked once, then the batches are gathered on the device one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import arguments
from .backends import active, to_device, to_host
from .backends.contract import Array, on_gpu
from .errors import explain


class Batches:
    """Samples x, and targets y if there are any, in batches of `batch_size`; the last one may be smaller.

    Raises TypeError or ValueError, saying what was expected and found, if x or y cannot be used for training.
    """

    def __init__(
        self, x: Any, y: Any = None, batch_size: int | None = None, where: str = "data", dtype: Any = None
    ) -> None:
        self.x = check_samples(where, "x", x, dtype)
        self.y = None if y is None else _on_host(arguments.array(where, "targets y", y, dtype, finite=True))
        self._moved: tuple[Array, Array | None] | None = None
        self.batch_size = arguments.whole(f"{where} batch_size", 32 if batch_size is None else batch_size)
        if self.y is not None and self.y.shape[:1] != self.x.shape[:1]:
            remedy = "Pair x and y up again."
            raise ValueError(
                explain(where, f"as many targets as samples, {self.samples}", f"y of shape {self.y.shape}", remedy)
            )

    @property
    def samples(self) -> int:
        return len(self.x)

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)

    def slices(self) -> Iterator[slice]:
        """The slice of the samples that each batch takes."""
        return (slice(start, start + self.batch_size) for start in range(0, self.samples, self.batch_size))

    def in_order(self, dtype: Any) -> Iterator[tuple[Array, Array | None]]:
        """The batches in the samples' order, x converted to `dtype`."""
        x, y = self._on_device()
        for where in self.slices():
            yield to_device(x[where], dtype), None if y is None else y[where]

    def shuffled(self, dtype: Any, order: np.ndarray) -> Iterator[tuple[Array, Array | None]]:
        """The batches of the samples permuted by `order`, x converted to `dtype`."""
        take = active().take
        (x, y), order = self._on_device(), to_device(order)
        for where in self.slices():
            yield take(x, order[where], dtype), None if y is None else take(y, order[where], None)

    def _on_device(self) -> tuple[Array, Array | None]:
        """x and y in the active backend's memory; they are transferred once, not once per epoch."""
        if self._moved is None or not active().owns(self._moved[0]):
            self._moved = to_device(self.x), None if self.y is None else to_device(self.y)
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
            Batches(self.x[part], None if self.y is None else self.y[part], self.batch_size, "fit")
            for part in (slice(0, at), slice(at, None))
        )
        return first, last


def check_samples(where: str, what: str, x: Any, dtype: Any = None) -> np.ndarray:
    """x on the host, as an array of at least one sample whose numbers are finite in `dtype`."""
    x = _on_host(arguments.array(where, what, x, dtype, finite=True))
    if x.ndim < 2:
        raise ValueError(
            explain(where, f"{what} of shape (samples, …)", f"shape {x.shape}", "Add the batch axis: x[numpy.newaxis].")
        )
    if 0 in x.shape:
        raise ValueError(explain(where, "at least one sample", f"{what} of shape {x.shape}", "The batch is empty."))
    return x


def _on_host(array: Array) -> np.ndarray:
    return to_host(array) if on_gpu(array) else array
