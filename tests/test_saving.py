"""Saving and loading: everything comes back, training goes on bit for bit, damaged files say so."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy as safetensors_numpy
from test_training import classifier, stripes

import minicnn
from minicnn import Input, ModelFileError, Sequential, load_model
from minicnn.initializers import RandomNormal
from minicnn.layers import CLASSES, Conv1D, Dense, Dropout
from minicnn.optimizers import SGD, Adam, AdamW


@pytest.fixture
def trained(backend):
    model = classifier()
    model.fit(*stripes(40), batch_size=16, epochs=2, verbose=0)
    return model


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def test_everything_comes_back(trained, path):
    trained.save(path)
    loaded = Sequential.load(path)
    assert [layer.describe() for layer in loaded.layers] == [
        {
            **layer.describe(),
            "config": {**layer.get_config(), "name": layer.name, "dtype": "float32", "trainable": True},
        }
        for layer in trained.layers
    ]
    assert [w.name for w in loaded.weights] == [w.name for w in trained.weights]
    for mine, its in zip(trained.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
        assert mine.dtype == its.dtype
    x, y = stripes(30)
    np.testing.assert_array_equal(trained.predict(x), loaded.predict(x))
    assert loaded.evaluate(x, y, verbose=0) == trained.evaluate(x, y, verbose=0)


@pytest.mark.parametrize(
    "optimizer", ["adam", Adam(epsilon=1e-3), AdamW(0.01, 0.1), SGD(0.05, momentum=0.9, nesterov=True), SGD()]
)
def test_training_goes_on_bit_for_bit(backend, path, optimizer):
    x, y = stripes(50)
    model = classifier(optimizer=optimizer)
    model.fit(x, y, batch_size=16, epochs=2, verbose=0)
    model.optimizer.learning_rate = 0.0123  # as a schedule would
    model.save(path)
    loaded = load_model(path)
    histories = [m.fit(x, y, batch_size=16, initial_epoch=2, epochs=4, verbose=0).history for m in (model, loaded)]
    assert histories[0] == histories[1]
    for mine, its in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_every_layer_can_be_saved(path):
    arguments = {
        "Activation": {"activation": "tanh"},
        "Conv1D": {"filters": 2, "kernel_size": 3},
        "Conv2D": {"filters": 2, "kernel_size": (3, 1), "strides": (2, 1), "kernel_initializer": RandomNormal(0, 0.1)},
        "Dense": {"units": 2},
        "Dropout": {"rate": 0.3},
    }
    for name, cls in CLASSES.items():
        layer = cls(**arguments.get(name, {}))
        shape = (6, 2) if layer.axes and len(layer.axes) == 3 else (6, 5, 2)
        model = Sequential([Input(shape), layer])
        model.save(path)
        loaded = load_model(path)
        x = np.random.default_rng(0).normal(size=(2, *shape))
        np.testing.assert_array_equal(model.predict(x), loaded.predict(x), err_msg=name)


def test_a_float64_model_stays_one(path):
    model = Sequential([Input((4, 1)), Conv1D(2, 2, dtype="float64"), Dropout(0.5, dtype="float64")])
    model.save(path)
    assert load_model(path).dtype == np.float64


def test_weights_alone(trained, path):
    trained.save_weights(path)
    twin = classifier()
    twin.load_weights(path)
    for mine, its in zip(trained.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    with pytest.raises(ModelFileError, match="weights alone"):
        load_model(path)
    other = Sequential([Input((3,)), Dense(2)])
    with pytest.raises(ModelFileError, match="2 arrays"):
        other.load_weights(path)


def test_weights_of_a_whole_model(trained, path):
    trained.save(path)
    twin = classifier()
    twin.load_weights(path)
    np.testing.assert_array_equal(twin.get_weights()[0], trained.get_weights()[0])


@pytest.mark.usefixtures("needs_numba")
def test_saved_on_one_backend_loads_on_the_other(path):
    with minicnn.use_backend("numba"):
        model = classifier()
        model.fit(*stripes(20), verbose=0)
        model.save(path)
        expected = model.predict(stripes(20)[0])
    with minicnn.use_backend("numpy"):
        np.testing.assert_allclose(load_model(path).predict(stripes(20)[0]), expected, rtol=1e-4, atol=1e-6)


def test_an_interrupted_save_leaves_the_old_file_and_no_litter(trained, path, monkeypatch):
    trained.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        trained.save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_model_of_unknown_shape_cannot_be_saved(path):
    with pytest.raises(ValueError, match="a built model"):
        Sequential([Dense(2)]).save(path)
    assert not path.exists()


class TestDamage:
    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="cannot be read: no such file"):
            load_model(tmp_path / "absent.safetensors")

    def test_something_else(self, path):
        for content in (b"", b"not a model", b"\x89HDF\r\n\x1a\n" + bytes(100)):
            path.write_bytes(content)
            with pytest.raises(ModelFileError, match="damaged or foreign"):
                load_model(path)
        np.savez(path.with_suffix(".npz"), a=np.ones(3))
        with pytest.raises(ModelFileError, match="a zip archive"):
            load_model(path.with_suffix(".npz"))

    def test_safetensors_of_another_program(self, path):
        safetensors_numpy.save_file({"a": np.ones(3)}, path)
        with pytest.raises(ModelFileError, match="damaged or foreign"):
            load_model(path)
        with pytest.raises(ModelFileError, match="damaged or foreign"):
            classifier().load_weights(path)

    @pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "pipe"])
    def test_no_file_but_something_else_of_that_name(self, path, make):
        make(path)
        with pytest.raises(ModelFileError, match="a directory, a pipe or a device"):
            load_model(path)
