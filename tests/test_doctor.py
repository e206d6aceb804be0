"""python -m minicnn.doctor: its findings and messages, its exit codes, and what its report contains and leaves out."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minicnn
from minicnn import BackendError
from minicnn.backends import availability, choice, textbook
from minicnn.backends.contract import OPERATIONS
from minicnn.doctor import cases, checks, command_line, examination, examine, machine, networks, report

ROOT = Path(__file__).resolve().parents[1]
NO_GPU = "The GPU backend needs CuPy, which is not in /home/somebody/lib."


@pytest.fixture(autouse=True)
def _without_a_gpu(monkeypatch):
    """As if this machine had no GPU."""

    def missing():
        raise BackendError(NO_GPU)

    monkeypatch.setattr(choice, "check_gpu", missing)


@pytest.fixture
def quick(monkeypatch):
    """The command, with as few calls as possible."""

    def examine_quickly(*arguments, **options):
        return examine(*arguments, **options, batch_size=2, rounds=1, calls=1)

    monkeypatch.setattr(command_line, "examine", examine_quickly)
    return command_line.main


def plant(monkeypatch, operation, mistake):
    """Make an operation of the textbook's backend "numpy" wrong, and keep the textbook right."""
    right = {name: getattr(textbook, name) for name in OPERATIONS}
    wrong = type("Wrong", (), {name: staticmethod(function) for name, function in right.items()})
    setattr(wrong, operation, staticmethod(mistake(right[operation])))
    load = choice._load
    monkeypatch.setattr(choice, "_load", lambda name: wrong if name == "numpy" else load(name))


def test_every_operation_of_the_contract_has_a_case():
    assert cases.operations_with_a_case() == set(OPERATIONS)


@pytest.mark.parametrize("dtype", checks.TOLERANCES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_case_gives_numbers_that_a_mistake_would_change(operation, dtype):
    results = [result for result in checks.flat(cases.prepare(operation, textbook, dtype)()) if result is not None]
    assert any(np.any(np.array(result)) for result in results)
    assert all(np.isfinite(np.array(result)).all() for result in results)


def test_everything_works_here(quick, capsys):
    assert quick([]) == 0
    printed = capsys.readouterr().out
    assert f"\nEverything works: {machine.default_backend()} will be used" in printed
    for word in ("NumPy", np.__version__, minicnn.__version__, "adam_step", NO_GPU.split(",")[0]):
        assert word in printed
    assert "Traceback" not in printed
    assert max(map(len, printed.splitlines())) <= 120


@pytest.mark.parametrize(
    ("operation", "mistake", "said"),
    [
        ("dense_backward", lambda right: lambda *a: (right(*a)[0], right(*a)[1] * 2, right(*a)[2]), "error"),
        ("sgd_step", lambda right: lambda *arguments: None, "error"),
        ("activation", lambda right: lambda x, name: (right(x, name)[0].astype("float16"), x), "float16"),
        ("max_pool2d_backward", lambda right: lambda dy, saved: right(dy * np.nan, saved), "NaN"),
        ("conv2d", lambda right: lambda *a: (right(*a)[0][:, 1:], right(*a)[1]), "found"),
        ("one_hot", lambda right: lambda *a: 1 / 0, "ZeroDivisionError"),
    ],
)  # fmt: skip
def test_a_wrong_operation_is_found_and_named(operation, mistake, said, monkeypatch, quick, capsys):
    plant(monkeypatch, operation, mistake)
    assert quick(["--device", "cpu"]) == 1
    *_, summary = printed = capsys.readouterr().out.splitlines()
    assert f"{operation} (numpy)" in summary
    assert "differ" in summary
    failures = [line for line in printed if line.startswith(f"{operation} of numpy in float64: ")]
    assert len(failures) == 1
    assert said in failures[0]


def test_two_wrong_operations_are_counted():
    wrong = [checks.Check("numba", name, "float32", False, 1.0, "error 1") for name in ("dense", "conv2d", "dense")]
    summary = examination._summary(None, ["numba"], wrong, ["…"] * 3)
    assert summary == "2 operations differ from the textbook: dense (numba), conv2d (numba)."


def test_a_gpu_that_is_not_there_is_a_sentence_and_exit_code_2(quick, capsys, tmp_path):
    assert quick(["--device", "gpu", "--report", str(tmp_path / "report.json")]) == 2
    assert capsys.readouterr().err == f"doctor: error: {NO_GPU}\n"
    assert not any(tmp_path.iterdir())


def test_a_report_that_cannot_be_written_is_exit_code_2(quick, capsys, tmp_path):
    (tmp_path / "file").write_text("no folder")
    arguments = ["--device", "cpu", "--report", str(tmp_path / "file" / "report.json")]
    assert quick(arguments) == 2
    assert "doctor: error: " in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(SystemExit, match="2"):
        quick(["--report", str(tmp_path)])


def test_a_backend_that_cannot_be_loaded_is_a_sentence(monkeypatch, quick, capsys):
    pytest.importorskip("numba")

    def broken(name):
        if name == "numba":
            raise ImportError("Numba needs another NumPy.\nMore about that.")
        return textbook

    monkeypatch.setattr(choice, "_load", broken)
    assert quick(["--device", "cpu"]) == 1
    summary = capsys.readouterr().out.splitlines()[-1]
    assert summary.startswith("Something does not work: The numba backend cannot be loaded: ImportError: Numba needs")


def test_without_numba_and_the_other_packages(monkeypatch, quick, capsys):
    availability.check_numba.cache_clear()
    monkeypatch.setattr(availability, "find_spec", lambda package: None)
    monkeypatch.setattr(machine, "_version", lambda package: None if package != "numpy" else np.__version__)
    assert quick([]) == 0
    printed = capsys.readouterr().out
    for package in ('"numba>=', "scikit-learn", "matplotlib", '"cupy-cuda12x[ctk]"'):
        assert f"missing: pip install {package}" in printed
    assert "The numba backend needs Numba" in printed
    assert "Everything works: numpy will be used, many times slower" in printed


def test_the_choice_of_a_backend_is_left_as_it_was(quick):
    with minicnn.use_backend("numpy"):
        quick(["--device", "cpu"])
        assert minicnn.backend_name() == "numpy"


# the report


def test_the_report_holds_everything(quick, tmp_path, capsys):
    path = tmp_path / "new" / "report.json"
    assert quick(["--report", str(path)]) == 0
    found = json.loads(path.read_text("utf-8"))
    assert list(found) == [
        *("schema", "date", "minicnn", "machine", "packages", "backends"),
        *("operations", "steps", "rounding", "failures", "summary"),
    ]
    usable = [name for name, facts in found["backends"].items() if facts["available"]]
    assert {(check["backend"], check["operation"], check["dtype"]) for check in found["operations"]} == {
        (name, operation, dtype) for name in usable for operation in OPERATIONS for dtype in ("float32", "float64")
    }
    for check in found["operations"]:
        assert check["ok"]
        assert check["error"] <= checks.TOLERANCES[check["dtype"]]
        assert (check["steady_ms"] is None) == (check["first_ms"] is None) == (check["dtype"] == "float64")
    default = machine.default_backend()
    assert [(time["model"], time["backend"]) for time in found["steps"]["times"]] == [
        (model, default) for model in networks.MODELS
    ]
    assert all(time["ms"] > 0 and not time["tf32"] for time in found["steps"]["times"])
    assert found["backends"]["cupy"]["why_not"] == NO_GPU.replace("/home/somebody/", "…/")
    assert found["failures"] == []
    printed = capsys.readouterr().out
    for model in networks.MODELS:
        assert model in printed


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("cannot open /home/ada/lib/libnvrtc.so.12: no such file", "cannot open …/libnvrtc.so.12: no such file"),
        (r"in 'C:\Users\ada\cupy\core.pyd'", r"in '…/core.pyd'"),
        ("minicnn.use_device and …/examples or 1/2 stay", "minicnn.use_device and …/examples or 1/2 stay"),
        (str(Path.home()) + " x", "/… x"),
    ],
)
def test_folders_are_removed_from_the_report(text, written):
    assert report.without_paths({"a": [text, 1, None]}) == {"a": [written, 1, None]}


def test_only_harmless_environment_variables_are_reported(monkeypatch):
    monkeypatch.setenv("CUDA_PATH", "/home/ada/cuda")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("NUMBA_NUM_THREADS", "ada")
    monkeypatch.delenv("CUPY_TF32", raising=False)
    assert machine.describe_machine()["environment"] == {
        "NUMBA_NUM_THREADS": "no number",
        "OMP_NUM_THREADS": "3",
        "CUPY_TF32": "not set",
        "CUDA_PATH": "set",
    }


# the seven models


@pytest.mark.parametrize("name", networks.MODELS)
def test_the_models_are_those_of_the_examples(name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    example = runpy.run_path(str(ROOT / "examples" / f"{name}.py"))["build_model"]()
    model = networks.build(name)
    assert model.name == example.name
    assert model.input_shape == example.input_shape
    assert [repr(layer) for layer in model.layers] == [repr(layer) for layer in example.layers]
    for layer, other in zip(model.layers, example.layers, strict=True):
        assert layer.get_config() | {"name": ""} == other.get_config() | {"name": ""}
        assert layer.output_shape == other.output_shape


def test_there_are_as_many_models_as_in_the_report():
    scripts = [ROOT / "examples/baseline.py", *ROOT.glob("examples/model[1-6].py")]
    assert sorted(networks.MODELS) == sorted(path.stem for path in scripts)


def test_a_model_that_fails_is_reported_and_the_others_are_timed(monkeypatch):
    build = networks.build
    monkeypatch.setattr(networks, "build", lambda name: build(name if name != "model2" else "model9"))
    times = networks.time_steps("numpy", 2, 1, 1)
    assert [time.model for time in times if time.problem] == ["model2"]
    assert all(time.ms for time in times if not time.problem)


# the command in a process of its own


def start(*arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=60)


def test_help_has_examples_and_exit_codes():
    done = start("-m", "minicnn.doctor", "--help")
    assert done.returncode == 0
    for word in ("--device", "--report", "examples:", "Exit code: 0"):
        assert word in done.stdout


def test_the_start_is_light():
    heavy = ("numba", "scipy", "sklearn", "matplotlib", "cupy", "torch")
    script = f"import sys, minicnn.doctor.command_line; print([name for name in {heavy} if name in sys.modules])"
    assert start("-c", script).stdout.strip() == "[]"


LOADED_BEFORE = """
import sys
from minicnn.doctor import machine

tried = machine._tried
machine._tried = lambda name: (print(name, "minicnn.backends.cpu" in sys.modules), tried(name))[1]
machine.describe_backends("cpu")
"""


def test_the_time_of_loading_is_that_of_a_backend_that_is_not_loaded_yet(needs_numba):
    assert "numba False\n" in start("-c", LOADED_BEFORE).stdout
