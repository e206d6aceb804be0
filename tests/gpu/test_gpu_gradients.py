"""Every gradient is right, checked on the device itself: all layers and losses, by central differences in float64."""

from __future__ import annotations

import numpy as np
import pytest
from test_gradients import LAYERS, LOSSES

import minicnn
from minicnn.gradcheck import check_layer, check_loss, check_model
from minicnn.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten


@pytest.fixture(autouse=True)
def _on_gpu():
    with minicnn.use_backend("cupy"):
        yield


@pytest.mark.parametrize("cls", LAYERS, ids=lambda cls: cls.__name__)
def test_layer(cls):
    for layer, shape in LAYERS[cls]:
        fresh = cls(**layer.arguments)  # the other one's weights may be on the host
        check_layer(fresh, shape, samples=20).raise_if_wrong()


@pytest.mark.parametrize("cls", LOSSES, ids=lambda cls: cls.__name__)
def test_loss(cls):
    for loss, y_true, y_pred in LOSSES[cls]:
        check_loss(loss, y_true, y_pred).raise_if_wrong()


@pytest.mark.parametrize("method", ["central", "complex"])
def test_model(method):
    model = minicnn.Sequential(
        [
            Conv2D(4, 3, activation="tanh"),
            BatchNormalization(),
            Flatten(),
            Dropout(0.3),
            Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy")
    rng = np.random.default_rng(0)
    x, y = rng.random((3, 6, 5, 2)), np.eye(3)
    check_model(model, x, y, method=method, samples=5).raise_if_wrong()
