"""State dicts: PyTorch loads what minicnn writes, minicnn loads what PyTorch writes, with equal outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from minicnn import Input, Sequential, exchange, layers

X = np.random.default_rng(0).normal(size=(4, 8, 6, 2)).astype("float32")
NAMES = {
    "conv2d": "0",
    "batch_normalization": "1",
    "conv2d_1": "4",
    "batch_normalization_1": "7",
    "dense": "8",
    "dense_1": "10",
}


def torch_network():
    nn = torch.nn
    network = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 4, (1, 2), bias=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.BatchNorm1d(4 * 4 * 2),
        nn.Linear(4 * 4 * 2, 5),
        nn.Tanh(),
        nn.Linear(5, 3),
    )
    network(torch.randn(16, 2, 8, 6))  # in training mode: moving statistics
    return network.eval()


def minicnn_network():
    return Sequential(
        [
            Input((8, 6, 2)),
            layers.Conv2D(3, 3, padding="same", dtype="float32"),
            layers.BatchNormalization(epsilon=1e-5, dtype="float32"),
            layers.ReLU(dtype="float32"),
            layers.MaxPooling2D(2, dtype="float32"),
            layers.Conv2D(4, (1, 2), use_bias=False, activation="relu", dtype="float32"),
            layers.Flatten(dtype="float32"),
            layers.BatchNormalization(epsilon=1e-5, dtype="float32"),
            layers.Dense(5, "tanh", dtype="float32"),
            layers.Dense(3, dtype="float32"),
        ]
    )


def outputs(network):
    with torch.no_grad():
        return network(torch.from_numpy(X.transpose(0, 3, 1, 2))).numpy()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.safetensors"


def test_minicnn_loads_a_state_dict(path):
    network, model = torch_network(), minicnn_network()
    save_file(network.state_dict(), path)
    model.load_weights(path)
    np.testing.assert_allclose(model.predict(X), outputs(network), rtol=1e-4, atol=1e-5)


def test_pytorch_loads_what_minicnn_writes(path):
    network, model = torch_network(), minicnn_network()
    exchange.save_pytorch(model, path, NAMES)
    network.load_state_dict(load_file(path))
    np.testing.assert_allclose(outputs(network), model.predict(X), rtol=1e-4, atol=1e-5)
