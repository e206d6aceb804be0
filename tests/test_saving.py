"""Saving and loading: everything is restored, training goes on bit for bit, damaged files are errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy as safetensors_numpy
from test_training import classifier, stripes

import minicnn
from minicnn import Input, Model, ModelFileError, Sequential, load_model
from minicnn.initializers import RandomNormal
from minicnn.layers import CLASSES, Conv1D, Conv2D, Dense, Dropout, GlobalAveragePooling2D
from minicnn.layers.merging import Merge
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
            "config": {**layer.describe()["config"], "name": layer.name, "dtype": "float32", "trainable": True},
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
    "optimizer",
    [
        "adam",
        Adam(epsilon=1e-3),
        AdamW(0.01, 0.1),
        SGD(0.05, momentum=0.9, nesterov=True),
        SGD(),
        Adam(use_ema=True, ema_momentum=0.9, gradient_accumulation_steps=3),
    ],
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


def test_parameters_that_are_not_decayed_stay_so(backend, path):
    x, y = stripes(50)
    model = classifier(optimizer=AdamW(0.01, 0.5))
    model.optimizer.exclude_from_weight_decay(model.layers[0].weights, ["bias", "gamma", "beta"])
    model.save(path)
    loaded, again = load_model(path), load_model(path)
    again.optimizer.exclude_from_weight_decay()
    for one in (model, loaded, again):
        one.fit(x, y, batch_size=16, epochs=2, verbose=0)
    for mine, its in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert (again.get_weights()[0] != model.get_weights()[0]).any()


def test_every_layer_can_be_saved(path):
    arguments = {
        "Activation": {"activation": "tanh"},
        "Conv1D": {"filters": 2, "kernel_size": 3},
        "Conv2D": {"filters": 2, "kernel_size": (3, 1), "strides": (2, 1), "kernel_initializer": RandomNormal(0, 0.1)},
        "Dense": {"units": 2, "activation": "elu"},
        "DepthwiseConv2D": {"kernel_size": 3, "depth_multiplier": 2},
        "GaussianNoise": {"stddev": 0.5},
        "GroupNormalization": {"groups": 2},
        "Permute": {"dims": (2, 1, 3)},
        "Rescaling": {"scale": 1 / 255},
        "Reshape": {"target_shape": (3, -1)},
        "SeparableConv2D": {"filters": 3, "kernel_size": 2},
        "SpatialDropout1D": {"rate": 0.3},
        "SpatialDropout2D": {"rate": 0.3},
        "Dropout": {"rate": 0.3},
        "RandomTranslation": {"height_factor": 0.2, "width_factor": (-0.1, 0.3)},
    }
    for name, cls in CLASSES.items():
        layer = cls(**arguments.get(name, {}))
        shape = (6, 2) if layer.axes and len(layer.axes) == 3 else (6, 5, 2)
        inputs = Input(shape)
        model = Model(inputs, layer([inputs, inputs] if isinstance(layer, Merge) else inputs))
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


def test_an_interrupted_save_leaves_the_old_file_and_no_other(trained, path, monkeypatch):
    trained.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        trained.save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


KILLED = """
import os, random, signal, sys, time
import minicnn
from minicnn.layers import Dense

minicnn.use_backend("numpy")
path, kills = sys.argv[1], int(sys.argv[2])
model = minicnn.Sequential([minicnn.Input((100,)), Dense(300, kernel_initializer="zeros")])
model.save(path)
for number in range(1, kills + 1):
    model.set_weights([0 * weight + number for weight in model.get_weights()])
    child = os.fork()
    if child == 0:
        while True:
            model.save(path)
    time.sleep(random.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found = {float(value) for weight in minicnn.load_model(path).get_weights() for value in weight.flat}
    assert len(found) == 1 and found <= {float(last) for last in range(number + 1)}, found
left = len(os.listdir(os.path.dirname(path)))
model.save(path)
assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)], "unfinished files are swept"
print("left at the end:", left - 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_save_that_is_killed_leaves_a_whole_file(path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), "60"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda model: model.optimizer.arguments.update(beta_1=float("nan")), "beta_1"),
        (lambda model: model.layers[0].arguments.update(name=object()), "config"),
        (lambda model: setattr(model.layers[0], "trainable", False), "the parameters of its first step"),
    ],
)
def test_what_a_file_cannot_hold_is_named_and_the_old_file_stays(trained, path, change, words):
    trained.save(path)
    before = path.read_bytes()
    change(trained)
    trained.layers[0].name = trained.layers[0].arguments.get("name", trained.layers[0].name)
    with pytest.raises(ValueError, match=words):
        trained.save(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("wrong", [None, 3, "", "a\0b", b"\0", ["model"]])
@pytest.mark.parametrize("call", ["save", "load", "save_weights", "load_weights"])
def test_something_that_is_no_path(call, wrong):
    with pytest.raises(ValueError, match="model file: expected a path"):
        getattr(classifier(), call)(wrong)


def test_layers_that_were_built_in_other_models(path):
    parts = [Sequential([Input((3,)), Dense(3)]) for _ in range(3)]
    model = Sequential(parts)
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(4, 3))
    model.fit(x, x, verbose=0)
    model.save(path)
    np.testing.assert_array_equal(load_model(path).predict(x), model.predict(x))


def test_a_model_for_images_of_any_size(path):
    model = Sequential([Input((None, None, 2)), Conv2D(3, 2), GlobalAveragePooling2D(), Dense(2)])
    x = np.random.default_rng(0).normal(size=(2, 6, 5, 2))
    expected = model.predict(x)
    model.save(path)
    loaded = load_model(path)
    assert loaded.input_shape == (None, None, None, 2)
    np.testing.assert_array_equal(loaded.predict(x), expected)
    assert loaded.predict(x[:, :4]).shape == (2, 2)


def test_frozen_layers_stay_frozen(path):
    model = classifier()
    model.layers[0].trainable = False
    model.fit(*stripes(20), verbose=0)
    model.save(path)
    loaded = load_model(path)
    assert [layer.trainable for layer in loaded.layers] == [layer.trainable for layer in model.layers]
    loaded.fit(*stripes(20), initial_epoch=1, epochs=2, verbose=0)


def test_weights_of_a_custom_layer_with_equal_names(path):
    class Two(Dense):
        def build(self, input_shape):
            super().build(input_shape)
            self.add_weight("kernel", (2,), "ones")

    def make():
        return Sequential([Input((4,)), Two(3, name="two")])

    model, twin = make(), make()
    model.save_weights(path)
    twin.load_weights(path)
    for mine, its in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_a_model_of_unknown_shape_cannot_be_saved(path):
    with pytest.raises(ValueError, match="a built model"):
        Sequential([Dense(2)]).save(path)
    assert not path.exists()


class TestDamage:
    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="cannot be read: no such file"):
            load_model(tmp_path / "absent.safetensors")

    def test_something_else(self, path):
        for content in (b"", b"not a model"):
            path.write_bytes(content)
            with pytest.raises(ModelFileError, match="a damaged file or one of another program"):
                load_model(path)
        np.savez(path.with_suffix(".npz"), a=np.ones(3))
        with pytest.raises(ModelFileError, match="a zip archive"):
            load_model(path.with_suffix(".npz"))

    def test_safetensors_of_another_program(self, path):
        safetensors_numpy.save_file({"a": np.ones(3)}, path)
        with pytest.raises(ModelFileError, match="a damaged file or one of another program"):
            load_model(path)
        with pytest.raises(ModelFileError, match="does not fit the model"):
            classifier().load_weights(path)

    @pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "pipe"])
    def test_no_file_but_something_else_of_that_name(self, path, make):
        make(path)
        with pytest.raises(ModelFileError, match="a directory, a pipe or a device"):
            load_model(path)
