"""Losses: the textbook's. On a batch's few scores the calls cost more than the numbers."""

from ..textbook import (
    accumulate,
    count_correct,
    crossentropy,
    crossentropy_backward,
    mean_squared_error,
    mean_squared_error_backward,
    one_hot,
    softmax_crossentropy,
    softmax_crossentropy_backward,
)

__all__ = [
    "accumulate",
    "count_correct",
    "crossentropy",
    "crossentropy_backward",
    "mean_squared_error",
    "mean_squared_error_backward",
    "one_hot",
    "softmax_crossentropy",
    "softmax_crossentropy_backward",
]
