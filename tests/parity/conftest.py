"""Parity runs where TensorFlow, Keras and PyTorch are installed (`make parity` does it), and is skipped elsewhere."""

from __future__ import annotations

import os
from collections import Counter
from importlib.util import find_spec

import pytest

os.environ["KERAS_BACKEND"] = "tensorflow"  # it computes in float64 throughout
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

if not all(find_spec(package) for package in ("keras", "tensorflow", "torch")):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(params=["float64"])
def precision(request):
    """The dtype of all layers made in the test, minicnn's and Keras's: float64, unless parametrised otherwise."""
    import keras

    import minicnn

    def set_everywhere(dtype):
        keras.config.set_floatx(dtype)
        keras.config.set_dtype_policy(dtype)  # Keras keeps the first one that it gets
        minicnn.config.set_floatx(dtype)

    set_everywhere(request.param)
    yield request.param
    set_everywhere("float32")


def pytest_terminal_summary(terminalreporter):
    """The share of the tests, file by file, in which minicnn does what Keras and PyTorch do."""
    agree, differ = (
        Counter(report.fspath for report in terminalreporter.getreports(kind)) for kind in ("passed", "failed")
    )
    for name in sorted(agree | differ):
        total = agree[name] + differ[name]
        terminalreporter.write_line(
            f"{name}: {agree[name]} of {total} as in Keras and PyTorch ({agree[name] / total:.0%})"
        )
