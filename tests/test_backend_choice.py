"""The choice of a backend: at call time, in a with block, by device; errors if one is missing; a light import."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import warnings
from importlib.metadata import distributions
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import minicnn
from minicnn import BackendError, backends
from minicnn.backends import availability, choice
from minicnn.layers import Dense


@pytest.fixture(autouse=True)
def _restored_choice():
    with minicnn.use_backend("numpy"):
        yield


@pytest.fixture
def without_numba(monkeypatch):
    """As if Numba were not installed and no backend had been chosen."""
    availability.check_numba.cache_clear()
    monkeypatch.setattr(availability, "find_spec", lambda package: None)
    monkeypatch.setattr(choice, "_chosen", None)
    yield
    availability.check_numba.cache_clear()


@pytest.mark.usefixtures("needs_numba")
def test_a_choice_holds_until_the_next():
    assert (minicnn.backend_name(), minicnn.device_name()) == ("numpy", "cpu")
    minicnn.use_backend("numba")
    assert minicnn.backend_name() == "numba"


@pytest.mark.usefixtures("needs_numba")
def test_a_with_block_restores_the_previous_choice():
    with minicnn.use_backend("numba"):
        assert minicnn.backend_name() == "numba"
    assert minicnn.backend_name() == "numpy"
    with pytest.raises(KeyError), minicnn.use_backend("numba"):
        raise KeyError
    assert minicnn.backend_name() == "numpy"


@pytest.mark.usefixtures("needs_numba")
def test_a_layer_follows_the_choice_between_two_calls():
    layer = Dense(3)
    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    y = layer.forward(x)
    textbook = layer.ops
    minicnn.use_backend("numba")
    np.testing.assert_allclose(layer.forward(x), y, rtol=1e-5, atol=1e-6)
    assert layer.ops is not textbook


@pytest.mark.usefixtures("needs_numba")
def test_the_cpu_prefers_numba():
    minicnn.use_device("cpu")
    assert minicnn.backend_name() == "numba"


@pytest.mark.parametrize(("variable", "asked", "found"), [
    ("OMP_NUM_THREADS", "1", 1), ("OMP_NUM_THREADS", "1000", 2), ("NUMBA_NUM_THREADS", "1", 1)
])  # fmt: skip
@pytest.mark.usefixtures("needs_numba")
def test_threads_are_limited_by_the_environment(variable, asked, found):
    code = "from minicnn.backends.cpu.runtime.threads import thread_count; print(thread_count())"
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    environment |= {"NUMBA_NUM_THREADS": "2", variable: asked}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) == found


@pytest.mark.usefixtures("needs_numba")
def test_threads_are_limited_for_a_block():
    with minicnn.use_backend("numba"):
        from minicnn.backends.cpu.runtime import threads

        everyone = threads.thread_count()
        with minicnn.use_backend("numba", threads=1):
            assert threads.thread_count() == 1
        assert threads.thread_count() == everyone
    for name, threads in (("numba", 0), ("numba", 1.5), ("numpy", 1)):
        with pytest.raises(ValueError, match="use_backend threads"):
            minicnn.use_backend(name, threads=threads)


def test_functions_of_kernels_refuse_to_be_called_from_python():
    """They have no entry point for Python: the call would jump to address 0."""
    gemm = pytest.importorskip("minicnn.backends.cpu.gemm.gemm")
    for _ in range(2):
        with pytest.raises(TypeError, match="clear.py_func"):
            gemm.clear(np.ones(3), 0, 2)
    one = np.ones((1, 1, 1, 1), np.float32)
    backends.cpu.conv2d(one, one, None, (1, 1), "valid", "linear")  # compiles it
    with pytest.raises(TypeError, match="clear.py_func"):
        gemm.clear(np.ones(3), 0, 2)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="of x86's processors")
@pytest.mark.parametrize(
    ("name", "features", "size"),
    [("generic", "", (16, 6)), ("haswell", "+avx,+avx2,+fma", (32, 6)), ("skylake-avx512", "+avx,+avx512f", (64, 8))],
    ids=["SSE2", "AVX2", "AVX-512"],
)
def test_the_microkernel_fits_the_processor_that_numba_compiles_for(name, features, size):
    """The environment may name another processor than this machine's."""
    pytest.importorskip("numba")
    code = "from minicnn.backends.cpu.gemm.microkernel import MR, VECTOR_BYTES; print((VECTOR_BYTES, MR))"
    environment = os.environ | {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(size)


def test_unknown_names():
    with pytest.raises(ValueError, match="Did you mean 'numpy'"):
        minicnn.use_backend("nunpy")
    with pytest.raises(ValueError, match="Known: cpu, gpu"):
        minicnn.use_device("tpu")
    assert minicnn.backend_name() == "numpy"


class FakeCuPy:
    """The part of CuPy that the search for a GPU uses, on a machine where something is missing."""

    def __init__(self, available=True, product=None, is_hip=False):
        self.cuda = SimpleNamespace(is_available=lambda: available, runtime=SimpleNamespace(is_hip=is_hip))
        self.product = product

    def ones(self, shape, dtype):
        if isinstance(self.product, Exception):
            raise self.product
        return np.full(shape, self.product, dtype)


NO_GPU = {
    "no CuPy": (None, r'needs CuPy.*pip install "cupy-cuda12x\[ctk\]"'),
    "a CuPy for AMD": (FakeCuPy(is_hip=True), r"built for AMD's GPUs \(ROCm\).*CUDA C for NVIDIA's"),
    "no driver": (FakeCuPy(available=False), r"finds no NVIDIA GPU.*nvidia-smi"),
    "no NVRTC": (
        FakeCuPy(product=RuntimeError("DynamicLibNotFoundError: libnvrtc.so.12\nand more")),
        r"product of two small matrices fails: RuntimeError: DynamicLibNotFoundError: libnvrtc\.so\.12\. .*\[ctk\]",
    ),
    "no cuBLAS": (FakeCuPy(product=ImportError("libcublas.so.12: cannot open")), r"ImportError: libcublas.*\[ctk\]"),
    "a broken device": (FakeCuPy(product=3), r"computes a wrong product of two small matrices"),
}


@pytest.fixture(params=NO_GPU)
def without_gpu(request, monkeypatch):
    """A machine on which one thing is missing for the GPU; its value is what the error must say."""
    cupy, sentence = NO_GPU[request.param]
    availability.check_gpu.cache_clear()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(availability, "find_spec", lambda name: cupy)
    yield sentence
    availability.check_gpu.cache_clear()


def test_the_gpu_says_what_is_missing_and_changes_nothing(without_gpu):
    for choose in (lambda: minicnn.use_device("gpu"), lambda: minicnn.use_backend("cupy")):
        with pytest.raises(BackendError, match=without_gpu) as error:
            choose()
        assert "--device cpu" in str(error.value)
        assert "\n" not in str(error.value)
    assert minicnn.backend_name() == "numpy"


def test_a_cupy_that_cannot_be_imported(monkeypatch, tmp_path):
    (tmp_path / "cupy.py").write_text("raise ImportError('libcudart.so.11.0: cannot open shared object file')")
    availability.check_gpu.cache_clear()
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BackendError, match=r"cannot be imported: ImportError: libcudart.*exactly one of its wheels"):
        minicnn.use_device("gpu")


@pytest.mark.parametrize(
    ("installed", "remedy"),
    [
        ((), 'pip install "cupy-cuda12x[ctk]"'),
        (("cupy-cuda12x",), 'pip install "cupy-cuda12x[ctk]"'),
        (("cupy-cuda13x",), 'pip install "cupy-cuda13x[ctk]"'),
        (("cupy",), "the CUDA Toolkit that cupy was built for"),
        (("cupy-cuda11x",), "the CUDA Toolkit that cupy-cuda11x was built for"),
        (("cupy-cuda12x", "cupy-cuda13x"), 'pip uninstall cupy-cuda12x cupy-cuda13x, then pip install "cupy-cuda12x'),
    ],
)
def test_the_remedy_never_adds_a_second_cupy(monkeypatch, tmp_path, installed, remedy):
    """Two CuPy wheels in one environment break each other."""
    for name in installed:
        folder = tmp_path / f"{name.replace('-', '_')}-14.2.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 14.2.0\n")
    monkeypatch.setattr(availability, "distributions", lambda: distributions(path=[str(tmp_path)]))
    assert availability.installed_cupy() == list(installed)
    fake = FakeCuPy(product=ImportError("libcublas: cannot open"))
    availability.check_gpu.cache_clear()
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(availability, "find_spec", lambda name: fake)
    with pytest.raises(BackendError) as error:
        minicnn.use_device("gpu")
    availability.check_gpu.cache_clear()
    assert f"this installs all of them: {remedy}" in str(error.value)


def test_only_the_gpu_has_tf32():
    for choose in (lambda: minicnn.use_backend("numpy", tf32=True), lambda: minicnn.use_device("cpu", tf32=True)):
        with pytest.raises(ValueError, match="use_backend tf32"):
            choose()


def test_without_numba_everything_runs_after_one_sentence(without_numba):
    with pytest.warns(UserWarning, match='pip install "numba') as warned:
        assert minicnn.backend_name() == "numpy"
    assert len(warned) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Dense(2).forward(np.ones((1, 3), np.float32))
    with pytest.raises(BackendError, match='pip install "numba'):
        minicnn.use_backend("numba")


def test_importing_minicnn_is_light():
    heavy = (
        "numba",
        "scipy",
        "safetensors",
        "sklearn",
        "matplotlib",
        "tqdm",
        "platformdirs",
        "http.client",
        "cupy",
        "threadpoolctl",
    )
    script = f"import sys, minicnn; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "[]"


CACHE_SCRIPT = """
import numpy as np
from minicnn.backends import cpu
from minicnn.backends.cpu.runtime import cache

cpu.dropout(np.ones((2, 8), np.float32), 0.5, 1, 1)
print(cache.directory())
"""


def run_with_cache(directory, **environment):
    """Standard output and error of a process that compiles or loads a kernel."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": str(directory), **environment}
    done = subprocess.run([sys.executable, "-c", CACHE_SCRIPT], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip()), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_CACHE_HOME names the user's cache on Linux only")
def test_kernels_are_compiled_once_and_kept_in_the_users_cache(tmp_path):
    pytest.importorskip("numba")
    place, said = run_with_cache(tmp_path / "user")
    assert place.parent == tmp_path / "user" / "minicnn"
    assert "compiling" in said
    assert run_with_cache(tmp_path / "user") == (place, "")
    chosen, _ = run_with_cache(tmp_path / "user", NUMBA_CACHE_DIR=str(tmp_path / "chosen"))
    assert chosen.parent == tmp_path / "chosen"
    assert any(chosen.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_CACHE_HOME names the user's cache on Linux only")
def test_kernels_run_where_no_cache_can_be_written(tmp_path):
    pytest.importorskip("numba")
    (tmp_path / "file").write_text("not a directory")
    run_with_cache(tmp_path / "file")
