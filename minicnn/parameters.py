"""Parameters, and how one thread updates them while others read them.

A reader takes a snapshot: the arrays of all weights at one moment. These arrays do not change afterwards: only the
optimiser works in place, and it first replaces every array that a snapshot holds by a copy (copy on write). So a reader
keeps one consistent set of weights as long as it needs, and waits for at most one optimiser step.

Batch norm updates its statistics in the forward, before the optimiser updates the rest. Until the training step ends,
other threads see the statistics from before it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock, Thread, current_thread, local
from typing import Any

import numpy as np

from . import arguments
from .backends import to_device, to_host
from .backends.contract import Array
from .compatibility import missing_member
from .errors import explain, shown
from .regularizers import Regularizer


class Parameter:
    """One array of a layer: `name`, `value` and, if it is trainable, `grad` (None before a backward).

    `regularizer` is the penalty on its value in the loss, or None.
    """

    def __init__(self, name: str, value: Array, trainable: bool = True, regularizer: Regularizer | None = None) -> None:
        self.name = name
        self.value = value
        self.grad: Array | None = None
        self.trainable = trainable
        self.regularizer = regularizer
        self._handed_out = False  # whether a snapshot holds the array
        self._before: tuple[Array, _Step] | None = None  # what other threads see until that step ends

    @property
    def value(self) -> Array:
        return self._value

    @value.setter
    def value(self, array: Array) -> None:
        if not hasattr(array, "dtype") or not hasattr(array, "shape"):
            remedy = "numpy.asarray(…, dtype=…) makes one; layer.set_weights takes lists."
            raise TypeError(explain(self.name, "a value that is an array", shown(array), remedy))
        self._value = array

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    @property
    def dtype(self) -> np.dtype:
        return self.value.dtype

    def numpy(self) -> np.ndarray:
        """A copy of the value, on the host."""
        return np.array(to_host(self.value))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __float__(self) -> float:
        """The number of a parameter of one entry."""
        return float(self.numpy().item())

    def assign(self, value: Any) -> None:
        """Replace the value by these numbers. Raises ValueError unless they have its shape."""
        numbers = arguments.array(self.name, "a value", value)
        if tuple(numbers.shape) != self.shape:
            found = f"shape {tuple(numbers.shape)}"
            raise ValueError(explain(self.name, f"a value of shape {self.shape}", found, "Reshape it."))
        replace_all([self], [to_device(numbers, self.dtype, copy=True)])

    def hold(self) -> None:
        """Let other threads see the present value until this thread's training step ends, even if it changes."""
        with _lock:
            if self._before is None or not self._before[1].under_way:
                self._before = self.value, _this_step()

    def __getattr__(self, name: str) -> Any:
        """Called for an attribute that does not exist."""
        raise missing_member(self, "Parameter", name)

    def __getstate__(self) -> dict[str, Any]:
        """The state of a copy: the original's training step is not the copy's."""
        return {**vars(self), "_before": None}

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, shape={self.shape}, dtype={self.value.dtype})"


def snapshot_of(parameters: Sequence[Parameter | None]) -> list[Array | None]:
    """The arrays of all these parameters at one moment, to be read only; None for None.

    A thread sees all of its own updates, and those of other threads up to their last complete training step.
    """
    given = [parameter for parameter in parameters if parameter is not None]
    with _lock:
        if _this_step() in [parameter._before[1] for parameter in given if parameter._before]:
            _end_step()
        for parameter in given:
            parameter._handed_out = True
        return [parameter and _published(parameter) for parameter in parameters]


def replace_all(parameters: Sequence[Parameter], arrays: Sequence[Array]) -> None:
    """Give all parameters new arrays at one moment: a snapshot holds all of them or none."""
    with _lock:
        for parameter, array in zip(parameters, arrays, strict=True):
            parameter.value, parameter._handed_out = array, False
            if parameter._before is not None:
                parameter._before = array, parameter._before[1]


@contextmanager
def moving(parameters: Sequence[Parameter]) -> Iterator[None]:
    """A block that writes to the parameters' arrays in place and ends this thread's training step."""
    with _lock:
        for parameter in parameters:
            if parameter._handed_out:
                parameter.value, parameter._handed_out = to_device(parameter.value, copy=True), False
        yield
        _end_step()


class _Step:
    """A training step of one thread, from its first forward in training to its optimiser's step."""

    def __init__(self, thread: Thread) -> None:
        self.thread = thread
        self.ended = False

    @property
    def under_way(self) -> bool:
        return not self.ended and self.thread.is_alive()


_steps = local()  # `now`: this thread's training step

_lock = Lock()
"""Held while an optimiser writes, and while a snapshot is taken. One for the process: networks may share layers."""


def _this_step() -> _Step:
    if not hasattr(_steps, "now"):
        _steps.now = _Step(current_thread())
    return _steps.now


def _end_step() -> None:
    """Let other threads see the updates of this thread's training step. The caller holds the lock."""
    _this_step().ended = True
    del _steps.now


def _published(parameter: Parameter) -> Array:
    """The array that a snapshot of the parameter holds."""
    before = parameter._before
    return before[0] if before and before[1].under_way else parameter._value


def _renew_lock() -> None:
    """After a fork: the thread that held the lock does not exist in the child."""
    global _lock
    _lock = Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_lock)
