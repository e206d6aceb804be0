"""LambdaCallback: a callback of functions; TerminateOnNaN: how a training ends when its loss is not a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import arguments
from .base import SIGNATURES, Callback


class LambdaCallback(Callback):
    """A callback made of functions: LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"])).

    Each gets the arguments of Callback's method of the same name.
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **others: Callable[..., Any],
    ) -> None:
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **others,
        }
        known = {**SIGNATURES, "on_batch_begin": ("batch", "logs"), "on_batch_end": ("batch", "logs")}
        for name, function in given.items():
            arguments.choice("LambdaCallback", name, known, "the name of a callback's method")
            if function is not None:
                setattr(self, name, arguments.function(f"LambdaCallback {name}", function, *known[name]))


class TerminateOnNaN(Callback):
    """Ends the training quietly when the loss is NaN or infinite: `fit` prints the cause and returns the History.

    Without this callback, fit raises NonFiniteError.
    """

    def __init__(self, raise_error: bool = False) -> None:
        """With raise_error=True, Keras raises, too; that is what fit does without this callback."""
        self.raise_error = arguments.flag("TerminateOnNaN raise_error", raise_error)
