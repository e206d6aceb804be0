"""Names, arguments, defaults, weights and summaries as in Keras, and scripts that differ in their imports alone."""

from __future__ import annotations

import inspect
import re

import keras
import numpy as np
import pytest

import minicnn

KINDS = {
    "layers": sorted(minicnn.layers.CLASSES),
    "losses": sorted(minicnn.losses.CLASSES),
    "optimizers": sorted(minicnn.optimizers.CLASSES),
    "regularizers": sorted(minicnn.regularizers.CLASSES),
    "initializers": sorted(minicnn.initializers.CLASSES),
    "callbacks": ["CSVLogger", "EarlyStopping", "LearningRateScheduler", "ModelCheckpoint", "ReduceLROnPlateau"],
}
CLASSES = [(kind, name) for kind, names in KINDS.items() for name in names]
METHODS = [
    "__init__",
    "build",
    "compile",
    "count_params",
    "evaluate",
    "fit",
    "get_layer",
    "get_weights",
    "load_weights",
    "predict",
    "save",
    "save_weights",
    "set_weights",
    "summary",
    "train_on_batch",
]
POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
NO_DEFAULT = inspect.Parameter.empty

COMMON_LAYER_ARGUMENTS = {"name", "dtype", "input_shape", "input_dim", "trainable"}
"""What every layer of Keras takes as **kwargs, beside its own arguments."""

OWN_DEFAULTS = {
    ("compile", "optimizer"): "Keras's rmsprop is not offered",
    ("predict", "verbose"): "a prediction shows nothing",
    ("summary", "print_fn"): "the same print, by name",
    ("__init__", "layers"): "none, as a tuple",
    ("__init__", "name"): "Keras numbers its models",
}
"""Where the defaults differ on purpose, by method and argument."""


def parameters(function):
    return {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self" and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }


def same_default(ours, theirs):
    """(2, 2) is 2 for both axes; an argument that only one side requires is never a silent difference."""
    return NO_DEFAULT in (ours, theirs) or ours == theirs or (isinstance(theirs, tuple) and set(theirs) == {ours})


def check_signature(ours, theirs, where, extra=frozenset()):
    ours, theirs = parameters(ours), parameters(theirs)
    assert set(ours) - set(theirs) <= extra, f"{where} has arguments that Keras lacks"
    for name, parameter in ours.items():
        made_of_the_class = name == "name" and parameter.default is None
        if name in theirs and (where, name) not in OWN_DEFAULTS and not made_of_the_class:
            assert same_default(parameter.default, theirs[name].default), f"{where}, default of {name}"
    positional = [name for name, parameter in ours.items() if parameter.kind == POSITIONAL]
    assert positional == list(theirs)[: len(positional)], f"{where}: a positional call would mean something else"


@pytest.mark.parametrize(("kind", "name"), CLASSES)
def test_constructor(kind, name):
    ours, theirs = (getattr(getattr(module, kind), name).__init__ for module in (minicnn, keras))
    check_signature(ours, theirs, name, COMMON_LAYER_ARGUMENTS if kind == "layers" else frozenset())


def test_input():
    check_signature(minicnn.Input.__init__, keras.Input, "__init__")


@pytest.mark.parametrize("method", METHODS)
def test_method_of_sequential(method):
    ours, theirs = (getattr(module.Sequential, method) for module in (minicnn, keras))
    check_signature(ours, theirs, method)


@pytest.mark.parametrize(
    "path",
    [
        "Input",
        "Model.fit",
        "Sequential",
        "callbacks.Callback",
        "callbacks.History",
        "config.floatx",
        "config.set_floatx",
        "datasets.fashion_mnist.load_data",
        "layers.Input",
        "layers.Layer",
        "losses.Loss",
        "models.Sequential",
        "models.load_model",
        "optimizers.Optimizer",
        "utils.set_random_seed",
        "utils.to_categorical",
    ],
)
def test_public_names_have_the_paths_of_keras(path):
    ours, theirs = minicnn, keras
    for name in path.split("."):
        theirs = getattr(theirs, name)
        ours = getattr(ours, {"Model": "Sequential"}.get(name, name))
    assert callable(ours)


def every_layer(framework):
    """A network in which every layer occurs, some of them twice."""
    layers = framework.layers
    return framework.Sequential(
        [
            framework.Input((12, 10, 3)),
            layers.Conv2D(4, (3, 2), padding="same", activation="relu"),
            layers.Conv2D(5, 2, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.AveragePooling2D((2, 1), strides=1),
            layers.Activation("tanh"),
            layers.BatchNormalization(center=False, trainable=False),
            layers.Dropout(0.5),
            layers.GlobalAveragePooling2D(),
            layers.Flatten(),
            layers.Dense(6),
            layers.Dense(3, use_bias=False),
            layers.Softmax(),
        ]
    )


def sequence_layers(framework):
    layers = framework.layers
    return framework.Sequential(
        [
            layers.Conv1D(300, 3, input_shape=(40, 100)),
            layers.MaxPooling1D(2),
            layers.AveragePooling1D(3, padding="same"),
            layers.Flatten(),
            layers.Dense(1000),
        ]
    )


networks = pytest.mark.parametrize("network", [every_layer, sequence_layers])


@pytest.fixture
def twins(network):
    keras.utils.clear_session()  # so that Keras starts to count its names from none
    return network(minicnn), network(keras)


@networks
def test_names_and_shapes_of_layers(twins):
    ours, theirs = ([(layer.name, layer_shape(layer)) for layer in model.layers] for model in twins)
    assert ours == theirs


def layer_shape(layer):
    return layer.output_shape if isinstance(layer, minicnn.layers.Layer) else layer.output.shape


@networks
def test_names_shapes_and_order_of_weights(twins):
    ours, theirs = twins
    assert [(weight.name, tuple(weight.value.shape)) for weight in ours.weights] == [
        (weight.path.removeprefix(f"{theirs.name}/"), tuple(weight.shape)) for weight in theirs.weights
    ]
    assert [parameter.name for parameter in ours.parameters()] == [
        weight.path.removeprefix(f"{theirs.name}/") for weight in theirs.trainable_weights
    ]


@networks
def test_weights_can_be_copied_both_ways(twins):
    ours, theirs = twins
    ours.set_weights(theirs.get_weights())
    theirs.set_weights(ours.get_weights())
    assert ours.count_params() == theirs.count_params()
    assert ours.input_shape == theirs.input_shape
    assert ours.output_shape == theirs.output_shape


def table(model):
    """The words of a summary, row by row, without the lines between them."""
    pages = []
    model.summary(print_fn=pages.append, **({"line_length": 200} if isinstance(model, keras.Model) else {}))
    text = re.sub(r"[━─-╿│┃]|--+", " ", "\n".join(pages))
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


@networks
def test_summary(twins, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")  # Keras breaks lines at the terminal's width
    ours, theirs = twins
    assert table(ours) == table(theirs)


def test_summary_of_an_unbuilt_model(monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    keras.utils.clear_session()
    ours, theirs = (framework.Sequential([framework.layers.Dense(3)]) for framework in (minicnn, keras))
    assert table(ours) == table(theirs)


CONVNET = """
import numpy as np
import keras
from keras import layers

num_classes = 10
input_shape = (28, 28, 1)

(x_train, y_train), (x_test, y_test) = data()
x_train = x_train.astype("float32") / 255
x_test = x_test.astype("float32") / 255
x_train = np.expand_dims(x_train, -1)
x_test = np.expand_dims(x_test, -1)
y_train = keras.utils.to_categorical(y_train, num_classes)
y_test = keras.utils.to_categorical(y_test, num_classes)

model = keras.Sequential(
    [
        keras.Input(shape=input_shape),
        layers.Conv2D(8, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Conv2D(8, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(num_classes, activation="softmax"),
    ]
)
model.summary()

model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
history = model.fit(x_train, y_train, batch_size=16, epochs=2, validation_split=0.1)
score = model.evaluate(x_test, y_test, verbose=0)
print("Test loss:", score[0])
print("Test accuracy:", score[1])
results = [history.epoch, history.history, score, model.predict(x_test)]
"""

CLASSIFICATION = """
import numpy as np
import tensorflow as tf
from tensorflow import keras

(train_images, train_labels), (test_images, test_labels) = data()
class_names = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
               "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
train_images = train_images / 255.0
test_images = test_images / 255.0

model = keras.Sequential([
    keras.layers.Flatten(input_shape=(28, 28)),
    keras.layers.Dense(32, activation="relu"),
    keras.layers.Dense(10)
])
model.compile(optimizer="adam",
              loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
              metrics=["accuracy"])
history = model.fit(train_images, train_labels, epochs=2)

test_loss, test_acc = model.evaluate(test_images, test_labels, verbose=2)
print("\\nTest accuracy:", test_acc)

probability_model = keras.Sequential([model, keras.layers.Softmax()])
predictions = probability_model.predict(test_images)
best = class_names[np.argmax(predictions[0])]
img = np.expand_dims(test_images[1], 0)
single = probability_model.predict(img)
results = [history.epoch, history.history, [test_loss, test_acc], predictions, single]
"""

CALLBACKS = """
import numpy as np
from keras.callbacks import Callback, EarlyStopping, ModelCheckpoint
from keras.layers import Activation, BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential, load_model
from keras.optimizers import Adam
from keras.utils import set_random_seed, to_categorical

set_random_seed(42)

(X_train, y_train), (X_test, y_test) = data()
X_train = X_train.reshape(X_train.shape[0], 28, 28, 1).astype("float32") / 255
X_test = X_test.reshape(X_test.shape[0], 28, 28, 1).astype("float32") / 255
Y_train, Y_test = to_categorical(y_train), to_categorical(y_test)

class StopWhenGood(Callback):
    def __init__(self, target):
        super().__init__()
        self.target = target

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        self.seen.append(sorted(logs))
        if logs.get("val_accuracy") > self.target:
            self.model.stop_training = True

model = Sequential()
model.add(Conv2D(8, (3, 3), padding="same", kernel_initializer="he_uniform", input_shape=(28, 28, 1)))
model.add(Activation("relu"))
model.add(BatchNormalization())
model.add(MaxPooling2D((2, 2)))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(16, activation="relu"))
model.add(Dense(10, activation="softmax"))
model.compile(optimizer=Adam(learning_rate=0.01), loss="categorical_crossentropy", metrics=["accuracy"])

stop = StopWhenGood(1.1)
callbacks = [
    EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True),
    ModelCheckpoint("best.keras", monitor="val_accuracy", save_best_only=True, verbose=1),
    stop,
]
history = model.fit(X_train, Y_train, batch_size=16, epochs=3, verbose=2,
                    validation_data=(X_test, Y_test), callbacks=callbacks)
score = model.evaluate(X_test, Y_test, verbose=0)
print("%s: %.2f%%" % ("accuracy", score[1] * 100))

model.save("model.keras")
again = load_model("model.keras")
same = bool(np.allclose(again.predict(X_test), model.predict(X_test), atol=1e-6))
best = load_model("best.keras").evaluate(X_test, Y_test, verbose=0)
results = [sorted(history.history), score, same, best, np.argmax(model.predict(X_test), axis=1), stop.seen[0]]
"""


def run(script, framework):
    """The script's `results`, after changing its imports to those of the framework."""
    if framework is minicnn:
        script = re.sub(r"^import tensorflow as tf\n", "", script, flags=re.M)
        script = re.sub(r"^from tensorflow import keras$|^import keras$", "import minicnn as keras", script, flags=re.M)
        script = re.sub(r"^from keras\b", "from minicnn", script, flags=re.M)
    names = {"data": data}
    exec(compile(script, f"<{framework.__name__}>", "exec"), names)
    return names["results"]


def data():
    generator = np.random.default_rng(0)
    return tuple(
        (generator.integers(0, 256, (count, 28, 28), dtype=np.uint8), np.arange(count, dtype=np.uint8) % 10)
        for count in (50, 20)
    )


def form(value):
    """The structure of a result: types, keys, lengths and shapes, without the numbers."""
    if isinstance(value, dict):
        return {key: form(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return type(value), [form(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.shape, str(value.dtype)
    return value if isinstance(value, (str, bool)) else type(value)


@pytest.mark.parametrize("script", [CONVNET, CLASSIFICATION, CALLBACKS], ids=["convnet", "classification", "callbacks"])
def test_a_script_runs_after_changing_its_imports(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert form(run(script, minicnn)) == form(run(script, keras))
