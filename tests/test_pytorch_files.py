"""PyTorch's state dicts in safetensors files: matching, layouts, and errors. tests/parity compares with PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import minicnn
from minicnn import Input, ModelFileError, Sequential, layers
from minicnn.exchange import load_pytorch, save_pytorch

RNG = np.random.default_rng(0)


def convolutions():
    return Sequential(
        [
            Input((6, 5, 2)),
            layers.Conv2D(3, (3, 2)),  # (4, 4, 3)
            layers.BatchNormalization(),
            layers.MaxPooling2D((2, 1)),  # (2, 4, 3)
            layers.Flatten(),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(4, "relu"),
            layers.Dense(4),
        ]
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.safetensors"


def random_weights(model):
    model.set_weights([RNG.random(weight.shape) for weight in model.get_weights()])
    return model


def test_layouts_by_hand(path):
    model = random_weights(convolutions())
    save_pytorch(model, path, {"conv2d": "features.0", "dense_1": "head"})
    state = load_file(path)
    kernel, bias, gamma, *_, mean, variance = (weight.value for weight in model.weights[:6])
    assert {name.rpartition(".")[0] for name in state} == {
        "features.0",
        "batch_normalization",
        "batch_normalization_1",
        "dense",
        "head",
    }
    np.testing.assert_array_equal(state["features.0.weight"], kernel.transpose(3, 2, 0, 1))
    np.testing.assert_array_equal(state["features.0.bias"], bias)
    np.testing.assert_array_equal(state["batch_normalization.weight"], gamma)
    np.testing.assert_array_equal(state["batch_normalization.running_var"], variance)
    np.testing.assert_array_equal(state["batch_normalization.running_mean"], mean)
    dense = model.get_layer("dense").kernel.value.reshape(2, 4, 3, 4)  # (H, W, C, units)
    np.testing.assert_array_equal(state["dense.weight"], dense.transpose(3, 2, 0, 1).reshape(4, 24))
    flat = model.get_layer("batch_normalization_1").gamma.value.reshape(2, 4, 3)
    np.testing.assert_array_equal(state["batch_normalization_1.weight"], flat.transpose(2, 0, 1).ravel())


def test_there_and_back(path):
    model, twin = random_weights(convolutions()), convolutions()
    names = {"dense": "first", "dense_1": "second"}
    save_pytorch(model, path, names)
    load_pytorch(twin, path, names)
    for mine, its in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_load_weights_reads_a_state_dict(path):
    model, twin = random_weights(convolutions()), convolutions()
    save_pytorch(model, path, {"dense": "fc2", "dense_1": "fc10"})  # 10 after 2
    twin.load_weights(path)
    for mine, its in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_branches(path):
    def build():
        inputs = Input((4, 3, 2))
        x = layers.Conv2D(2, 1)(inputs)
        return minicnn.Model(inputs, layers.Dense(2)(layers.Flatten()(layers.Add()([x, inputs]))))

    model, twin = random_weights(build()), build()
    save_pytorch(model, path)
    load_pytorch(twin, path)
    x = RNG.normal(size=(2, 4, 3, 2))
    np.testing.assert_array_equal(twin.predict(x), model.predict(x))


def two_dense():
    return Sequential([Input((3,)), layers.Dense(3), layers.Dense(3)])


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"a.weight": (3, 3), "a.bias": (3,), "b.weight": (3, 3), "b.bias": (3,)}, 'Say which is which.*"dense": "a"'),
        ({"a.weight": (3, 3), "a.bias": (3,)}, "expected 2 modules.*found 1"),
        ({"a.weight": (3, 3)}, "expected 2 modules.*All modules: a"),
        ({"a": (3, 3)}, "expected 2 modules"),
        ({}, "expected 2 modules"),
    ],
)
def test_state_dicts_that_do_not_fit(path, state, words):
    save_file({name: np.ones(shape, "float32") for name, shape in state.items()}, path)
    model = two_dense()
    before = model.get_weights()
    for load in (load_pytorch, Sequential.load_weights):
        with pytest.raises(ModelFileError, match=words):
            load(model, path)
    for mine, its in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_names_decide(path):
    state = {
        f"{module}.{leaf}": RNG.random((3, 3)[: 2 - (leaf == "bias")]) for module in "ab" for leaf in ("weight", "bias")
    }
    save_file(state, path)
    model = two_dense()
    load_pytorch(model, path, {"dense": "b", "dense_1": "a"})
    np.testing.assert_allclose(model.get_weights()[0], state["b.weight"].T, rtol=1e-6)
    with pytest.raises(ModelFileError, match="Modules: a, b"):
        load_pytorch(model, path, {"dense": "c"})
    with pytest.raises(ValueError, match="the name of a layer"):
        load_pytorch(model, path, {"tense": "a"})


def test_numbers_of_another_kind(path):
    save_file({"a.weight": np.ones((3, 3), "int8")}, path)
    with pytest.raises(ModelFileError, match=r"network.float\(\)"):
        load_pytorch(two_dense(), path)


def test_damaged_files(path):
    save_pytorch(two_dense(), path)
    content = path.read_bytes()
    for damaged in (b"", content[:50], content[:-8], b"\xff" * 8 + content[8:]):
        path.write_bytes(damaged)
        for load in (load_pytorch, Sequential.load_weights):
            with pytest.raises(ModelFileError):
                load(two_dense(), path)
    with pytest.raises(FileNotFoundError):
        load_pytorch(two_dense(), path.with_name("absent"))


def test_a_layer_that_pytorch_does_not_have(path):
    class Own(layers.Dense):
        pass

    with pytest.raises(ValueError, match="Own 'own': expected a layer that PyTorch has"):
        save_pytorch(Sequential([Input((3,)), Own(2)]), path)
    assert not path.exists()
