"""CuPy's entrances to CUDA: what signatures.txt says of them, and C functions that refuse those without an answer here.

A line of signatures.txt is

    treatment | module | function | signature

where the treatment is `answered` (core/ has api_FUNCTION), `refused` (raises) or `kept` (needs no device).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from .cache import HERE

# What a refusal returns beside the exception: the value at which CuPy looks for one.
FAILURES = {"PyObject *": "NULL", "int": "-1", "intptr_t": "0", "size_t": "0", "float": "-1", "unsigned int": "-1"}


@dataclass(frozen=True)
class Entrance:
    treatment: str
    module: str
    function: str
    signature: str

    @property
    def result(self) -> str:
        return self.signature.partition("(")[0].strip()

    @property
    def symbol(self) -> str:
        """Its answer's name in the core."""
        return f"api_{self.function}" if self.treatment == "answered" else f"refuse_{self.function}"


@cache
def entrances() -> tuple[Entrance, ...]:
    lines = (HERE / "signatures.txt").read_text("utf-8").splitlines()
    return tuple(Entrance(*(part.strip() for part in line.split("|"))) for line in lines if not line.startswith("#"))


def refusals_in_c() -> str:
    """A refusal takes no arguments: in x86-64's calling convention a function may ignore those that it is given."""
    refused = [entrance for entrance in entrances() if entrance.treatment == "refused"]
    return '#include "device.h"\n' + "\n".join(refusal_in_c(entrance) for entrance in refused)


def refusal_in_c(entrance: Entrance) -> str:
    result = entrance.result
    failure = FAILURES.get(result, "NULL")
    result = result if result in FAILURES else "void *"
    message = f"the pretend device has no {entrance.module}.{entrance.function}. Do without it, or run on a real GPU."
    return f'{result} {entrance.symbol}(void) {{ fail("{message}"); return {failure}; }}'
