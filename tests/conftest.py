"""What all tests share: the backends that they run on, and a fixed seed."""

from __future__ import annotations

import pytest

import minicnn

BACKENDS = ("numpy", "numba")


@pytest.fixture(params=BACKENDS)
def backend(request):
    """Runs the test on every CPU backend; its value is the backend's name."""
    with minicnn.use_backend(request.param):
        yield request.param


@pytest.fixture(autouse=True)
def _fixed_seed():
    minicnn.set_random_seed(0)
