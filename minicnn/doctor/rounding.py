"""The rounding errors of two layers of Model 5, with and without TF32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backends import active, textbook, use_backend
from .checks import compare, flat
from .machine import one_line

# The shape of the weights, and of the inputs without the batch axis.
LAYERS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "conv2d": ((3, 3, 32, 64), (14, 14, 32)),
    "dense": ((1152, 128), (1152,)),
}


@dataclass(frozen=True)
class Rounding:
    """The largest error of an operation and its backward, relative to the largest number of each array."""

    backend: str
    operation: str
    tf32: bool
    error: float | None
    problem: str | None  # the reason if there is no error


def rounding_errors(backend: str, batch_size: int, tf32: bool = False) -> list[Rounding]:
    """float32 compared with the textbook in float64, on normally distributed numbers: eighths are exact in TF32, too.

    Raises BackendError if the backend cannot be used.
    """
    with use_backend(backend, tf32=tf32):
        return [_rounding(operation, backend, batch_size, tf32) for operation in LAYERS]


def _rounding(operation: str, backend: str, batch_size: int, tf32: bool) -> Rounding:
    try:
        found = [array.astype("float64") for array in _results(active(), operation, batch_size, "float32")]
        error, problem = compare(found, _results(textbook, operation, batch_size, "float64"), float("inf"))
        return Rounding(backend, operation, tf32, error, problem)
    except Exception as failure:  # a failure here must not stop the rest of the report
        return Rounding(backend, operation, tf32, None, one_line(failure))


def _results(ops: Any, operation: str, batch_size: int, dtype: str) -> list[np.ndarray]:
    """The results of the operation and its backward, on the host; the inputs are the same in every precision."""
    random = np.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return ops.to_device(random.standard_normal(shape, "float32").astype(dtype))

    kernel, inputs = LAYERS[operation]
    arguments: list[Any] = [normal(batch_size, *inputs), normal(*kernel), None]
    options = [(1, 1), "same", "linear"] if operation == "conv2d" else ["linear"]
    y, saved = getattr(ops, operation)(*arguments, *options)
    gradients = getattr(ops, f"{operation}_backward")(normal(*y.shape), saved)
    return [ops.to_host(array) for array in flat([y, gradients]) if array is not None]
