"""The tiles of a product, and the grids that they are launched in."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn.backends import active
from minicnn.backends.gpu.kernels import LIMIT
from minicnn.backends.gpu.products import TILE, launch_product

MOST_ALONG_X, MOST_ALONG_Y_AND_Z = 2**31 - 1, 65_535


@pytest.mark.parametrize(("rows", "columns"), [(1, LIMIT), (LIMIT, 1), (1, TILE * MOST_ALONG_Y_AND_Z + 1)])
def test_a_grid_is_no_larger_than_cuda_s(rows, columns):
    grids = []
    launch_product(lambda grid, *_: grids.append(grid), rows, columns, 1, np.float32)
    (x, y, z), *others = grids
    assert x * y * z >= max(rows, columns) / TILE
    assert x <= MOST_ALONG_X
    assert max(y, z) <= MOST_ALONG_Y_AND_Z
    assert not others


@pytest.mark.usefixtures("order")
def test_several_tiles_along_both_axes():
    random = np.random.default_rng(0)
    x, kernel = (random.integers(-3, 4, size).astype("float32") for size in ((2 * TILE + 3, 40), (40, 3 * TILE + 2)))
    with minicnn.use_backend("cupy"):
        ops = active()
        y, saved = ops.dense(ops.to_device(x), ops.to_device(kernel), None, "linear")
        dx, dkernel, _ = ops.dense_backward(y, saved)
        np.testing.assert_array_equal(ops.to_host(y), x @ kernel)  # whole numbers: exact in any order
        np.testing.assert_array_equal(ops.to_host(dx), x @ kernel @ kernel.T)
        np.testing.assert_array_equal(ops.to_host(dkernel), x.T @ x @ kernel)
