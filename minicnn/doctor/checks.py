"""Checks every operation of a backend: does it equal the textbook's, and how long do the first and later calls take?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from ..backends import active, textbook, use_backend
from ..backends.contract import OPERATIONS, Backend
from ..errors import BackendError
from .cases import prepare
from .machine import one_line

# Maximum error relative to an array's largest number: inexact sums (exponentials, means) are rounded to 6e-8 or 1e-16,
# and cancellation costs one or two digits.
TOLERANCES = {"float32": 2e-5, "float64": 1e-11}
TIMED = "float32"  # the precision that is timed: models use it by default


@dataclass(frozen=True)
class Check:
    """One operation of one backend in one precision. Times are in milliseconds, None if not measured."""

    backend: str
    operation: str
    dtype: str
    ok: bool
    error: float | None  # relative to the largest number; None if it cannot be computed
    problem: str | None  # in words, if not ok
    first_ms: float | None = None
    steady_ms: float | None = None


def check_backend(name: str, rounds: int = 5, calls: int = 4) -> list[Check]:
    """Every operation of the contract, in both precisions. Raises BackendError if the backend cannot be used."""
    with use_backend(name):
        ops = active()
        return [_check(name, ops, operation, dtype, rounds, calls) for operation in OPERATIONS for dtype in TOLERANCES]


def _check(name: str, ops: Backend, operation: str, dtype: str, rounds: int, calls: int) -> Check:
    try:
        call = prepare(operation, ops, dtype)
        first, found = _timed(ops, call)
        # Copied now: an optimiser's next step would change the arrays that this one returned.
        found = [ops.to_host(result) if ops.owns(result) else result for result in flat(found)]
        found = [np.array(result) for result in found if result is not None]
        error, problem = compare(found, _expected(operation, dtype), TOLERANCES[dtype])
        steady = time_call(ops, call, rounds, calls) if dtype == TIMED else None
    except BackendError:  # the backend itself cannot be used, so no other operation can
        raise
    except Exception as failure:  # finding operations that raise is the doctor's purpose
        return Check(name, operation, dtype, False, None, one_line(failure))
    return Check(name, operation, dtype, problem is None, error, problem, first if steady is not None else None, steady)


def _expected(operation: str, dtype: str) -> list[np.ndarray]:
    return [np.array(result) for result in flat(prepare(operation, textbook, dtype)()) if result is not None]


def compare(found: list[np.ndarray], expected: list[np.ndarray], tolerance: float) -> tuple[float | None, str | None]:
    """The largest error relative to each array's largest number, and a description of the problem or None."""
    shapes = [(array.shape, str(array.dtype)) for array in found]
    wanted = [(array.shape, str(array.dtype)) for array in expected]
    if shapes != wanted:
        return None, f"expected arrays {wanted}, found {shapes}"
    errors = [_error(*pair) for pair in zip(found, expected, strict=True)]
    if not all(map(math.isfinite, errors)):
        return None, "expected finite numbers, found NaN or infinity"
    error = max(errors)
    return error, None if error <= tolerance else f"error {error:.1e}, expected at most {tolerance:.0e}"


def _error(found: np.ndarray, expected: np.ndarray) -> float:
    largest = np.abs(expected.astype("float64")).max(initial=0)
    with np.errstate(invalid="ignore"):  # infinities
        return float(np.abs(found.astype("float64") - expected).max(initial=0) / (largest or 1))


def time_call(ops: Backend, call: Callable[[], Any], rounds: int, calls: int) -> float:
    """Milliseconds per call: the median over rounds, each of which waits for the device once, at its end."""

    def several() -> Any:
        for _ in range(calls):
            result = call()
        return result

    return median(_timed(ops, several)[0] / calls for _ in range(rounds))


def _timed(ops: Backend, call: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds until everything is computed, and the results."""
    start = perf_counter()
    results = call()
    for result in reversed(list(flat(results))):
        if ops.owns(result):
            ops.to_host(result)  # a device works in order, so the last result waits for all others
            break
    return 1000 * (perf_counter() - start), results


def flat(results: Any) -> Iterator[Any]:
    """The arrays and numbers in nested tuples and lists."""
    if isinstance(results, (tuple, list)):
        for result in results:
            yield from flat(result)
    else:
        yield results
