"""Wrong and unusual arguments on the GPU: the tests of all backends, with guard pages around every allocation."""

from __future__ import annotations

import inspect

import mockgpu
import pytest
import test_arguments

import minicnn
from minicnn.backends import active

pytestmark = pytest.mark.usefixtures("guarded")

# all these tests get the fixture `backend` below
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


@pytest.mark.parametrize("operation", [name for name in test_arguments.PAIRS if name not in test_arguments.LOSSES])
def test_a_gradient_of_another_precision_is_refused(backend, operation):
    """Kernels that read float64 where there is float32 would read past its end."""
    dy, *rest = test_arguments.right_arguments(backend, f"{operation}_backward", "float32")
    with pytest.raises(TypeError, match=rf"{operation}_backward: expected dy of dtype float32, as y, found float64"):
        getattr(backend, f"{operation}_backward")(dy.astype("float64"), *rest)


def test_products_whose_sides_an_int_cannot_number():
    from minicnn.backends.gpu.products import launch_product

    with pytest.raises(ValueError, match="expected arrays of at most"):
        launch_product(None, 4, 4, 2**31 - 2, "float32")
