"""Every operation of the GPU against the textbook: the tests of all backends, in every order of threads."""

from __future__ import annotations

import inspect

import pytest
import test_backends

import minicnn
from minicnn.backends import active

pytestmark = pytest.mark.usefixtures("order")

# all these tests get the fixture `backend` below
ABOUT_BACKENDS = {
    name: test
    for name, test in vars(test_backends).items()
    if name.startswith("test_") and "backend" in inspect.signature(test).parameters
}
globals().update(ABOUT_BACKENDS)


@pytest.fixture(scope="module")
def backend():
    with minicnn.use_backend("cupy"):
        yield active()


def test_there_are_tests():
    assert len(ABOUT_BACKENDS) > 30
