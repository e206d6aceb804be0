"""Products on tensor cores (TF32), on request: exact for short numbers, and only for float32."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from test_backends import assert_alike, conv_arguments, numbers, run

import minicnn
from minicnn.backends import active, availability, textbook
from minicnn.backends.contract import ACTIVATIONS


def calls(monkeypatch):
    """Records the compute type of each product in cuBLAS."""
    import cupy
    from cupy._core import get_compute_type

    matmul, made = cupy.matmul, []
    monkeypatch.setattr(cupy, "matmul", lambda a, b: made.append(get_compute_type(a.dtype)) or matmul(a, b))
    return made


@pytest.mark.skipif(not availability.has_tf32(), reason="this GPU has no TF32")
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("need_dx", [True, False])
@pytest.mark.usefixtures("order")
def test_convolution_and_dense(activation, need_dx, monkeypatch):
    """Eighths below 2 have no more than 10 bits, so that TF32 rounds only the sums."""
    from cupy._core._routines_linalg import COMPUTE_TYPE_TF32

    made = calls(monkeypatch)
    convolution = conv_arguments(activation=activation)
    dense = [numbers((9, 7)), numbers((7, 5), seed=1) / np.float32(16), None, activation]
    for operation, arguments in (("conv2d", convolution), ("dense", dense)):
        with minicnn.use_backend("cupy", tf32=True):
            found = run(active(), operation, *arguments, need_dx=need_dx)
        if activation not in ("linear", "relu"):  # dz has more bits than that
            found, expected = found[:1], run(textbook, operation, *arguments, need_dx=need_dx)[:1]
        else:
            expected = run(textbook, operation, *arguments, need_dx=need_dx)
        assert_alike(found, expected)
    assert made == [COMPUTE_TYPE_TF32] * 2 * (3 if need_dx else 2)


def test_float64_and_the_default_do_not_use_it(monkeypatch):
    made = calls(monkeypatch)
    with minicnn.use_device("gpu", tf32=True):
        run(active(), "conv2d", *conv_arguments("float64"))
    with minicnn.use_device("gpu"):
        run(active(), "conv2d", *conv_arguments())
    assert not made


def test_cupy_s_own_setting_is_not_changed():
    from cupy._core import get_compute_type

    before = get_compute_type(np.float32)
    with minicnn.use_device("gpu", tf32=True):
        run(active(), "conv2d", *conv_arguments())
    assert get_compute_type(np.float32) == before


def test_a_gpu_without_tensor_cores_warns_once_and_computes_in_float32(monkeypatch):
    import cupy

    class Turing(cupy.cuda.Device):
        compute_capability = "75"

    monkeypatch.setattr(cupy.cuda, "Device", Turing)
    availability.warn_without_tf32.cache_clear()
    made = calls(monkeypatch)
    with pytest.warns(UserWarning, match=r"no TF32.*sm_80.*computes in float32"):
        first = minicnn.use_device("gpu", tf32=True)
    with first, warnings.catch_warnings():
        warnings.simplefilter("error")
        with minicnn.use_backend("cupy", tf32=True):
            found = run(active(), "conv2d", *conv_arguments())
    assert not made
    assert_alike(found, run(textbook, "conv2d", *conv_arguments()))
    availability.warn_without_tf32.cache_clear()
