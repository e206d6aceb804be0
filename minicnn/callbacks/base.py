"""The base class of callbacks, and the list of them that `fit` calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from .. import arguments
from ..compatibility import missing_member
from ..errors import explain

Logs = Mapping[str, float]

DAMAGED = "The model file is damaged, or another program wrote it."


class Callback:
    """Base class of all callbacks: override what you need. `self.model` is the model that is being trained.

    As in Keras, every method gets `logs`, a mapping of metrics; it is empty before there are any.

    A callback whose decisions depend on earlier epochs implements `get_state` and `set_state`. A saved model stores
    the state, and a resumed `fit` restores it.
    """

    model: Any

    params: Mapping[str, Any] = MappingProxyType({})
    """Of fit: epochs, steps (batches of an epoch, or None), verbose, and whether there is a validation."""

    def __getattr__(self, name: str) -> Any:
        """Called for an attribute that does not exist."""
        raise missing_member(self, "Callback", name)

    def set_params(self, params: Mapping[str, Any]) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self.model = model

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch, or when training is interrupted."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch, counted from 0."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before an epoch's validation, and before evaluate."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """After an epoch's validation, and after evaluate; logs has loss and the metrics."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of a validation or of evaluate."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of a validation or of evaluate; logs has the metrics so far."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Before predict."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """After predict."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of predict."""

    def on_predict_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """After a batch of predict; logs has its outputs, a NumPy array."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """After an epoch and its validation; logs has loss, the metrics, and both for validation with prefix val_.

        What a callback adds to logs, later callbacks and the History see, too.
        """

    def on_checkpoint(self, epoch: int, logs: Logs) -> None:
        """After all callbacks' on_epoch_end. Save the model here: all callback states are of this epoch."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a step."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """After a step; logs has the epoch's metrics so far."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Keras's other name of on_train_batch_begin."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Keras's other name of on_train_batch_end."""

    def get_state(self) -> dict[str, Any]:
        """The state that a resumed training needs: finite numbers, text, lists, dicts and NumPy arrays."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what get_state returned; called after on_train_begin. Raises ValueError for a damaged state."""


SIGNATURES = {
    "set_model": ("model",),
    "set_params": ("params",),
    "on_train_begin": ("logs",),
    "on_train_end": ("logs",),
    "on_epoch_begin": ("epoch", "logs"),
    "on_test_begin": ("logs",),
    "on_test_end": ("logs",),
    "on_test_batch_begin": ("batch", "logs"),
    "on_test_batch_end": ("batch", "logs"),
    "on_predict_begin": ("logs",),
    "on_predict_end": ("logs",),
    "on_predict_batch_begin": ("batch", "logs"),
    "on_predict_batch_end": ("batch", "logs"),
    "on_epoch_end": ("epoch", "logs"),
    "on_checkpoint": ("epoch", "logs"),
    "on_train_batch_begin": ("batch", "logs"),
    "on_train_batch_end": ("batch", "logs"),
}
"""The arguments that a callback's methods are called with."""


class CallbackList:
    """Calls the same method of every callback, in order.

    A state's name is the callback's class, with a number from the second of the class on ("ModelCheckpoint_1").
    """

    def __init__(self, callbacks: Sequence[Callback], model: Any, states: Mapping[str, Any] | None = None) -> None:
        self._callbacks = list(callbacks)
        self._states = dict(states or {})
        for callback in self._callbacks:
            for method, names in SIGNATURES.items():
                arguments.function(f"{type(callback).__name__} {method}", getattr(callback, method), *names)
            callback.set_model(model)

    def on_train_begin(self, logs: Logs) -> None:
        """Call on_train_begin, then restore the states that the list was made with."""
        for callback in self._callbacks:
            callback.on_train_begin(logs)
        for name, callback in self._by_name().items():
            if name in self._states:
                callback.set_state(self._states[name])

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        for callback in self._callbacks:
            callback.on_epoch_end(epoch, logs)
        for callback in self._callbacks:
            callback.on_checkpoint(epoch, logs)

    def get_state(self) -> dict[str, Any]:
        """All callbacks' states by name, and the states of the constructor that no callback here has replaced."""
        states = {name: callback.get_state() for name, callback in self._by_name().items()}
        return self._states | {name: state for name, state in states.items() if state}

    def _by_name(self) -> dict[str, Callback]:
        names: dict[str, Callback] = {}
        for callback in self._callbacks:
            name, copies = type(callback).__name__, 0
            while name in names:
                name = f"{type(callback).__name__}_{(copies := copies + 1)}"
            names[name] = callback
        return names

    def __getattr__(self, method: str) -> Callable[..., None]:
        if method not in SIGNATURES:
            raise AttributeError(method)

        def call_all(*args: Any, **named: Any) -> None:
            for callback in self._callbacks:
                getattr(callback, method)(*args, **named)

        return call_all


def number_in(where: str, state: dict[str, Any], name: str, kinds: Any) -> Any:
    """The number of this name in a saved state. Raises ValueError if it is missing or not a finite number."""
    number = state.get(name)
    if not isinstance(number, kinds) or isinstance(number, bool) or not np.isfinite(number):
        raise ValueError(explain(f"{where} state", f"a number {name}", repr(number), DAMAGED))
    return number
