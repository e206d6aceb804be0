"""Where the pretend device installs, where it refuses to, and how scripts run on it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mockgpu
import pytest
from mockgpu import cache, conditions, pointers
from mockgpu.installing import modules_with_entry_points

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not mockgpu.is_installed(), reason="tests the pretend device, and this is a real one")


def test_a_second_install_does_nothing():
    mockgpu.install()


def test_it_refuses_once_cupy_is_imported():
    with pytest.raises(mockgpu.PretendDeviceError, match=r"Call mockgpu.install\(\) before"):
        conditions.check_conditions()


def test_it_refuses_other_platforms(monkeypatch):
    monkeypatch.setattr(conditions.platform, "machine", lambda: "aarch64")
    with pytest.raises(mockgpu.PretendDeviceError, match="expected Linux on x86-64, found Linux on aarch64"):
        conditions.check_conditions()


def test_it_refuses_beside_a_driver_that_works(monkeypatch):
    monkeypatch.setattr(conditions, "driver_initialises", lambda: True)
    with pytest.raises(mockgpu.PretendDeviceError, match=r"expected no GPU, found libcuda.*Use the real one"):
        conditions.check_conditions()


def test_it_refuses_beside_a_gpu(monkeypatch):
    monkeypatch.setattr(conditions.Path, "glob", lambda path, pattern: [path / "nvidia0"])
    with pytest.raises(mockgpu.PretendDeviceError, match="expected no GPU, found /dev/nvidia0"):
        conditions.check_conditions()


@pytest.mark.parametrize("found", ["13.6.0", "14.2.1"])
def test_it_refuses_another_cupy(monkeypatch, found):
    monkeypatch.setattr(conditions, "version", lambda name: found)
    assert f"found {found}: pip install cupy-cuda12x==14.2.0" in conditions.wrong_cupy()


def test_it_refuses_without_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no gcc and no g++: apt install g++" in conditions.missing_compiler()


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"signature": "PyObject *(size_t)"}, r"runtime.malloc: expected PyObject \*\(size_t\), found intptr_t"),
        ({"function": "mallocNew"}, r"runtime.mallocNew: expected intptr_t.*, found None"),
    ],
)
def test_nothing_is_swapped_where_a_signature_has_changed(monkeypatch, changed, found):
    ours = [replace(e, **changed) if e.function == "malloc" else e for e in pointers.entry_points()]
    monkeypatch.setattr(pointers, "entry_points", lambda: ours)
    monkeypatch.setattr(pointers, "swap_entry_point", lambda *arguments: pytest.fail("swapped"))
    with pytest.raises(mockgpu.PretendDeviceError, match=found):
        pointers.swap(modules_with_entry_points())


def test_the_cache_is_the_users():
    assert not cache.directory().is_relative_to(ROOT)


def test_the_cache_keeps_no_incomplete_files(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "directory", lambda: tmp_path)

    def break_off(path):
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.cached("broken-off", break_off)
    assert not list(tmp_path.iterdir())


def test_the_cache_makes_a_file_once(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "directory", lambda: tmp_path)
    made = cache.cached("file", lambda path: path.write_text("whole"))
    assert cache.cached("file", lambda path: pytest.fail("made again")) == made == tmp_path / "file"
    assert made.read_text() == "whole"


SCRIPT = """
import sys
from pathlib import Path
import cupy
import neighbour

print(__name__, Path(__file__).name, *sys.argv[1:], neighbour.WORD, int(cupy.arange(5).sum()))
if __name__ == "__main__":
    sys.exit(7)
"""


def run_module(*words):
    command = [sys.executable, "-m", "tests.mockgpu", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_script_runs_as_with_python(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "neighbour.py").write_text("WORD = 'beside'")
    result = run_module(tmp_path / "script.py", "--epochs", "2")
    assert result.stdout.split() == ["__main__", "script.py", "--epochs", "2", "beside", "10"], result.stderr
    assert result.returncode == 7


def test_a_script_that_does_not_exist():
    result = run_module("no_such_script.py")
    assert result.returncode == 1
    assert "there is no file no_such_script.py" in result.stderr


def test_no_script():
    assert "usage: python -m tests.mockgpu SCRIPT" in run_module().stderr
