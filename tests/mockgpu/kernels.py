"""Compiles CUDA C with g++, in the place of NVRTC."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cache import HERE, cached, fingerprint
from .errors import PretendDeviceError

IMAGE = b"mockgpu:"  # core/launches.c knows a compiled module by this
HEADER = HERE / "cuda" / "cuda.h"
# No contraction of a * b + c: with it, results would depend on how g++ optimises. No strict aliasing: programmers of
# CUDA C read floats as ints. No warnings: they are NVRTC's business.
FLAGS = (
    *("-O3", "-march=native", "-ffp-contract=off", "-fno-strict-aliasing", "-fno-math-errno", "-fno-trapping-math"),
    *("-fPIC", "-shared", "-fvisibility=hidden", "-w", "-fno-exceptions", "-fno-rtti"),
)
# For arrays in shared memory and local ones, of which guard pages know nothing. With it, a product takes twice as long.
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


@dataclass(frozen=True)
class Declaration:
    """A kernel as its source declares it."""

    name: str
    parameters: str  # their names: "x, y, n"
    has_c_name: bool  # is found by its plain name: no template, and inside of extern "C"


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
    """The last word of each parameter, between commas that are not inside of <> or ()."""
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
    code = code.replace(COMPLEX_HEADER, "")  # most of the compiler's time would go there
    return code + "\n" + "\n".join(lines) + "\n", symbols


def compile_module(
    source: str, options: Sequence[str], name_expressions: Sequence[str], flags: Sequence[str]
) -> tuple[bytes, dict[str, str]]:
    """What NVRTC would return: the module's image, and its names for the name expressions."""
    code, symbols = translate(source, name_expressions)
    words = [*flags, *(option for option in options if option.startswith(("-I", "-D")) and not is_cudas(option))]
    words.append(next((option for option in options if "std=" in option), "--std=c++17"))
    library = cached(f"{fingerprint([code, *words])}.so", lambda target: run_gxx(code, words, target))
    return IMAGE + str(library).encode(), symbols


def is_cudas(option: str) -> bool:
    """Whether the option is the folder of CUDA's own headers, in whose place ours are."""
    return option.startswith("-I") and (Path(option[2:]) / "cuda_runtime.h").exists()


def run_gxx(code: str, options: Sequence[str], target: Path) -> None:
    command = ["g++", "-x", "c++", *options, "-include", str(HEADER), "-", "-o", str(target)]
    result = subprocess.run(command, input=code, capture_output=True, text=True)
    if result.returncode:
        from cupy.cuda.compiler import CompileException

        raise CompileException(result.stderr, code, "kernel", tuple(options), "g++ in the place of NVRTC")


class NoCache:
    """CuPy's cache of compiled kernels: empty, for there is one in cache.py."""

    def load(self, name: str) -> None:
        return None

    def save(self, *arguments: Any) -> None:
        return None


def compile_with_gxx(check_bounds: bool) -> None:
    """Makes CuPy, which this imports, compile with g++."""
    from cupy.cuda import compiler

    flags = FLAGS + CHECK_BOUNDS if check_bounds else FLAGS

    def compile_in_the_place_of_nvrtc(source, options=(), arch=None, filename="", name_expressions=None, *rest, **more):
        for kind in ("float16", "complex"):
            if kind in source.replace(COMPLEX_HEADER, ""):
                raise PretendDeviceError(f"the pretend device has no {kind} numbers. Use float32 or float64.")
        return compile_module(source, options, name_expressions or (), flags)

    def refuse_nvcc(*arguments, **options):
        raise PretendDeviceError("the pretend device compiles in the place of NVRTC only. Leave out backend='nvcc'.")

    compiler._compile_using_nvrtc_no_warning = compile_in_the_place_of_nvrtc
    compiler.compile_using_nvcc = refuse_nvcc
    compiler._preprocess = lambda *arguments: "g++"
    compiler._nvrtc_version = (12, 9)
    compiler._set_kernel_cache_backend(NoCache())
