"""The doctor on the GPU: its operations, the device's description, a step of the seven models with TF32 and without."""

from __future__ import annotations

import json

import pytest

from minicnn.backends import gpu
from minicnn.backends.availability import has_tf32
from minicnn.backends.contract import OPERATIONS
from minicnn.doctor import examination, examine
from minicnn.doctor.networks import MODELS
from minicnn.doctor.report import write_report
from minicnn.doctor.text import as_text

MODES = (False, True) if has_tf32() else (False,)


@pytest.fixture(scope="module")
def findings():
    return examine(models=True, batch_size=2, rounds=1, calls=1)


def test_every_operation_is_the_textbook_s(findings):
    assert findings["failures"] == []
    assert findings["summary"] == "Everything works: numba will be used, cupy if you ask for the GPU."
    assert [(c["operation"], c["dtype"]) for c in findings["operations"] if c["backend"] == "cupy"] == [
        (operation, dtype) for operation in OPERATIONS for dtype in ("float32", "float64")
    ]


def test_the_device_is_described(findings):
    facts = findings["backends"]["cupy"]
    assert facts["available"]
    assert not facts["default"]
    assert set(facts["gpu"]) == {"name", "compute_capability", "memory_gib", "driver_cuda", "runtime_cuda"}
    assert all(facts["gpu"].values())
    assert facts["gpu"]["name"] in as_text(findings)
    assert max(map(len, as_text(findings).splitlines())) <= 120


def test_the_seven_models_are_timed_on_the_cpu_and_on_the_gpu_with_tf32_and_without(findings, tmp_path):
    write_report(findings, tmp_path / "report.json")
    steps = json.loads((tmp_path / "report.json").read_text("utf-8"))["steps"]
    assert steps["batch_size"] == 2
    assert [(time["model"], time["backend"], time["tf32"]) for time in steps["times"]] == [
        (model, backend, tf32)
        for backend, tf32 in (("numba", False), *(("cupy", tf32) for tf32 in MODES))
        for model in MODELS
    ]
    assert all(time["ms"] > 0 for time in steps["times"])


def test_the_error_of_tf32_is_reported(findings):
    told = {(error["operation"], error["tf32"]): error["error"] for error in findings["rounding"]}
    assert set(told) == {(operation, tf32) for operation in ("conv2d", "dense") for tf32 in MODES}
    for (_, tf32), error in told.items():
        assert 0 < error < (5e-3 if tf32 else 2e-5)


def test_a_wrong_kernel_is_found(monkeypatch):
    general_relu = gpu.general_relu

    def wrong(x, *options):
        y, saved = general_relu(x, *options)
        return y + 1, saved

    monkeypatch.setattr(gpu, "general_relu", wrong)
    findings = examine("gpu", rounds=1, calls=1)
    assert list(findings["backends"]) == ["cupy"]
    assert findings["summary"] == "1 operation differs from the textbook: general_relu (cupy)."


def test_a_gpu_without_tf32_is_examined_without_it(monkeypatch):
    monkeypatch.setattr(examination, "has_tf32", lambda: False)
    findings = examine("gpu", models=True, batch_size=1, rounds=1, calls=1)
    assert {facts["tf32"] for facts in (*findings["steps"]["times"], *findings["rounding"])} == {False}
    assert findings["failures"] == []
