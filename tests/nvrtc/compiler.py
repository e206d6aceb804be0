"""Compiles with NVRTC, NVIDIA's compiler, on CuPy's own path and with its options: no GPU and no driver is needed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

from cupy._core.core import assemble_cupy_compiler_options
from cupy.cuda import compiler


class NoModule:
    """Replaces CuPy's module, into which it would load machine code; loading needs a device."""

    def load(self, code: bytes) -> None:
        pass

    def _set_mapping(self, mapping: Any) -> None:
        pass


class NoCache:
    """CuPy's cache of compiled kernels: empty, so that all are compiled."""

    def load(self, name: str) -> None:
        return None

    def save(self, *arguments: Any) -> None:
        pass


@cache
def without_device() -> Any:
    """Inside the block, CuPy's compiler does not use a device."""
    try:
        version = compiler._get_nvrtc_version()
    except RuntimeError as missing:
        raise SystemExit(f"nvrtc: NVIDIA's compiler is not there ({missing}). Run it by: make nvrtc") from missing
    if version[0] != 12:
        raise SystemExit(f"nvrtc: expected NVRTC 12, which knows all architectures here, found {version}.")
    compiler._get_arch_for_options_for_nvrtc = lambda architecture: (f"-arch=sm_{architecture}", "cubin")
    compiler.function = SimpleNamespace(Module=NoModule)
    compiler._set_kernel_cache_backend(NoCache())
    return compiler


def compile_to_machine_code(source: str, options: Sequence[str], architecture: int) -> str:
    """Compiles for an architecture, 90 for sm_90; returns what the assembler says of each kernel.

    Raises CompileException, whose message is the compiler's, where NVRTC rejects the source.
    """
    log = io.StringIO()
    words = (*assemble_cupy_compiler_options(tuple(options)), "--ptxas-options=-v")
    without_device()._compile_module_with_cache(source, words, arch=str(architecture), log_stream=log)
    return log.getvalue()
