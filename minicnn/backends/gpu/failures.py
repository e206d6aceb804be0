"""What CUDA and CuPy raise becomes a BackendError: one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from cupy.cuda.compiler import CompileException
from cupy.cuda.memory import OutOfMemoryError
from cupy_backends.cuda.api.driver import CUDADriverError
from cupy_backends.cuda.api.runtime import CUDARuntimeError
from cupy_backends.cuda.libs.cublas import CUBLASError
from cupy_backends.cuda.libs.nvrtc import NVRTCError

from ...errors import BackendError
from ..availability import USE_THE_CPU, first_line

DOCTOR = "python -m minicnn.doctor --device gpu"

REMEDIES: dict[tuple[type[Exception], ...], tuple[str, str]] = {
    (OutOfMemoryError,): (
        "the GPU's memory is full",
        "Use smaller batches, fewer samples or a smaller model.",
    ),
    (CompileException, NVRTCError): (
        "a kernel does not compile for this GPU",
        f"CuPy, the CUDA libraries and the driver may not fit together: {DOCTOR} shows them.",
    ),
    (CUDARuntimeError, CUDADriverError, CUBLASError): (
        "the GPU reports an error",
        "Start Python again: nothing works on the GPU after it. An earlier operation may be the cause; with "
        f"CUDA_LAUNCH_BLOCKING=1 in the environment it is this one. {DOCTOR} tries each of them.",
    ),
}
FAILURES = tuple(error for errors in REMEDIES for error in errors)


def as_sentences(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: the operation raises BackendError in the place of CUDA's and CuPy's errors."""

    @wraps(operation)
    def translated(*arguments: Any, **options: Any) -> Any:
        try:
            return operation(*arguments, **options)
        except FAILURES as error:
            raise BackendError(sentence(operation.__name__, error)) from error

    return translated


def sentence(where: str, error: Exception) -> str:
    """Where something failed, what failed, and what to do."""
    what, remedy = next(text for errors, text in REMEDIES.items() if isinstance(error, errors))
    return f"{where}: {what} ({first_line(error)}). {remedy} {USE_THE_CPU}"
