"""Compiles CUDA C with g++."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .cache import HERE, cached, fingerprint
from .errors import PretendDeviceError

IMAGE = b"mockgpu:"  # core/launches.c recognises a compiled module by this prefix
HEADER = HERE / "cuda" / "cuda.h"
# No contraction of a * b + c: with it, results would depend on g++'s optimisations. No strict aliasing: CUDA C programs
# read floats as ints. No warnings: NVRTC gives them.
FLAGS = (
    *("-O3", "-march=native", "-ffp-contract=off", "-fno-strict-aliasing", "-fno-math-errno", "-fno-trapping-math"),
    *("-fPIC", "-shared", "-fvisibility=hidden", "-w", "-fno-exceptions", "-fno-rtti"),
)
# For shared and local arrays, which guard pages do not protect. With it, a matrix product takes twice as long.
CHECK_BOUNDS = ("-fsanitize=bounds", "-fsanitize-undefined-trap-on-error")

DYNAMIC_SHARED = re.compile(r"extern\s+__shared__\s+([^;\[\]]*?)(\w+)\s*\[\s*\]\s*;")
UNROLL = re.compile(r"#[ \t]*pragma[ \t]+unroll\b[ \t]*([^\n/]*)")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
LAUNCH_BOUNDS = re.compile(r"__launch_bounds__\s*\([^()]*\)")
DECLARATION = re.compile(
    r"(?P<template>template\s*<[^{};]*>\s*)?(?P<c>extern\s+\"C\"\s+)?(?:static\s+)?__global__\s+(?:static\s+)?void\s+"
    r"(?P<name>\w+)\s*\((?P<parameters>[^{};]*)\)\s*\{"
)
COMPLEX_HEADER = "#include <cupy/complex.cuh>"


class CompilerError(Exception):
    """A source that g++ rejects; the message is the compiler's."""


@dataclass(frozen=True)
class Declaration:
    """A kernel as its source declares it."""

    name: str
    parameters: str  # their names: "x, y, n"
    has_c_name: bool  # can be found by its plain name: no template, and inside of extern "C"


def declarations_of(source: str) -> list[Declaration]:
    plain = LAUNCH_BOUNDS.sub("", COMMENT.sub(" ", source))
    has_c_block = re.search(r"extern\s+\"C\"\s*\{", plain) is not None
    return [
        Declaration(
            found["name"],
            names_of(found["parameters"]),
            not found["template"] and (bool(found["c"]) or has_c_block),
        )
        for found in DECLARATION.finditer(plain)
    ]


def names_of(parameters: str) -> str:
    """The last word of each parameter, between commas outside of <> and ()."""
    outer = parameters
    while (inner := re.sub(r"<[^<>]*>|\([^()]*\)", "", outer)) != outer:
        outer = inner
    return ",".join(words[-1] for part in outer.split(",") if (words := re.findall(r"\w+", part)))


def translate(source: str, name_expressions: Sequence[str]) -> tuple[str, dict[str, str]]:
    """C++ that g++ compiles, and the symbol of each name expression."""
    declared = declarations_of(source)
    parameters = {declaration.name: declaration.parameters for declaration in declared}
    symbols = {expression: f"expression{i}" for i, expression in enumerate(name_expressions)}
    lines = [f'MOCK_KERNEL({d.name}, "{d.parameters}", {d.name})' for d in declared if d.has_c_name]
    for expression, symbol in symbols.items():
        plain_name = expression.split("<")[0].split("::")[-1].strip().lstrip("&")
        lines.append(f'MOCK_KERNEL({symbol}, "{parameters.get(plain_name, "")}", {expression})')
    code = DYNAMIC_SHARED.sub(r"\1*const &\2 = reinterpret_cast<\1*const &>(mock_dynamic_shared);", source)
    code = UNROLL.sub(lambda found: f"#pragma GCC unroll {found[1].strip() or 16}", code)
    code = code.replace(COMPLEX_HEADER, "")  # compiling it would take most of the time
    return code + "\n" + "\n".join(lines) + "\n", symbols


def compile_module(
    source: str, options: Sequence[str], name_expressions: Sequence[str], flags: Sequence[str]
) -> tuple[bytes, dict[str, str]]:
    """The results of NVRTC: the module's image, and its names for the name expressions."""
    code, symbols = translate(source, name_expressions)
    words = [*flags, *(option for option in options if option.startswith(("-I", "-D")) and not is_cudas(option))]
    words.append(next((option for option in options if "std=" in option), "--std=c++17"))
    library = cached(f"{fingerprint([code, *words])}.so", lambda target: run_gxx(code, words, target))
    return IMAGE + str(library).encode(), symbols


def is_cudas(option: str) -> bool:
    """Whether the option is the folder of CUDA's own headers, which the ones here replace."""
    return option.startswith("-I") and (Path(option[2:]) / "cuda_runtime.h").exists()


def run_gxx(code: str, options: Sequence[str], target: Path) -> None:
    command = ["g++", "-x", "c++", *options, "-include", str(HEADER), "-", "-o", str(target)]
    result = subprocess.run(command, input=code, capture_output=True, text=True)
    if result.returncode:
        raise CompilerError(result.stderr)


class MemoryCache:
    """CuPy's cache of compiled kernels, for this process only; cache.py keeps files between processes."""

    def __init__(self) -> None:
        self.images: dict[str, bytes] = {}

    def load(self, name: str) -> bytes | None:
        return self.images.get(name)

    def save(self, name: str, image: bytes, source: str) -> None:
        self.images[name] = image


def compile_with_nvrtc_only() -> None:
    """Imports CuPy and makes it compile with nvrtc.py only, without files of its own."""
    from cupy.cuda import compiler

    def refuse_nvcc(*arguments, **options):
        raise PretendDeviceError("the pretend device replaces NVRTC only. Leave out backend='nvcc'.")

    compiler.compile_using_nvcc = refuse_nvcc
    compiler._set_kernel_cache_backend(MemoryCache())
