"""Fixtures of all tests: the backends that they run on, and a fixed seed."""

from __future__ import annotations

import pytest

import minicnn
from minicnn.backends.availability import check_numba


def pytest_addoption(parser):
    parser.addoption("--all-mistakes", action="store_true", help="all of the gradient doctor's cases, not a sample")


def available_backends() -> tuple[str, ...]:
    """The CPU backends of this machine; `make test` stops before the tests if Numba is not among them."""
    try:
        check_numba()
    except minicnn.BackendError:
        return ("numpy",)
    return ("numpy", "numba")


BACKENDS = available_backends()


@pytest.fixture(params=BACKENDS)
def backend(request):
    """Runs the test on every CPU backend; its value is the backend's name."""
    with minicnn.use_backend(request.param):
        yield request.param


@pytest.fixture
def needs_numba():
    """Skips the test where the numba backend is not available."""
    if "numba" not in BACKENDS:
        pytest.skip("this machine does not have the numba backend")


@pytest.fixture(autouse=True)
def _fixed_seed():
    minicnn.set_random_seed(0)
