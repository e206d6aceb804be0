"""Memory over epochs: training needs no more after its first epoch."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np

from minicnn import Input, Sequential
from minicnn.callbacks import Callback
from minicnn.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D


class AllocatedMemory(Callback):
    """Records the bytes that Python and NumPy hold at the end of each epoch."""

    def __init__(self):
        self.held = []

    def on_epoch_end(self, epoch, logs):
        gc.collect()
        self.held.append(tracemalloc.get_traced_memory()[0])


def test_nothing_grows_over_epochs(backend):
    model = Sequential(
        [
            Input((12, 12, 1)),
            Conv2D(16, 3, padding="same", activation="relu"),
            MaxPooling2D(2),
            BatchNormalization(),
            Conv2D(16, 3, padding="same", activation="relu"),
            Dropout(0.2),
            Flatten(),
            Dense(4, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    x, y = rng.random((100, 12, 12, 1), np.float32), rng.integers(4, size=100)
    model.fit(x, y, validation_data=(x, y), verbose=0)  # compiles the kernels
    memory = AllocatedMemory()
    tracemalloc.start()
    try:
        model.fit(x, y, epochs=8, validation_data=(x, y), callbacks=[memory], verbose=0)
    finally:
        tracemalloc.stop()
    one_channel = 32 * 12 * 12 * 4  # bytes of a batch: less than the smallest array that a step could leave behind
    assert max(memory.held[2:]) - memory.held[2] < one_channel
