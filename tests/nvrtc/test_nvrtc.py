"""The compilation for real architectures finds planted spills and errors, and passes sound kernels."""

from __future__ import annotations

import pytest
from cupy_backends.cuda.libs import nvrtc

from .__main__ import ARCHITECTURES, main
from .compiler import compile_to_machine_code
from .report import Usage, complaints, table, usages
from .sources import all_sources

SOUND = r"""
extern "C" __global__ void reverse(float* x) {
    __shared__ float part[256];
    part[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = part[255 - threadIdx.x];
}
"""

SPILLING = r"""
extern "C" __global__ void __launch_bounds__(1024) spilling(volatile float* x, int n) {
    float v[96];
    #pragma unroll
    for (int i = 0; i < 96; i++) v[i] = x[i * n];
    #pragma unroll
    for (int i = 95; i >= 0; i--) x[i * n] = v[i];  // all 96 are needed at once; each of 1024 threads has 64 registers
}
"""

LOCAL_ARRAY = r"""
extern "C" __global__ void local_array(float* x, const int* order, int n) {
    float v[64];
    for (int i = 0; i < n; i++) v[order[i]] = x[i];
    for (int i = 0; i < n; i++) x[threadIdx.x + i] += v[order[n - i]];
}
"""

LOG = """\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'spill' for 'sm_80'
ptxas info    : Function properties for spill
ptxas         .     8 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads
ptxas info    : Used 32 registers, used 0 barriers, 8 bytes cumulative stack size, 364 bytes cmem[0]
ptxas info    : Compiling entry function 'sound' for 'sm_80'
ptxas info    : Function properties for sound
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 10 registers, used 1 barriers, 1024 bytes smem, 364 bytes cmem[0]
"""


def test_the_assemblers_log_is_read():
    assert usages("a", LOG) == [
        Usage("a", "spill", 80, registers=32, shared=0, stack=8, spilled=28),
        Usage("a", "sound", 80, registers=10, shared=1024, stack=0, spilled=0),
    ]


def test_the_table_marks_what_spills():
    lines = table(usages("a", LOG), (80, 90)).splitlines()
    assert lines[1].split() == ["a:", "spill", "32", "/", "0!", "-"]
    assert lines[2].split() == ["a:", "sound", "10", "/", "1024", "-"]
    assert len(complaints(usages("a", LOG), {})) == 1


def test_a_sound_kernel_passes_on_every_architecture(capsys):
    assert main({"sound": (SOUND, ("--std=c++17",))}) == 0
    row = capsys.readouterr().out.splitlines()[1]
    assert row.count("/ 1024") == len(ARCHITECTURES)


@pytest.mark.parametrize(("name", "source"), [("spilling", SPILLING), ("local_array", LOCAL_ARRAY)])
def test_local_memory_fails_on_every_architecture(capsys, name, source):
    assert main({"planted": (source, ())}) == 1
    problems = capsys.readouterr().err
    for architecture in ARCHITECTURES:
        assert f"planted: {name} on sm_{architecture}: expected no local memory" in problems


def test_an_error_fails_and_shows_the_compilers_message(capsys):
    assert main({"wrong": ("__global__ void k() { undeclared_name = 1; }", ())}) == 1
    assert "undeclared_name" in capsys.readouterr().err


def test_no_kernels_at_all_fails():
    assert main({}) == 1


def test_the_options_are_cupys(monkeypatch):
    used, compile_program = [], nvrtc.compileProgram
    monkeypatch.setattr(
        nvrtc, "compileProgram", lambda program, options: used.extend(options) or compile_program(program, options)
    )
    compile_to_machine_code(SOUND, ("--std=c++17",), 75)
    assert {"--std=c++17", "-ftz=true", "-arch=sm_75", "--device-as-default-execution-space"} <= {*used}


def test_the_sources_are_ascii():
    assert all(source.isascii() for source, _ in all_sources().values())
