"""Parity runs where TensorFlow, Keras and PyTorch are installed (`make parity` does it), and is skipped elsewhere."""

from __future__ import annotations

import os
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
