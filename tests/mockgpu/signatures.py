"""CuPy's entry points to CUDA: their list in signatures.txt, and C functions that refuse those not implemented here.

A line of signatures.txt is

    treatment | module | function | signature

where the treatment is `answered` (core/ has api_FUNCTION), `refused` (raises) or `kept` (needs no device).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from .cache import HERE

# The return value of a refusal: the value at which CuPy checks for an exception.
FAILURES = {"PyObject *": "NULL", "int": "-1", "intptr_t": "0", "size_t": "0", "float": "-1", "unsigned int": "-1"}


@dataclass(frozen=True)
class EntryPoint:
    treatment: str
    module: str
    function: str
    signature: str

    @property
    def result(self) -> str:
        return self.signature.partition("(")[0].strip()

    @property
    def symbol(self) -> str:
        """The name of its implementation in the core."""
        return f"api_{self.function}" if self.treatment == "answered" else f"refuse_{self.function}"


@cache
def entry_points() -> tuple[EntryPoint, ...]:
    lines = (HERE / "signatures.txt").read_text("utf-8").splitlines()
    return tuple(EntryPoint(*(part.strip() for part in line.split("|"))) for line in lines if not line.startswith("#"))


def refusals_in_c() -> str:
    """A refusal takes no arguments: in x86-64's calling convention a function may ignore its arguments."""
    refused = [entry_point for entry_point in entry_points() if entry_point.treatment == "refused"]
    return '#include "device.h"\n' + "\n".join(refusal_in_c(entry_point) for entry_point in refused)


def refusal_in_c(entry_point: EntryPoint) -> str:
    result = entry_point.result
    failure = FAILURES.get(result, "NULL")
    result = result if result in FAILURES else "void *"
    name = f"{entry_point.module}.{entry_point.function}"
    message = f"the pretend device has no {name}. Leave it out, or run on a real GPU."
    return f'{result} {entry_point.symbol}(void) {{ fail("{message}"); return {failure}; }}'
