"""No operation reads or writes outside of its arrays, whatever the arguments: see guard_pages.py."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="guard pages are implemented for Linux")


def run(*arguments):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)])}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("first", ["0", "1", "2", "3"])
@pytest.mark.parametrize("side", ["begin", "end"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_outside_is_touched(dtype, side, first):
    pytest.importorskip("numba")
    done = run("-X", "faulthandler", HERE / "guard_pages.py", "numba", dtype, side, first)
    assert done.returncode == 0, done.stderr
    calls, refused = map(int, re.findall(r"\d+", done.stdout))
    assert calls > refused > 100


@pytest.mark.parametrize(("side", "index"), [("end", 5), ("begin", -1)])
def test_pages_beside_an_array_fault(side, index):
    """A read by address, one number before or after an array of five."""
    code = f"""
import ctypes, numpy as np
from guard_pages import guarded_numpy
with guarded_numpy({side == "end"}):
    array = np.ones(5)
    assert array.sum() == 5
    print("inside", flush=True)
    ctypes.c_double.from_address(array.ctypes.data + 8 * {index}).value
"""
    done = run("-c", code)
    assert done.stdout == "inside\n"
    assert done.returncode == -11, done.stderr  # SIGSEGV
