"""See inside a step on the GPU: the recorded arrays are on the host, and the products sum to them."""

from __future__ import annotations

import numpy as np

import minicnn
from minicnn.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D


def test_products_and_table_of_a_step():
    with minicnn.use_backend("cupy"):
        body = [Conv2D(4, 3, activation="relu", kernel_regularizer="l2"), BatchNormalization(), MaxPooling2D(2)]
        last = [Dropout(0.3, seed=1), Flatten(), Dense(5, activation="softmax")]
        model = minicnn.Sequential([minicnn.Input((8, 6, 2)), *body, *last])
        model.compile("adam", "sparse_categorical_crossentropy")
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(4, 8, 6, 2)).astype("float32"), rng.integers(0, 5, 4)
        before = model.get_weights()
        traced = minicnn.trace(model, x, y)
        for name in traced.names():
            *_, element = traced._find(name)
            found = traced.explain(name, tuple(length // 2 for length in element.array.values.shape))
            assert abs(found.sum - found.stored) <= 1e-5 * np.abs(found.values).sum() + 1e-12, str(found)
        assert "conv2d" in str(traced)
        model.train_on_batch(x, y)
        step = model.get_weights()[6] - before[6]
        np.testing.assert_allclose(traced["dense"].updates["kernel"], step, rtol=1e-3, atol=1e-7)
