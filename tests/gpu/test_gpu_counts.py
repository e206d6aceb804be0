"""A training step of Model 5 needs few launches, and no synchronisation, transfer or allocation."""

from __future__ import annotations

import gc
import runpy
from pathlib import Path

import numpy as np
import pytest

import minicnn
from minicnn.callbacks import Callback
from minicnn.optimizers import Adam

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LAUNCHES = 29
"""Gather x and y 2, convolutions 3, poolings 3, dense 2, dropout 1, loss 1, running loss 1, accuracy 2;
backward: dense 4, dropout 1, poolings 3, convolutions 5 (the first has no dx); Adam 1."""
ENOUGH = 256 * 2**20
"""Bytes: several times the memory that a test needs."""


class CountingSteps(Callback):
    """Records the device's counters from the end of one step to the end of the next, and the memory in use then."""

    def __init__(self, counts):
        self.counts, self.steps, self.used = counts, [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.steps, self.used = [], []

    def on_train_batch_end(self, batch, logs):
        import cupy

        self.steps.append(self.counts.read())
        self.used.append(cupy.get_default_memory_pool().used_bytes())
        self.counts.reset()


@pytest.fixture
def model5(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    with minicnn.use_backend("cupy"):
        minicnn.set_random_seed(0)
        model = runpy.run_path(str(EXAMPLES / "model5.py"))["build_model"]()
        model.compile(Adam(), "categorical_crossentropy", metrics=["accuracy"])
        leave_one_block()
        yield model


def leave_one_block():
    """Leave one free block in CuPy's pool, large enough for everything. With several blocks it would be chance which
    one the pool divides, and when it asks the driver for more."""
    import cupy

    gc.collect()
    cupy.get_default_memory_pool().free_all_blocks()
    cupy.empty(ENOUGH, "uint8")


def images(samples, dtype="float32"):
    rng = np.random.default_rng(0)
    return rng.integers(256, size=(samples, 28, 28, 1)).astype(dtype), np.eye(10)[rng.integers(10, size=samples)]


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_a_step_of_model_5(model5, device_counts, dtype):
    x, y = images(4 * 64, dtype)
    y = y.astype("float32")
    counting = CountingSteps(device_counts)
    model5.fit(x, y, batch_size=64, epochs=2, callbacks=[counting], verbose=0)
    steady = counting.steps[1:]  # the last epoch's; its first step includes the epoch's start
    assert len(steady) == 3
    for step in steady:
        assert step == {
            "launches": LAUNCHES,
            "host_to_device": 0,
            "device_to_host": 0,
            "synchronisations": 0,
            "driver_allocations": 0,
        }
    assert len(set(counting.used[1:])) == 1  # nothing grows; an epoch begins without the last step's saved arrays


def test_transfers_per_epoch(model5, device_counts):
    """The order of its samples is transferred, its two metrics come back; the data set was transferred before."""
    x, y = images(2 * 64)

    class Epochs(Callback):
        counted = ()

        def on_epoch_end(self, epoch, logs):
            self.counted = (*self.counted, device_counts.read())
            device_counts.reset()

    epochs = Epochs()
    model5.fit(x, y, batch_size=64, epochs=3, callbacks=[epochs], verbose=0)
    for counted in epochs.counted[1:]:
        assert counted["host_to_device"] <= 1
        assert counted["device_to_host"] <= 4
        assert counted["driver_allocations"] == 0


def test_compiling_is_done_once(model5):
    from minicnn.backends.gpu import kernels

    x, y = images(70)
    model5.fit(x, y, batch_size=64, verbose=0)
    compiled = {name: set(source._kernels) for name, source in kernels._sources.items()}
    model5.fit(x[:9], y[:9], batch_size=4, verbose=0)  # other shapes are no other kernels
    assert {name: set(source._kernels) for name, source in kernels._sources.items()} == compiled
