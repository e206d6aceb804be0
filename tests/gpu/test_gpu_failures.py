"""Errors of CUDA and CuPy become a BackendError with one sentence and a remedy; programs end with exit code 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cupy
import mockgpu
import numpy as np
import pytest
from cupy_backends.cuda.libs import nvrtc

import minicnn
from minicnn import BackendError, Input, Sequential
from minicnn.backends import gpu
from minicnn.backends.contract import OPERATIONS
from minicnn.backends.gpu import kernels
from minicnn.backends.gpu.failures import as_sentences
from minicnn.doctor import command_line, examine
from minicnn.doctor.cases import prepare
from minicnn.layers import Conv2D, Dense, Flatten

pytestmark = pytest.mark.skipif(not mockgpu.is_installed(), reason="a real device cannot be told to fail")
ROOT = Path(__file__).resolve().parents[2]
X, Y = np.ones((8, 6, 5, 1), np.float32), np.ones((8, 3), np.float32)

ILLEGAL_ADDRESS, LAUNCH_TIMEOUT, ASSERT = 700, 702, 710


@pytest.fixture(autouse=True)
def _on_the_gpu():
    """On the GPU, after CuPy's pool has freed the memory of other tests."""
    cupy.get_default_memory_pool().free_all_blocks()
    with minicnn.use_backend("cupy"):
        yield


@pytest.fixture
def model():
    model = Sequential([Input((6, 5, 1)), Conv2D(4, 3, activation="relu"), Flatten(), Dense(3)])
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    return model


def fails(sentence):
    """Expects a BackendError of one line with a remedy."""
    return pytest.raises(BackendError, match=rf"^{sentence}[^\n]*minicnn\.use_device\(\"cpu\"\)\.$")


def test_memory_that_is_full_inside_of_a_step(model):
    x, y = (minicnn.to_device(np.tile(array, (1000, *[1] * (array.ndim - 1)))) for array in (X, Y))
    with mockgpu.knobs(memory=x.nbytes), fails(r"conv2d: the GPU's memory is full \(OutOfMemoryError: Out of memory"):
        model.train_step(x, y)
    model.train_step(x, y)  # there is enough again


def test_memory_that_is_full_for_the_data(model):
    with mockgpu.knobs(memory=1000), fails(r"to_device: the GPU's memory is full.* Use smaller batches"):
        model.fit(np.tile(X, (1000, 1, 1, 1)), np.tile(Y, (1000, 1)), verbose=0)


@pytest.mark.parametrize("number", [ILLEGAL_ADDRESS, LAUNCH_TIMEOUT, ASSERT])
def test_an_error_of_a_launch(model, number):
    x, y = minicnn.to_device(X), minicnn.to_device(Y)
    with (
        mockgpu.knobs(broken=number),
        fails(r"conv2d: the GPU reports an error \(CUDADriverError: .*Start Python again"),
    ):
        model.train_step(x, y)


def test_an_error_that_shows_when_results_are_read(model):
    y = model.forward(minicnn.to_device(X))
    with (
        mockgpu.knobs(broken=ILLEGAL_ADDRESS),
        fails(r"to_host: the GPU reports an error \(CUDARuntimeError: cudaErrorIl"),
    ):
        minicnn.to_host(y)


NOTHING_TO_DO = {  # on the device
    *("owns", "contiguous", "read_if_ready"),
    *("softmax_crossentropy_backward", "crossentropy_backward", "mean_squared_error_backward"),
}


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name not in NOTHING_TO_DO])
def test_every_operation_translates_errors(operation):
    call = prepare(operation, gpu, "float32")
    with mockgpu.knobs(broken=ILLEGAL_ADDRESS), fails(r"\w+: the GPU reports an error"):
        call()


@pytest.fixture
def source(monkeypatch):
    """Dropout's source, of which nothing is compiled yet."""
    source = kernels._sources["dropout"]
    monkeypatch.setattr(source, "_kernels", {})
    monkeypatch.setattr(source, "code", source.code + "// not yet compiled")
    return source


def test_a_source_that_the_compiler_rejects(source):
    source.code = "undeclared name;"
    with fails(r"dropout: a kernel does not compile for this GPU \(CompileException: .*python -m minicnn.doctor"):
        gpu.dropout(minicnn.to_device(X), 0.5, 1, 1)


@pytest.mark.usefixtures("source")
def test_a_compiler_that_fails(monkeypatch):
    def fail(*arguments):
        raise nvrtc.NVRTCError("NVRTC_ERROR_OUT_OF_MEMORY (1)")

    monkeypatch.setattr(nvrtc, "createProgram", fail)
    with fails(r"dropout: a kernel does not compile for this GPU \(NVRTCError: NVRTC_ERROR_OUT_OF_MEMORY"):
        gpu.dropout(minicnn.to_device(X), 0.5, 1, 1)


def test_errors_of_the_pretend_device_are_not_translated():
    with pytest.raises(mockgpu.PretendDeviceError, match="expected 0"):
        as_sentences(cupy.cuda.Device(1).use)()


@pytest.mark.parametrize("knob", [{"broken": ILLEGAL_ADDRESS}, {"memory": 100}])
def test_the_doctor_says_it_and_ends_with_code_2(capsys, knob):
    with mockgpu.knobs(**knob):
        assert command_line.main(["--device", "gpu"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("doctor: error: ")
    assert "the GPU" in said


def test_the_doctor_that_was_asked_for_everything_still_examines_the_rest():
    with mockgpu.knobs(broken=ILLEGAL_ADDRESS):
        findings = examine(batch_size=1, rounds=1, calls=1)
    assert len(findings["failures"]) == 1
    assert "the GPU reports an error" in findings["failures"][0]
    assert findings["failures"][0] in findings["summary"]
    assert {check["backend"] for check in findings["operations"]} == {"numba", "numpy"}


SCRIPT = """
import runpy
import sys

sys.path[:0] = ["tests", "examples"]
import mockgpu

mockgpu.install()
import minicnn
minicnn.use_device("gpu")  # it is there
mockgpu.knobs(memory=1_000_000)
sys.argv = ["model4.py", *"--device gpu --limit 64 --epochs 1 --out".split(), sys.argv[1]]
runpy.run_path("examples/model4.py", run_name="__main__")
"""


def test_an_example_says_it_and_ends_with_code_2(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "model4.py: error: conv2d: the GPU's memory is full" in done.stderr
    assert "Traceback" not in done.stderr
