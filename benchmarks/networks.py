"""The networks: the seven models of the scripts, a standard CNN, networks to scale; and data for any library."""

from __future__ import annotations

import sys
import warnings
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

import minicnn
from minicnn import layers

from .workers import ROOT

BATCH_SIZE = 64
MODELS = ("baseline", "model1", "model2", "model3", "model4", "model5", "model6")
NETWORKS = (*MODELS, "standard")
TITLES = {name: f"Model {name[-1]}" if name[-1].isdigit() else name.title() for name in MODELS}
TITLES["standard"] = "Standard CNN"
STANDARD_BATCH_SIZE = 128
Network = dict[str, Any]


def network_of(model: minicnn.Sequential) -> Network:
    """The model's input shape and layers."""
    assert model.input_shape
    described = [layer.describe() for layer in model.layers]
    return {"input_shape": list(model.input_shape[1:]), "layers": described}


def model_of(network: Network) -> minicnn.Sequential:
    """The network as a minicnn model with initial weights, which all rivals get."""
    stack = [layers.CLASSES[layer["class"]](**layer["config"]) for layer in network["layers"]]
    return minicnn.Sequential([layers.Input(network["input_shape"]), *stack])


def batch_size_of(name: str) -> int:
    """The batch size that the network is trained with."""
    return STANDARD_BATCH_SIZE if name == "standard" else BATCH_SIZE


@cache
def network_named(name: str) -> Network:
    """One of NETWORKS: a model from its script in examples/, or the standard CNN."""
    if name == "standard":
        return standard_cnn()
    return network_of(example(name).build_model())


def example(name: str) -> ModuleType:
    """A script of examples/, imported."""
    folder = str(ROOT / "examples")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return import_module(name)


def standard_cnn() -> Network:
    """(Conv2D -> BatchNormalization -> ReLU) × 6, two poolings, global average pooling: the usual CNN of today.

    The convolutions have no bias because batch norm would subtract it.
    """
    convolution = {"kernel_size": 3, "padding": "same", "use_bias": False}
    stack: list[Network] = []
    for filters, pooled in ((32, False), (32, True), (64, False), (64, True), (128, False), (128, False)):
        stack.append({"class": "Conv2D", "config": {"filters": filters, **convolution}})
        stack += [{"class": "BatchNormalization", "config": {}}, {"class": "ReLU", "config": {}}]
        stack += [{"class": "MaxPooling2D", "config": {"pool_size": 2}}] if pooled else []
    stack.append({"class": "GlobalAveragePooling2D", "config": {}})
    stack.append({"class": "Dense", "config": {"units": 10, "activation": "softmax"}})
    return {"input_shape": [28, 28, 1], "layers": stack}


def two_convolutions(side: int, channels: int) -> Network:
    """Two 3×3 convolutions from C to C channels and a classifier. The second one has an input gradient to compute."""
    convolution = {"filters": channels, "kernel_size": 3, "padding": "same", "activation": "relu"}
    return {
        "input_shape": [side, side, channels],
        "layers": [
            {"class": "Conv2D", "config": dict(convolution)},
            {"class": "Conv2D", "config": dict(convolution)},
            {"class": "GlobalAveragePooling2D", "config": {}},
            {"class": "Dense", "config": {"units": 10, "activation": "softmax"}},
        ],
    }


def without_dropout(network: Network) -> Network:
    """The same network with dropout rates of 0, so that nothing is random."""
    stack = [
        {**layer, "config": {**layer["config"], "rate": 0.0}} if layer["class"] == "Dropout" else layer
        for layer in network["layers"]
    ]
    return {**network, "layers": stack}


def samples_for(network: Network, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """x (samples, *input shape) and one-hot y: Fashion-MNIST's images, repeated, or noise of another shape."""
    shape = tuple(network["input_shape"])
    if int(np.prod(shape)) != 28 * 28:
        generator = np.random.default_rng(0)
        x = generator.random((samples, *shape), np.float32)
        return x, np.eye(10, dtype=np.float32)[np.arange(samples) % 10]
    images, labels = _fashion()
    chosen = np.arange(samples) % len(images)
    x = (images[chosen].astype(np.float32) / np.float32(255)).reshape(samples, *shape)
    return x, np.eye(10, dtype=np.float32)[labels[chosen]]


@cache
def _fashion() -> tuple[np.ndarray, np.ndarray]:
    """The package's sample of the data, so that no run depends on a download."""
    from minicnn.datasets import SampleDataWarning, load_fashion_mnist
    from minicnn.datasets.checksums import SAMPLE_DIRECTORY

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SampleDataWarning)
        return load_fashion_mnist(SAMPLE_DIRECTORY).train
