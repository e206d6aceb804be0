"""Replaces NVRTC by g++; CuPy calls it as it calls NVRTC, with the same options.

It accepts only sources that NVRTC accepts in every version and on every system. CuPy writes each source to a file in
the locale's encoding, and NVRTC 12.0 to 12.5 sets that to ASCII: sources have to be ASCII.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from .errors import PretendDeviceError
from .kernels import CHECK_BOUNDS, COMPLEX_HEADER, FLAGS, CompilerError, compile_module

VERSION = (12, 9)
EMPTY_PTX = b"// g++ instead of NVRTC"  # of an empty source, which CuPy compiles to find the compiler's version
FLUSHING = "-ftz=true"  # CuPy's option: float32 numbers below 1.2e-38 become 0; core/faults.c always does that


class NVRTCError(RuntimeError):
    """The exception of NVRTC's functions in CuPy."""


@dataclass
class Program:
    """A source that is being compiled."""

    source: str
    expressions: list[str] = field(default_factory=list)
    symbols: dict[str, str] = field(default_factory=dict)
    image: bytes = b""
    log: str = ""


class Compiler:
    """NVRTC's functions as CuPy calls them; programs are known by numbers."""

    def __init__(self, flags: Sequence[str]):
        self.flags = flags
        self.programs: dict[int, Program] = {}
        self.numbers = count(1)

    def create_program(self, source: str, name: str, headers: Sequence[str], include_names: Sequence[str]) -> int:
        check_source(source)
        number = next(self.numbers)
        self.programs[number] = Program(source)
        return number

    def add_name_expression(self, number: int, expression: str) -> None:
        self.programs[number].expressions.append(expression)

    def compile_program(self, number: int, options: Sequence[str]) -> None:
        program = self.programs[number]
        if not program.source:
            program.image = EMPTY_PTX
            return
        if FLUSHING not in options:
            raise PretendDeviceError(f"NVRTC: expected CuPy's option {FLUSHING}, found {' '.join(options)}.")
        try:
            program.image, program.symbols = compile_module(program.source, options, program.expressions, self.flags)
        except CompilerError as error:
            program.log = str(error)
            raise NVRTCError("NVRTC_ERROR_COMPILATION (6)") from None


def check_source(source: str) -> None:
    if not source.isascii():
        position, character = next((at, c) for at, c in enumerate(source) if not c.isascii())
        line = source.count("\n", 0, position) + 1
        raise PretendDeviceError(
            f"NVRTC: expected a source in ASCII, found {character!r} in line {line}. CuPy writes sources in the "
            "locale's encoding, which may not have it. Encode it away."
        )
    for kind in ("float16", "complex"):
        if kind in source.replace(COMPLEX_HEADER, ""):
            raise PretendDeviceError(f"the pretend device has no {kind} numbers. Use float32 or float64.")


def replace_functions(check_bounds: bool) -> None:
    """Replaces the functions through which CuPy's Python code calls NVRTC. No Cython code calls them."""
    from cupy_backends.cuda.libs import nvrtc

    compiler = Compiler(FLAGS + CHECK_BOUNDS if check_bounds else FLAGS)
    programs = compiler.programs
    vars(nvrtc).update(
        NVRTCError=NVRTCError,
        getVersion=lambda: VERSION,
        createProgram=compiler.create_program,
        destroyProgram=programs.pop,
        addNameExpression=compiler.add_name_expression,
        compileProgram=compiler.compile_program,
        getLoweredName=lambda number, expression: programs[number].symbols[expression],
        getProgramLog=lambda number: programs[number].log,
        getCUBIN=lambda number: programs[number].image,
        getPTX=lambda number: programs[number].image,
    )
