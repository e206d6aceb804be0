"""Errors of CUDA and CuPy are translated to BackendError, whose message says what to do."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ...errors import BackendError
from ..availability import USE_THE_CPU, first_line

DOCTOR = "python -m minicnn.doctor --device gpu"

MEMORY = "the GPU's memory is full", "Use smaller batches, fewer samples or a smaller model."
COMPILATION = (
    "a kernel does not compile for this GPU",
    f"CuPy, the CUDA libraries and the driver may not fit together: {DOCTOR} shows them.",
)
DEVICE = (
    "the GPU reports an error",
    "Start Python again: the GPU cannot be used in this process any more. An earlier operation may be the cause; "
    f"with CUDA_LAUNCH_BLOCKING=1 in the environment, the operation named here is. {DOCTOR} tries each of them.",
)

SENTENCES = {
    "OutOfMemoryError": MEMORY,
    "CompileException": COMPILATION,
    "NVRTCError": COMPILATION,
    "CUDARuntimeError": DEVICE,
    "CUDADriverError": DEVICE,
    "CUBLASError": DEVICE,
}
"""What happened and what to do, by the name of CuPy's exception; importing some of these needs CUDA's libraries."""


def as_sentences(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: the operation raises BackendError instead of CUDA's and CuPy's errors."""

    @wraps(operation)
    def translated(*arguments: Any, **options: Any) -> Any:
        try:
            return operation(*arguments, **options)
        except Exception as error:  # by name below: importing these classes needs CUDA's libraries
            if type(error).__name__ not in SENTENCES:
                raise
            what, remedy = SENTENCES[type(error).__name__]
            raise BackendError(f"{operation.__name__}: {what} ({first_line(error)}). {remedy} {USE_THE_CPU}") from error

    return translated
