"""Kernels are compiled by CuPy: sources are ASCII, so that every locale can write them; a line announces it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import mockgpu

from minicnn.backends.gpu import kernels

ROOT = Path(__file__).resolve().parents[2]
STEP = """
import sys

sys.path.insert(0, "tests")
import mockgpu

if sys.argv[1:]:
    mockgpu.install()
import numpy as np
import minicnn
from minicnn.layers import Conv2D, Dense, Flatten

minicnn.use_backend("cupy")
model = minicnn.Sequential([minicnn.Input((5, 4, 3)), Conv2D(2, 3, activation="relu"), Flatten(), Dense(3)])
model.compile("adam", "mse")
model.fit(np.ones((2, 5, 4, 3)), np.ones((2, 3)), verbose=0)
"""


def run_step(**environment):
    """What a training step in a new process writes to stderr."""
    command = [sys.executable, "-c", STEP, *(["pretend"] if mockgpu.is_installed() else [])]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_all_sources_are_ascii():
    """CuPy writes them to files in the locale's encoding; NVRTC 12.0 to 12.5 makes that ASCII, Windows has cp1252."""
    assert len(kernels.all_sources()) > 60
    assert [name for name, (text, _) in kernels.all_sources().items() if not text.isascii()] == []


def test_a_step_in_an_ascii_locale(tmp_path):
    run_step(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", CUPY_CACHE_DIR=str(tmp_path))


def test_one_line_says_that_kernels_are_compiled(tmp_path):
    said = run_step(CUPY_CACHE_DIR=str(tmp_path), PYTHONUTF8="1")
    assert said == "minicnn: compiling its kernels for this GPU, once (some seconds) …\n"


def test_no_line_where_kernels_were_compiled_before(capsys, monkeypatch):
    monkeypatch.setattr(kernels, "_sources", {})
    code = f'extern "C" __global__ void once(real* x) {{ *x = 1; }}  // {uuid4()}'
    said = []
    for _ in range(2):
        monkeypatch.setattr(kernels, "_notice", kernels._Notice())  # as in a new process
        kernels.Source("once", code, real=kernels.FLOATS).kernel("once", "float32")
        said.append(capsys.readouterr().err)
    assert "compiling" in said[0]
    assert said[1] == ""
