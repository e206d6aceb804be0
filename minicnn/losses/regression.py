"""Losses for numbers: how far predictions are from their targets."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends.contract import Array
from .base import Loss


class MeanSquaredError(Loss):
    """loss = mean (y_pred − y_true)², over samples and outputs."""

    name = "mean_squared_error"

    def call(self, y_true: Array, y_pred: Array) -> Array:
        value, self.saved = self.ops.mean_squared_error(y_pred, self.target_numbers(y_true, y_pred))
        return value

    def call_backward(self) -> Array:
        return self.ops.mean_squared_error_backward(self.saved)

    def call_each(self, y_true: Array, y_pred: Array) -> Array:
        losses, self.saved = self.ops.squared_errors(y_pred, self.target_numbers(y_true, y_pred))
        return losses

    def call_each_backward(self, dy: Array) -> Array:
        return self.ops.squared_errors_backward(dy, self.saved)


class MeanAbsoluteError(Loss):
    """loss = mean |y_pred − y_true|, over samples and outputs: outliers count less than in the squared error."""

    name = "mean_absolute_error"

    def call_each(self, y_true: Array, y_pred: Array) -> Array:
        losses, self.saved = self.ops.absolute_errors(y_pred, self.target_numbers(y_true, y_pred))
        return losses

    def call_each_backward(self, dy: Array) -> Array:
        return self.ops.absolute_errors_backward(dy, self.saved)


class Huber(Loss):
    """loss = mean of e²/2 where |e| ≤ delta and of delta · |e| − delta²/2 beyond, e = y_pred − y_true.

    The mean is over samples and outputs. Near its target a prediction has the gradient of a squared error; an outlier
    pulls no harder than an error of delta (Huber, 1964).
    """

    name = "huber_loss"

    def __init__(self, delta: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.delta = arguments.non_negative("Huber delta", delta)

    def call_each(self, y_true: Array, y_pred: Array) -> Array:
        losses, self.saved = self.ops.huber_errors(y_pred, self.target_numbers(y_true, y_pred), self.delta)
        return losses

    def call_each_backward(self, dy: Array) -> Array:
        return self.ops.huber_errors_backward(dy, self.saved)
