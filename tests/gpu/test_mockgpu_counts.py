"""The pretend device counts what a program asks of it."""

from __future__ import annotations

import mockgpu
import numpy as np
import pytest

cp = pytest.importorskip("cupy")
pytestmark = pytest.mark.skipif(not mockgpu.is_installed(), reason="tests the pretend device, and this is a real one")


def test_nothing_done_is_nothing_counted(device_counts):
    assert set(device_counts.read().values()) == {0}


def test_launches(device_counts):
    x = cp.ones((4, 4), np.float32)
    device_counts.reset()
    x += 1
    x @ x
    assert device_counts.read()["launches"] == 2
    assert mockgpu.counts()["cublas_calls"] == 1


def test_copies_and_their_bytes(device_counts):
    x = cp.asarray(np.ones((3, 5), np.float32))
    counted = mockgpu.counts()
    assert (counted["host_to_device"], counted["host_to_device_bytes"]) == (1, 60)
    y = cp.empty_like(x)
    y[:] = x
    assert (mockgpu.counts()["device_to_device"], mockgpu.counts()["device_to_device_bytes"]) == (1, 60)
    y.get()
    counted = mockgpu.counts()
    assert (counted["device_to_host"], counted["device_to_host_bytes"]) == (1, 60)


@pytest.mark.parametrize(
    "wait",
    [
        lambda: cp.cuda.Device().synchronize(),
        lambda: cp.cuda.Stream.null.synchronize(),
        lambda: cp.cuda.Event().synchronize(),
        lambda: float(cp.ones(1, np.float32)[0]),
        lambda: bool(cp.ones((), np.float32) > 0),
    ],
    ids=["device", "stream", "event", "float", "if"],
)
def test_every_kind_of_synchronisation(device_counts, wait):
    device_counts.reset()
    wait()
    assert device_counts.read()["synchronisations"] >= 1


def test_asynchronous_work_is_no_synchronisation(device_counts):
    x = cp.ones((8, 8), np.float32)
    device_counts.reset()
    (x @ x + 1).sum(axis=0)
    assert device_counts.read()["synchronisations"] == 0


def test_allocations_of_the_driver(device_counts):
    cp.get_default_memory_pool().free_all_blocks()
    device_counts.reset()
    x = cp.empty(1 << 20, np.uint8)
    assert device_counts.read()["driver_allocations"] == 1
    del x
    cp.empty(1 << 20, np.uint8)
    assert device_counts.read()["driver_allocations"] == 1, "the pool has this memory already"


def test_memsets(device_counts):
    cp.zeros(8)
    assert mockgpu.counts()["memsets"] == 1


def test_knobs_are_set_back():
    with mockgpu.knobs(order=2, guard=1):
        with mockgpu.knobs(order=1):
            assert knob_values() == (1, 1, 0)
        assert knob_values() == (2, 1, 0)
    assert knob_values() == (0, 0, 0)


def knob_values():
    return tuple(mockgpu.controls.knob(name).value for name in ("order", "guard", "lazy"))


@pytest.mark.parametrize(("wrong", "error"), [({"order": 3}, ValueError), ({"speed": 1}, TypeError)])
def test_wrong_knobs(wrong, error):
    with pytest.raises(error, match="knobs"):
        mockgpu.knobs(**wrong)


def test_a_knob_is_set_back_after_an_error_of_the_work_that_waited():
    kernel = cp.RawKernel('extern "C" __global__ void fails(int* x) { assert(x == nullptr); }', "fails")
    x = cp.zeros(1, np.int32)
    with pytest.raises(mockgpu.PretendDeviceError, match="assertion"), mockgpu.knobs(lazy=1, order=2):
        kernel((1,), (1,), (x,))
    assert knob_values() == (0, 0, 0)
    assert (x + 1).get() == 1
