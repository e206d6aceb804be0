"""Models of layers and losses of one's own in files: their classes are given when the file is read."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn import Input, Sequential, layers, losses, saving, utils
from minicnn.custom_objects import registered


class Scale(layers.Layer):
    """y = factor · w · x, with one w for each feature."""

    def __init__(self, factor=2.0, **options):
        super().__init__(**options)
        self.factor = factor

    def build(self, input_shape):
        self.w = self.add_weight("w", (input_shape[-1],), "uniform")

    def call(self, x, training):
        self.saved = x
        return x * self.w.value * self.factor

    def call_backward(self, dy, need_dx):
        self.w.grad = (dy * self.saved * self.factor).sum(axis=0)
        return dy * self.w.value * self.factor


class Quartic(losses.Loss):
    """mean (prediction − target)⁴."""

    def call(self, y_true, y_pred):
        self.saved = y_pred - y_true
        return np.mean(self.saved**4)

    def call_backward(self):
        return 4 * self.saved**3 / self.saved.size


X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")


def small_model():
    model = Sequential([Input((4,)), Scale(factor=3.0), layers.Dense(2)])
    model.compile("sgd", Quartic())
    model.fit(X, X[:, :2], verbose=0)
    return model


@pytest.fixture(autouse=True)
def nothing_stays_registered():
    yield
    registered.clear()


OWN = {"Scale": Scale, "Quartic": Quartic}


@pytest.mark.parametrize("name", ["model.safetensors", "model.keras", "model.h5"])
def test_the_classes_are_given_to_load_model(tmp_path, name):
    if not name.endswith(".safetensors"):
        pytest.importorskip("h5py")
    model = small_model()
    model.save(tmp_path / name)
    loaded = minicnn.load_model(tmp_path / name, custom_objects=OWN)
    assert (type(loaded.layers[0]), loaded.layers[0].factor, type(loaded.loss)) == (Scale, 3.0, Quartic)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.train_on_batch(X, X[:, :2]) == model.train_on_batch(X, X[:, :2])


@pytest.mark.parametrize("name", ["model.safetensors", "model.keras"])
def test_without_the_classes_the_error_says_how_to_give_them(tmp_path, name):
    if name == "model.keras":
        pytest.importorskip("h5py")
    small_model().save(tmp_path / name)
    expected = r"model.*found 'Scale'.*custom_objects=\{'Scale': Scale\}"
    with pytest.raises(minicnn.ModelFileError, match=expected) as error:
        minicnn.load_model(tmp_path / name)
    assert "Save the model again" not in str(error.value)


def test_a_block_gives_them_to_all_that_is_loaded_in_it(tmp_path):
    model = small_model()
    model.save(tmp_path / "model.safetensors")
    with saving.custom_object_scope({"Scale": Scale}), utils.CustomObjectScope({"Quartic": Quartic}):
        assert isinstance(minicnn.load_model(tmp_path / "model.safetensors").layers[0], Scale)
        assert isinstance(minicnn.models.model_from_json(model.to_json()).layers[0], Scale)
        assert isinstance(losses.get({"class_name": "Quartic", "config": {}}), Quartic)
    with pytest.raises(ValueError, match="unknown layer"):
        minicnn.models.model_from_json(model.to_json())


def test_a_registered_class_needs_nothing_more(tmp_path):
    @saving.register_keras_serializable(package="mine")
    class Twice(Scale):
        pass

    assert saving.get_registered_name(Twice) == "mine>Twice"
    assert saving.get_registered_object("mine>Twice") is Twice
    assert saving.get_registered_name(Scale) == "Scale"
    assert saving.get_registered_object("mine>Thrice") is None
    model = Sequential([Input((4,)), Twice()])
    assert model.get_config()["layers"][0]["class"] == "mine>Twice"
    model.save(tmp_path / "model.safetensors")
    for loaded in (minicnn.load_model(tmp_path / "model.safetensors"), Sequential.from_config(model.get_config())):
        assert type(loaded.layers[0]) is Twice


def largest_error(y_true, y_pred):
    return np.abs(y_true - y_pred).max(axis=-1)


@pytest.mark.parametrize("name", ["model.safetensors", "model.keras"])
def test_a_function_that_is_a_metric(tmp_path, name):
    if name == "model.keras":
        pytest.importorskip("h5py")
    model = Sequential([Input((4,)), layers.Dense(2)])
    model.compile("sgd", "mse", metrics=[largest_error])
    model.fit(X, X[:, :2], verbose=0)
    model.save(tmp_path / name)
    loaded = minicnn.load_model(tmp_path / name, custom_objects={"largest_error": largest_error})
    assert loaded.evaluate(X, X[:, :2], return_dict=True) == model.evaluate(X, X[:, :2], return_dict=True)
    saving.register_keras_serializable("mine")(largest_error)
    assert minicnn.metrics.get("mine>largest_error").fn is largest_error


def test_a_function_that_is_a_metric_and_is_not_given(tmp_path):
    model = Sequential([Input((4,)), layers.Dense(2)])
    model.compile("sgd", "mse", metrics=[largest_error])
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(minicnn.ModelFileError, match=r"custom_objects=\{'largest_error': largest_error\}"):
        minicnn.load_model(tmp_path / "model.safetensors")
    assert not minicnn.load_model(tmp_path / "model.safetensors", compile=False).compiled


def test_get_custom_objects_is_for_good():
    saving.get_custom_objects()["Scale"] = Scale
    assert isinstance(layers.deserialize(layers.serialize(Scale(3.0))), Scale)


def test_a_clone_has_the_model_s_own_classes():
    clone = minicnn.models.clone_model(small_model())
    assert (type(clone.layers[0]), clone.layers[0].factor) == (Scale, 3.0)


@pytest.mark.parametrize(
    ("objects", "error"),
    [({"Scale": 1}, TypeError), ([Scale], TypeError), ({1: Scale}, TypeError)],
)
def test_other_things_are_refused(objects, error):
    with (
        pytest.raises(error, match="custom_objects: expected .*a dict of classes by name"),
        saving.custom_object_scope(objects),
    ):
        pass


@pytest.mark.parametrize(("package", "name"), [(1, None), ("mine", 1), ("a>b", None)])
def test_names_to_register(package, name):
    with pytest.raises((TypeError, ValueError), match="register_keras_serializable"):
        saving.register_keras_serializable(package, name)(Scale)


def test_only_classes_and_functions_are_registered():
    with pytest.raises(TypeError, match="register_keras_serializable: expected a class or a function"):
        saving.register_keras_serializable()(Scale())


def test_a_class_of_another_kind_is_no_layer(tmp_path):
    small_model().save(tmp_path / "model.safetensors")
    with pytest.raises(minicnn.ModelFileError, match="Quartic: expected an argument that it has, found factor"):
        minicnn.load_model(tmp_path / "model.safetensors", custom_objects={**OWN, "Scale": Quartic})
