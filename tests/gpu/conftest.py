"""Fixtures of the GPU's tests, which run on a real device if there is one, else on the pretend device.

Fixtures:

order           runs the test three times, on a device that runs blocks and threads forward, reversed and shuffled; its
                value is that word. A real device has no order to choose: there only "forward" runs.
guarded         borders every new allocation with pages that fault, and fills it, and shared memory, with NaNs
lazily          does nothing before the program synchronises
device_counts   device_counts.reset(), then device_counts.read() -> {"launches": ..., "host_to_device": ...,
                "device_to_host": ..., "synchronisations": ..., "driver_allocations": ...}

`guarded`, `lazily` and `device_counts` need the pretend device; tests that use them are skipped on a real one.
`docs/pretend-device.md` says more.
"""

from __future__ import annotations

from importlib.util import find_spec

import mockgpu
import pytest
from mockgpu.conditions import real_gpu
from mockgpu.controls import ORDERS

if find_spec("cupy") is None:
    collect_ignore_glob = ["test_*.py"]
elif not real_gpu():
    try:
        mockgpu.install(check_bounds=True)
    except mockgpu.PretendDeviceError as error:
        raise pytest.UsageError(str(error)) from None


def require_pretend_device(what: str) -> None:
    if not mockgpu.is_installed():
        pytest.skip(f"{what} needs the pretend device, and this is a real one")


@pytest.fixture(params=ORDERS)
def order(request):
    """Runs the test in each order of blocks and threads; its value is the order's name."""
    if request.param != "forward":
        require_pretend_device("an order of threads")
    if not mockgpu.is_installed():
        yield request.param
        return
    with mockgpu.knobs(order=ORDERS[request.param]):
        yield request.param


@pytest.fixture
def guarded():
    """Guard pages around each allocation, and NaNs in it."""
    require_pretend_device("guarded memory")
    import cupy

    pool = cupy.cuda.get_allocator()
    cupy.cuda.set_allocator(None)  # a pool would place several arrays into one allocation
    try:
        with mockgpu.knobs(guard=1):
            yield
    finally:
        cupy.cuda.set_allocator(pool)


@pytest.fixture
def lazily():
    """Nothing runs before the program synchronises."""
    require_pretend_device("a lazy device")
    with mockgpu.knobs(lazy=1):
        yield


class DeviceCounts:
    """Counts of the device's work since the last reset: those that the tests check."""

    NAMES = ("launches", "host_to_device", "device_to_host", "synchronisations", "driver_allocations")

    def reset(self) -> None:
        mockgpu.reset()

    def read(self) -> dict[str, int]:
        counted = mockgpu.counts()
        return {name: counted[name] for name in self.NAMES}


@pytest.fixture
def device_counts():
    """Counters of the device, at 0."""
    require_pretend_device("counting")
    counts = DeviceCounts()
    counts.reset()
    return counts
