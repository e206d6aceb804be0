"""Calls NVRTC, NVIDIA's compiler, which needs neither a GPU nor a driver."""

from __future__ import annotations

import ctypes
import sysconfig
from collections.abc import Sequence
from functools import cache
from pathlib import Path

NVIDIA = Path(sysconfig.get_path("purelib")) / "nvidia"  # where NVIDIA's wheels are installed
LIBRARY = NVIDIA / "cuda_nvrtc" / "lib" / "libnvrtc.so.12"
HEADERS = NVIDIA / "cuda_runtime" / "include"


class CompileError(Exception):
    """A source that NVRTC rejects; the message is the compiler's."""


@cache
def nvrtc() -> ctypes.CDLL:
    if not LIBRARY.exists():
        raise SystemExit(f"nvrtc: expected NVIDIA's compiler in {LIBRARY}, and it is not there. Run it by: make nvrtc")
    library = ctypes.CDLL(str(LIBRARY))
    library.nvrtcGetErrorString.restype = ctypes.c_char_p
    return library


def compile_to_machine_code(source: str, options: Sequence[str], architecture: int) -> str:
    """Compiles for an architecture, 90 for sm_90; returns what the assembler says of each kernel."""
    words = [*options, f"-arch=sm_{architecture}", f"-I{HEADERS}", "--ptxas-options=-v"]
    program = ctypes.c_void_p()
    check(nvrtc().nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None))
    try:
        encoded = (ctypes.c_char_p * len(words))(*(word.encode() for word in words))
        status = nvrtc().nvrtcCompileProgram(program, len(words), encoded)
        log = log_of(program)
        if status:
            raise CompileError(log)
        return log
    finally:
        check(nvrtc().nvrtcDestroyProgram(ctypes.byref(program)))


def log_of(program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    check(nvrtc().nvrtcGetProgramLogSize(program, ctypes.byref(size)))
    log = ctypes.create_string_buffer(size.value)
    check(nvrtc().nvrtcGetProgramLog(program, log))
    return log.value.decode()


def check(status: int) -> None:
    if status:
        raise RuntimeError(f"NVRTC: {nvrtc().nvrtcGetErrorString(status).decode()}")
