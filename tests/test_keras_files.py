"""Keras's files: a file that Keras wrote is read, what is written is read back, damaged files are errors."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minicnn
from minicnn import Input, ModelFileError, Sequential, layers, load_model

if not importlib.util.find_spec("h5py"):
    pytest.skip("h5py is not installed", allow_module_level=True)

import h5py

KERAS_FILE = Path(__file__).parent / "data" / "written_by_keras.keras"
X = np.arange(36).reshape(3, 4, 3, 1) / 36


def small(optimizer="adam"):
    model = Sequential(
        [
            Input((4, 3, 1)),
            layers.Conv2D(2, 2, padding="same", activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.0),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, [0, 1, 1], epochs=2, verbose=0)
    return model


def branched():
    inputs = Input((5,))
    x = layers.Dense(3)(inputs)
    return minicnn.Model(inputs, layers.Add()([x, layers.Dense(3, "tanh")(x)]))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.keras"


@pytest.fixture(params=["model.keras", "model.h5"])
def any_path(tmp_path, request):
    return tmp_path / request.param


def assert_equal_weights(a, b):
    for mine, its in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_file_that_keras_wrote(suffix):
    model = load_model(KERAS_FILE.with_suffix(suffix))
    expected = [[0.4168241, 0.5831758], [0.3273965, 0.6726034], [0.2484214, 0.7515786]]  # Keras's predictions
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-5)
    assert type(model.optimizer).__name__ == "SGD"
    assert model.optimizer.iterations == 2
    assert any(abs(slot).max() > 0 for slot in model.optimizer.get_state())
    model.fit(X, [0, 1, 1], verbose=0)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", minicnn.optimizers.SGD(0.1, momentum=0.9)], ids=str)
def test_what_is_written_is_read_back(any_path, optimizer):
    model = small(optimizer)
    model.save(any_path)
    loaded = load_model(any_path)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    assert loaded.layers[0].kernel.regularizer is not None
    assert loaded.optimizer.iterations == model.optimizer.iterations
    for one in (model, loaded):
        one.fit(X, [0, 1, 1], shuffle=False, verbose=0)
    assert_equal_weights(model, loaded)  # so the optimiser's state came back, too


def test_a_metric_of_the_name_of_a_loss_stays_a_metric(path):
    model = small()
    model.compile(
        "sgd",
        minicnn.losses.SparseCategoricalCrossentropy(),
        metrics=[minicnn.metrics.SparseCategoricalCrossentropy(name="surprise")],
        weighted_metrics=[minicnn.metrics.SparseCategoricalCrossentropy(name="weighted_surprise")],
    )
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        described = json.loads(archive.read("config.json"))["compile_config"]
    assert described["loss"]["module"] == "keras.losses"
    assert [metric["module"] for metric in described["metrics"]] == ["keras.metrics"]
    loaded = load_model(path)
    assert type(loaded.loss) is minicnn.losses.SparseCategoricalCrossentropy
    assert loaded.metrics_names == ["loss", "surprise", "weighted_surprise"]


def test_a_schedule_of_the_learning_rate(any_path):
    model = small(minicnn.optimizers.Adam(minicnn.optimizers.schedules.CosineDecay(0.1, 9)))
    model.save(any_path)
    assert load_model(any_path).optimizer.learning_rate == model.optimizer.learning_rate


def test_branches(any_path):
    model = branched()
    model.save(any_path)
    loaded = load_model(any_path)
    x = np.random.default_rng(0).normal(size=(2, 5))
    assert loaded.sources == model.sources
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))


def test_weights_alone(tmp_path):
    model, twin = small(), small()
    model.save_weights(tmp_path / "model.weights.h5")
    twin.load_weights(tmp_path / "model.weights.h5")
    assert_equal_weights(model, twin)
    with h5py.File(tmp_path / "model.weights.h5") as file:
        assert file["layers/batch_normalization/vars/3"].shape == (2,)
        assert file["layers/dense/vars"].attrs["name"] == "dense"
    with pytest.raises(ModelFileError, match=r"Build the model, then call model.load_weights"):
        load_model(tmp_path / "model.weights.h5")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_weights_of_a_whole_model(suffix):
    model = Sequential([Input((4, 3, 1)), layers.Conv2D(2, 2, padding="same"), layers.Flatten(), layers.Dense(2)])
    model.load_weights(KERAS_FILE.with_suffix(suffix))
    assert_equal_weights(model, load_model(KERAS_FILE))


def test_a_model_loaded_without_its_optimiser(any_path):
    model = small()
    for path in (any_path, any_path.with_suffix(".safetensors")):
        model.save(path)
        loaded = load_model(path, compile=False)
        assert not loaded.compiled
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_weights_of_another_model(tmp_path):
    small().save_weights(tmp_path / "model.weights.h5")
    for other in (branched(), Sequential([Input((3,)), layers.Dense(2)])):
        before = other.get_weights()
        with pytest.raises(ModelFileError, match="does not fit the model"):
            other.load_weights(tmp_path / "model.weights.h5")
        for mine, its in zip(before, other.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, its)


def test_a_whole_model_is_not_called_weights(tmp_path):
    with pytest.raises(ValueError, match="save_weights"):
        small().save(tmp_path / "model.weights.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_names_that_are_not_of_weights(tmp_path, name):
    with pytest.raises(ValueError, match=r"model\.weights\.h5"):
        small().save_weights(tmp_path / name)
    assert not list(tmp_path.iterdir())


class Own(layers.Dense):
    pass


def test_a_layer_that_keras_does_not_have(path):
    """Keras, too, reads the file if it is given a class of that name."""
    Sequential([Input((3,)), Own(2)]).save(path)
    with zipfile.ZipFile(path) as archive:
        _, own = json.loads(archive.read("config.json"))["config"]["layers"]
    assert (own["module"], own["class_name"], own["registered_name"]) == (None, "Own", "Own")


def changed(tmp_path, change):
    """A copy of Keras's file with another config.json."""
    with zipfile.ZipFile(KERAS_FILE) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    described = json.loads(parts["config.json"])
    change(described)
    parts["config.json"] = json.dumps(described).encode()
    with zipfile.ZipFile(tmp_path / "changed.keras", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return tmp_path / "changed.keras"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["config"]["layers"][1].update(class_name="LSTM"), "LSTM conv2d.*a class of minicnn"),
        (lambda d: d["config"]["layers"][1]["config"].update(data_format="channels_first"), "channels_first"),
        (lambda d: d["config"]["layers"][1]["config"].update(kernel_constraint={"class_name": "MaxNorm"}), "MaxNorm"),
        (lambda d: d["config"]["layers"][1]["config"].update(filters=10**9), "shape|memory|contradiction"),
        (lambda d: d["config"]["layers"][1]["config"].update(filters="many"), "many"),
        (lambda d: d["config"]["layers"][1]["config"].update(dtype="mixed_float16"), "mixed_float16"),
        (lambda d: d["config"]["layers"].pop(0), "known input shape"),
        (lambda d: d.update(class_name="Mine"), "a Sequential or a Functional, found Mine"),
        (lambda d: d["config"]["layers"].append(3), "damaged config.json"),
        (lambda d: d.pop("config"), "damaged config.json"),
    ],
)
def test_a_model_that_minicnn_cannot_have(tmp_path, change, words):
    with pytest.raises(ModelFileError, match=words):
        load_model(changed(tmp_path, change))


def test_an_initialiser_with_an_array(tmp_path):
    """Keras describes NumPy's arrays by a class of their own."""
    array = {"class_name": "__numpy__", "config": {"value": [1.0, 2.0], "dtype": "float64"}}
    constant = {"module": "keras.initializers", "class_name": "Constant", "config": {"value": array}}
    model = load_model(
        changed(tmp_path, lambda d: d["config"]["layers"][1]["config"].update(bias_initializer=constant))
    )
    assert model.layers[0].bias_initializer.get_config() == {"value": [1.0, 2.0]}


def test_a_model_that_cannot_be_compiled_is_loaded_with_a_warning(tmp_path):
    other = changed(tmp_path, lambda d: d["compile_config"]["optimizer"].update(class_name="Lion"))
    with pytest.warns(UserWarning, match="not compiled: .*Lion"):
        model = load_model(other)
    assert not model.compiled
    np.testing.assert_array_equal(model.predict(X), load_model(KERAS_FILE).predict(X))


@pytest.mark.parametrize(("function", "compiled"), [("sparse_categorical_crossentropy", True), ("my_own", False)])
def test_a_loss_that_keras_describes_as_a_function(tmp_path, function, compiled):
    loss = {"module": "builtins", "class_name": "function", "config": function, "registered_name": "function"}
    other = changed(tmp_path, lambda d: d["compile_config"].update(loss=loss))
    with contextlib.nullcontext() if compiled else pytest.warns(UserWarning, match="not compiled: .*my_own"):
        assert load_model(other).compiled == compiled


def hdf5_file(build):
    file = io.BytesIO()
    with h5py.File(file, "w") as root:
        build(root)
    return file.getvalue()


def loop(root):
    root["layers/loop"] = root["layers"] if "layers" in root else root.create_group("layers")


TRAPS = {
    "link to another file": lambda root: root.__setitem__("layers", h5py.ExternalLink("/etc/passwd", "/")),
    "link": lambda root: root.__setitem__("layers", h5py.SoftLink("/elsewhere")),
    "compressed": lambda root: root.create_dataset("layers/a", (1000, 1000), "f4", chunks=True, compression="gzip"),
    "in another file": lambda root: root.create_dataset("a", (4,), "f4", external=[("/etc/passwd", 0, 16)]),
    "text": lambda root: root.__setitem__("layers/text", "words"),
    "empty and huge": lambda root: root.create_dataset("layers/a", (10**6, 10**6), "f4"),
    "loop": loop,
    "nothing": lambda root: None,
}


@pytest.mark.parametrize("trap", TRAPS)
def test_traps_in_hdf5(tmp_path, trap):
    (tmp_path / "model.weights.h5").write_bytes(hdf5_file(TRAPS[trap]))
    with pytest.raises(ModelFileError):
        small().load_weights(tmp_path / "model.weights.h5")


def test_a_compressed_archive_cannot_fill_the_memory(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(10**7))
    with pytest.raises(ModelFileError, match="compressed"):
        load_model(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_file_is_an_error_or_another_model(any_path, changes):
    content = bytearray(KERAS_FILE.with_suffix(any_path.suffix).read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    any_path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(ModelFileError):
            load_model(any_path)
        with contextlib.suppress(ModelFileError):
            small().load_weights(any_path)


def test_without_h5py_the_error_says_how_to_install_it(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    for action in (lambda: small().save(path), lambda: load_model(KERAS_FILE)):
        with pytest.raises(ImportError, match=r'pip install "minicnn-edu\[h5\]"'):
            action()
