"""The naive convolution kernel, an example for readers, gives the results of the textbook and of the tiled kernel."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn.backends import gpu, textbook
from minicnn.backends.gpu.naive_conv import naive_conv2d

CASES = [  # x, kernel, strides, padding, activation
    ((2, 7, 6, 3), (3, 2, 3, 4), (1, 1), "valid", "linear"),
    ((2, 7, 6, 3), (3, 2, 3, 4), (1, 1), "same", "relu"),
    ((3, 9, 8, 2), (3, 3, 2, 5), (2, 3), "same", "tanh"),
    ((2, 9, 8, 2), (2, 3, 2, 5), (2, 1), "valid", "sigmoid"),
    ((2, 1, 5, 4), (1, 1, 4, 70), (1, 1), "valid", "linear"),  # more outputs than a block has threads
]


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "kernel_shape", "strides", "padding", "activation"), CASES)
def test_it_is_the_textbook_s(order, shape, kernel_shape, strides, padding, activation, dtype, with_bias):
    random = np.random.default_rng(0)
    x, kernel = (random.standard_normal(size).astype(dtype) for size in (shape, kernel_shape))
    bias = random.standard_normal(kernel_shape[-1]).astype(dtype) if with_bias else None
    options = (strides, padding, activation)
    expected, _ = textbook.conv2d(x, kernel, bias, *options)
    with minicnn.use_backend("cupy"):
        arrays = [None if array is None else minicnn.to_device(array) for array in (x, kernel, bias)]
        found, tiled = naive_conv2d(*arrays, *options), gpu.conv2d(*arrays, *options)[0]
        tolerance = 1e-5 if dtype == "float32" else 1e-12
        for result in (found, tiled):
            assert result.dtype == dtype
            np.testing.assert_allclose(minicnn.to_host(result), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("shape", "kernel_shape", "strides", "padding", "activation"), CASES)
def test_it_touches_nothing_outside_of_its_arrays(guarded, shape, kernel_shape, strides, padding, activation):
    with minicnn.use_backend("cupy"):
        x, kernel = (minicnn.to_device(np.ones(size, "float32")) for size in (shape, kernel_shape))
        assert np.isfinite(minicnn.to_host(naive_conv2d(x, kernel, None, strides, padding, activation))).all()
