"""Wrong and unusual arguments on the GPU: the tests of all backends, with guard pages around every allocation."""

from __future__ import annotations

import inspect

import mockgpu
import pytest
import test_arguments

import minicnn
from minicnn.backends import active

pytestmark = pytest.mark.usefixtures("guarded")

# all tests that ask for a backend find the one below
ABOUT_BACKENDS = {
    name: test
    for name, test in vars(test_arguments).items()
    if name.startswith("test_") and "backend" in inspect.signature(test).parameters
}
globals().update(ABOUT_BACKENDS)

if mockgpu.is_installed():  # which has no half precision to convert from; test_gpu_memory.py sends it to the host
    del test_arguments.MISTAKES["of float16"]


@pytest.fixture(scope="module")
def backend():
    with minicnn.use_backend("cupy"):
        yield active()


def test_there_are_tests():
    assert len(ABOUT_BACKENDS) > 5
