"""The page of Keras's names is true: what it says is offered exists, and takes Keras's default arguments."""

from __future__ import annotations

import importlib
import inspect
import json
import runpy
from pathlib import Path

import numpy as np
import pytest

import minicnn
from minicnn import compatibility
from minicnn.configurable import Configurable

ROOT = Path(__file__).resolve().parents[1]

REQUIRED = {
    "activation": "relu",
    "boundaries": [1],
    "decay_rate": 0.5,
    "decay_steps": 10,
    "dims": (1,),
    "factor": 0.5,
    "filename": "log.csv",
    "filepath": "model.keras",
    "filters": 2,
    "first_decay_steps": 10,
    "fn": lambda y_true, y_pred: y_true == y_pred,
    "height_factor": 0.5,
    "initial_learning_rate": 0.1,
    "kernel_size": 3,
    "rate": 0.5,
    "scale": 0.5,
    "schedule": lambda epoch: 0.1,
    "shape": (3,),
    "stddev": 0.5,
    "target_shape": (3,),
    "units": 2,
    "values": [0.2, 0.1],
    "width_factor": 0.5,
}
"""Values for arguments without a default."""

BASES = {minicnn.layers.Layer, minicnn.losses.Loss, minicnn.optimizers.Optimizer, minicnn.metrics.Metric}


def classes():
    """The names of the classes that Keras makes with arguments, and minicnn has."""
    for path, defaults in compatibility.keras_names().items():
        cls = compatibility.offered(path)
        of_keras = inspect.isclass(cls) and issubclass(cls, (Configurable, minicnn.callbacks.Callback))
        if defaults is not None and of_keras and cls not in BASES and cls is not minicnn.Input:  # no layer here
            yield path


def test_the_page_is_up_to_date():
    made = runpy.run_path(str(ROOT / "docs" / "make_keras_compatibility.py"))
    found = (ROOT / "docs" / "keras-compatibility.md").read_text(encoding="utf-8")
    assert found == made["HEADING"] + compatibility.table(), "python docs/make_keras_compatibility.py writes it"


@pytest.mark.parametrize("path", list(classes()))
def test_keras_s_default_arguments(path):
    cls, defaults = compatibility.offered(path), compatibility.keras_names()[path]
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in defaults.items()}
    own = inspect.signature(cls.__init__).parameters.values()
    for needed in [p.name for p in own if p.default is p.empty and p.kind == p.POSITIONAL_OR_KEYWORD][1:]:
        if given.get(needed) is None:
            given[needed] = REQUIRED[needed]
    cls(**given)


def test_every_sentence_is_about_a_name_that_keras_has():
    names = compatibility.keras_names()
    for start in (*compatibility.DIFFERS, *compatibility.INSTEAD):
        assert any(name.startswith(start) for name in names), start
    for path in compatibility.DIFFERS:
        assert compatibility.offered(path) is not None, path
    for path in compatibility.INSTEAD:
        assert compatibility.offered(path.rstrip(".")) is None or path.endswith("."), path


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("layers.LSTM", "minicnn.layers has no LSTM. Keras has it, minicnn does not. .*Conv1D is for sequences"),
        ("losses.LogCosh", "Huber also forgives outliers"),
        ("losses.MeanSquaredEror", "Did you mean 'MeanSquaredError'"),
        ("activations.mish", "Keras has it, minicnn does not"),
        ("datasets.imdb", "Conv1D is for sequences"),
        ("saving.load_model", "minicnn.load_model"),
        ("random.normal", "numpy.random"),
        ("backend.flatten", "use their functions"),
        ("backend.int_shape", "x.shape is the shape"),
        ("layers.PReLU", "LeakyReLU has one slope"),
        ("utils.np_utils", "from minicnn.utils import to_categorical"),
        ("utils.image_dataset_from_directory", "flow_from_directory"),
        ("mixed_precision", "float64"),
        ("layers.Conv2DTranspose", "UpSampling2D, then Conv2D"),
        ("optimizers.Lion", "Keras has it, minicnn does not. Use Adam. Known: Adadelta"),
        ("optimizers.schedules.LinearDecay", "Did you mean"),
        ("metrics.MeanIoU", "Keras has it"),
        ("datasets.cifar100", "datasets.cifar10 has ten classes"),
        ("callbacks.BackupAndRestore", "epochs_trained"),
        ("initializers.Orthogonal", "Keras has it"),
        ("regularizers.OrthogonalRegularizer", "Keras has it"),
        ("utils.get_file", "Keras has it"),
        ("backend.is_keras_tensor", "Keras has it"),
        ("config.set_dtype_policy", "Keras has it"),
        ("applications", "Pretrained networks"),
    ],
)
def test_a_missing_name_is_explained(path, words):
    found = minicnn
    *modules, name = path.split(".")
    for module in modules:
        found = getattr(found, module)
    with pytest.raises(AttributeError, match=words):
        getattr(found, name)
    assert not hasattr(found, name)
    with pytest.raises(ImportError, match=words):
        exec(f"from {found.__name__} import {name}")


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("applications", "Pretrained networks"),
        ("preprocessing.sequence", "convolutional networks only"),
        ("constraints", "not constrained"),
        ("layers.convolutional", "in minicnn.layers"),
        ("mixed_precision", "float64"),
        ("nothing", "No module named 'minicnn.nothing'"),
    ],
)
def test_a_missing_module_is_explained(module, words):
    with pytest.raises(ModuleNotFoundError, match=words):
        importlib.import_module(f"minicnn.{module}")
    with pytest.raises(ModuleNotFoundError, match=words):
        exec(f"from minicnn.{module} import something")


@pytest.mark.parametrize("name", ["linear", "relu", "tanh", "softmax", "elu", "gelu", "swish"])
def test_activations_are_functions_and_names(backend, name):
    function = getattr(minicnn.activations, name)
    x = np.array([[-1.0, 2.0, 0.5]], np.float32)
    expected = minicnn.layers.Activation(name).forward(x)
    np.testing.assert_array_equal(function(x.tolist()), expected)
    np.testing.assert_array_equal(minicnn.activations.get(name)(x), expected)
    model = minicnn.Sequential([minicnn.Input((3,)), minicnn.layers.Dense(2, activation=function)])
    assert minicnn.models.model_from_json(model.to_json()).layers[0].get_config() == model.layers[0].get_config()


def test_activations_with_keras_s_arguments(backend):
    x = np.array([[-1.0, 2.0, 0.5]], np.float32)
    relu, softmax = minicnn.activations.relu, minicnn.activations.softmax
    np.testing.assert_allclose(relu(x, negative_slope=0.1, max_value=1.5), [[-0.1, 1.5, 0.5]])
    np.testing.assert_allclose(relu(x, 0, None, 1), [[0, 2, 0]])
    np.testing.assert_allclose(minicnn.activations.leaky_relu(x), [[-0.2, 2, 0.5]])
    np.testing.assert_allclose(minicnn.activations.elu(x, alpha=2), [[2 * (np.exp(-1) - 1), 2, 0.5]], rtol=1e-6)
    images = np.arange(24.0).reshape(2, 3, 4)
    e = np.exp(images - 23)
    np.testing.assert_allclose(softmax(images, axis=1), e / e.sum(axis=1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(softmax(images, (2, 0)), e / e.sum(axis=(0, 2), keepdims=True), rtol=1e-5)
    with pytest.raises(TypeError, match=r"activations.relu: .*'slope'. Its arguments: x, negative_slope, max_value"):
        relu(x, slope=1)
    with pytest.raises(ValueError, match="softmax axis: expected a whole number, found 2"):
        softmax(x, axis=2)


def test_settings():
    assert minicnn.backend.image_data_format() == minicnn.config.image_data_format() == "channels_last"
    minicnn.backend.set_image_data_format("channels_last")
    with pytest.raises(ValueError, match=r"found 'channels_first'. .*numpy.moveaxis\(x, 1, -1\)"):
        minicnn.backend.set_image_data_format("channels_first")
    assert minicnn.backend.epsilon() == 1e-7
    assert minicnn.config.backend() == minicnn.backend_name()
    minicnn.backend.clear_session()
    assert minicnn.initializers.he_normal is minicnn.initializers.HeNormal
    assert minicnn.regularizers.l2(0.5).l2 == 0.5


def test_normalize():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_array_equal(minicnn.utils.normalize(x), [[0.6, 0.8], [0, 0]])
    np.testing.assert_array_equal(minicnn.utils.normalize(x, axis=0, order=1), [[1, 1], [0, 0]])


class Halves(minicnn.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, number):
        return np.full((3, 2), float(number)), np.zeros((3, 1))


def test_a_pydataset_is_measured():
    model = minicnn.Sequential([minicnn.Input((2,)), minicnn.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    assert model.evaluate(Halves(workers=2), verbose=0) == pytest.approx((0 + 4) / 2)


def test_an_optimiser_that_is_none_is_an_error_of_save(tmp_path):
    model = minicnn.Sequential([minicnn.Input((2,)), minicnn.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.optimizer = 3
    with pytest.raises(ValueError, match="optimizer: expected the name of an optimiser, found 3"):
        model.save(tmp_path / "model.safetensors")


def test_input_dim_and_input_layer():
    dense = minicnn.layers.Dense
    for first in ([dense(2, input_dim=3)], [minicnn.layers.InputLayer(shape=(3,)), dense(2)]):
        assert minicnn.Sequential(first).count_params() == 8


def test_reprs():
    assert repr(minicnn.optimizers.SGD(0.1, momentum=0.9)) == "SGD(learning_rate=0.1, momentum=0.9)"
    assert repr(minicnn.losses.BinaryCrossentropy(True)) == "BinaryCrossentropy(from_logits=True)"
    assert repr(minicnn.metrics.Precision()) == "<Precision name=precision>"


def test_older_names_of_arguments():
    leaky = minicnn.layers.LeakyReLU(alpha=0.2)
    assert leaky.get_config()["negative_slope"] == 0.2
    assert minicnn.layers.InputLayer(input_shape=(3, 2)).shape == (None, 3, 2)


def test_names_that_only_tf_keras_has():
    assert minicnn.losses.mse is minicnn.losses.MSE is minicnn.losses.mean_squared_error
    assert minicnn.metrics.mae is minicnn.metrics.mean_absolute_error
    model = minicnn.Sequential([minicnn.Input((2,)), minicnn.layers.Dense(1)])
    model.compile("sgd", minicnn.losses.mse, metrics=[minicnn.metrics.mae])
    assert model.metrics_names == ["loss", "mean_absolute_error"]


def test_the_dtype_of_a_value():
    inputs = minicnn.Input((2,))
    assert inputs.dtype == minicnn.layers.Dense(1)(inputs).dtype == "float32"


def test_input_with_a_batch_axis():
    assert minicnn.Input(batch_shape=(32, 3, 2)).shape == minicnn.Input((3, 2), batch_size=32).shape == (32, 3, 2)
    with pytest.raises(ValueError, match=r"Write \(784,\), with a comma"):
        minicnn.Input(784)


def test_values_are_for_layers():
    value = minicnn.layers.Dense(1)(minicnn.Input((2,)))
    computing = (lambda: value + 1, lambda: 2 * value, lambda: value / value, lambda: value**2, lambda: np.exp(value))
    for compute in (*computing, lambda: value[:, 0], lambda: value > 0):
        with pytest.raises(TypeError, match=r"Add\(\)\(\[x, y\]\).*Rescaling.*slices"):
            compute()
    with pytest.raises(AttributeError, match="Value has no batch_shape. Did you mean 'shape'. Known: dtype, layer, "):
        value.batch_shape  # noqa: B018


def test_an_activation_that_is_a_layer_or_a_function():
    for activation in (minicnn.layers.LeakyReLU(0.1), np.tanh):
        with pytest.raises(ValueError, match=r"Names: elu.*comes after this one"):
            minicnn.layers.Dense(2, activation=activation)


@pytest.mark.parametrize(
    ("thing", "name", "words"),
    [
        (minicnn.layers.Dense(2), "quantize", "Dense has no quantize. Keras has it, minicnn does not. There is no"),
        (minicnn.layers.Dense(2), "kernel", "Dense has no kernel. Keras has it"),
        (minicnn.layers.Dense(2), "scale", r"To make a parameter in build: self.scale = self.add_weight\('scale'"),
        (minicnn.layers.Dense(2), "output_scale", r"To make a parameter in build: self.output_scale = "),
        (minicnn.Sequential(), "output", r"Sequential has no output yet. Give the model an Input or a first batch"),
        (minicnn.Sequential(), "optimizer", "Sequential has no optimizer yet"),
        (minicnn.Sequential(), "sumary", "Sequential has no sumary. Did you mean 'summary'"),
        (minicnn.losses.MeanSquaredError(), "cal", "Did you mean 'call'"),
        (minicnn.metrics.Mean(), "stateless_result", "Mean has no stateless_result. .* keep their state themselves"),
        (minicnn.optimizers.SGD(), "scale_loss", "SGD has no scale_loss. Keras has it.*float64"),
        (minicnn.optimizers.SGD(), "variables", r"Keras has it, .*get_state\(\) has copies"),
        (minicnn.optimizers.SGD(), "set_weights", r"Keras has it, .*set_state\(calls, get_state\(\), parameters\)"),
        (minicnn.metrics.Mean(), "add_weight", r"Keras has it, .*self.total = 0.0, also in reset_state"),
        (minicnn.metrics.Mean(), "variables", "Keras has it, .*plain attributes"),
        (minicnn.callbacks.Callback(), "on_epoch", "Callback has no on_epoch. Did you mean 'on_epoch_"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_missing_member_is_explained(thing, name, words):
    with pytest.raises(AttributeError, match=words):
        getattr(thing, name)


@pytest.mark.parametrize(
    "thing",
    [
        minicnn.losses.CategoricalCrossentropy(label_smoothing=0.1),
        minicnn.metrics.AUC(curve="PR"),
        minicnn.optimizers.SGD(minicnn.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5), momentum=0.9),
        minicnn.regularizers.L1L2(l2=0.5),
        minicnn.initializers.RandomNormal(stddev=0.5, seed=1),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_a_configuration_has_all_arguments_and_makes_an_equal_object(thing):
    config = thing.get_config()
    assert config.keys() == minicnn.configurable.default_arguments(type(thing)).keys()
    assert config.get("name", "") is not None
    again = type(thing).from_config(config)
    assert again.get_config() == config


@pytest.mark.parametrize(
    ("family", "thing"),
    [
        (minicnn.initializers, minicnn.initializers.HeNormal(seed=3)),
        (minicnn.losses, minicnn.losses.Huber(delta=0.5)),
        (minicnn.metrics, minicnn.metrics.Precision(top_k=2)),
        (minicnn.optimizers, minicnn.optimizers.Adam(minicnn.optimizers.schedules.CosineDecay(0.1, 10))),
        (minicnn.optimizers.schedules, minicnn.optimizers.schedules.PolynomialDecay(0.1, 10)),
        (minicnn.regularizers, minicnn.regularizers.L2(0.5)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_serialize_and_deserialize(family, thing):
    again = family.deserialize(json.loads(json.dumps(family.serialize(thing))))
    assert type(again) is type(thing)
    assert again.get_config() == thing.get_config()
    with pytest.raises(AttributeError, match="Known: "):
        family.serialise  # noqa: B018


class Doubled(minicnn.losses.MeanSquaredError):
    """A class of one's own."""


def test_deserialize_takes_classes_of_one_s_own():
    config = minicnn.losses.serialize(Doubled())
    assert config["class_name"] == "Doubled"
    assert isinstance(minicnn.losses.deserialize(config, custom_objects={"Doubled": Doubled}), Doubled)
    with pytest.raises(ValueError, match="unknown loss: .* found 'Doubled'"):
        minicnn.losses.deserialize(config)


def test_a_mask_and_keras_s_descriptions():
    with pytest.raises(ValueError, match="mask: expected None, .* There are no masks"):
        minicnn.layers.Softmax()(np.ones((2, 3)), mask=[[True]])
    optimizer = minicnn.optimizers.get({"class_name": "Adam", "config": {"learning_rate": 0.5}})
    assert (optimizer.name, optimizer.learning_rate) == ("adam", 0.5)
    assert isinstance(minicnn.optimizers.get({"class_name": "sgd", "config": {}}), minicnn.optimizers.SGD)


def test_base_classes_by_keras_s_short_names():
    assert minicnn.Layer is minicnn.layers.Layer
    assert minicnn.Loss is minicnn.losses.Loss
    assert minicnn.Optimizer is minicnn.optimizers.Optimizer
