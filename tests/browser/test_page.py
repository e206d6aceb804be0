"""The explorer's page in a real browser: the sums of its products, keyboard, colours, widths, networks of all sorts."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn import explorer, regularizers
from minicnn.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    MaxPooling1D,
    MaxPooling2D,
    ReLU,
    Softmax,
)
from minicnn.losses import CategoricalCrossentropy

rng = np.random.default_rng(0)


class Doubling(Layer):
    """A layer of the reader's own, which the page cannot open."""

    def call(self, x, training):
        self.saved = ()
        return 2 * x

    def call_backward(self, dy, need_dx):
        return 2 * dy


def compiled(shape, *layers, loss="sparse_categorical_crossentropy"):
    model = minicnn.Sequential([minicnn.Input(shape), *layers])
    for weight in model.weights:  # biases and gammas that are not all equal
        weight.value = weight.value + rng.uniform(0.1, 0.4, weight.value.shape).astype("float32")
    model.compile("adam", loss)
    return model


def images():
    """Convolution with strides and padding, pooling with overlap, batch norm, ReLU with a leak, dropout, penalties."""
    model = compiled(
        (9, 7, 2),
        Conv2D(5, (3, 2), strides=(2, 1), padding="same", activation="tanh", kernel_regularizer=regularizers.L2(0.01)),
        BatchNormalization(beta_regularizer="l1"),
        ReLU(negative_slope=0.1, max_value=2.0),
        MaxPooling2D(2, strides=1, padding="same"),
        AveragePooling2D((2, 3), strides=(1, 2), padding="same"),
        Dropout(0.3),
        Conv2D(4, 2, activation="relu"),
        Flatten(),
        Dense(6, activation="sigmoid"),
        Dense(3, activation="softmax"),
        loss=CategoricalCrossentropy(label_smoothing=0.1),
    )
    return model, rng.standard_normal((3, 9, 7, 2)), np.eye(3)[[2, 0, 1]]


def sequences():
    """The same in one dimension; softmax inside the network; a loss on numbers."""
    model = compiled(
        (11, 3),
        *(Conv1D(4, 3, strides=2, padding="same"), BatchNormalization(axis=1), Activation("relu")),
        *(
            MaxPooling1D(2, strides=1),
            Dense(5, activation="softmax"),
            Conv1D(2, 2, use_bias=False),
            Flatten(),
            Dense(2),
        ),
        loss="mean_squared_error",
    )
    return model, rng.standard_normal((2, 11, 3)), rng.standard_normal((2, 2))


def probabilities():
    """Cross-entropy on numbers that are no softmax; batch norm with fixed statistics; images of one pixel."""
    model = compiled(
        (4, 4, 1),
        *(Conv2D(3, 4, activation="relu"), BatchNormalization(trainable=False), GlobalAveragePooling2D()),
        *(Dense(3, activation="sigmoid"), Softmax(), Activation("sigmoid")),
    )
    return model, rng.random((2, 4, 4, 1)), np.array([2, 0])


NETWORKS = {network.__name__: network for network in (images, sequences, probabilities)}

READ = """([step, target, indices]) => {
    document.querySelectorAll(".overview button.head")[step].click();
    for (const text of [target.direction, target.symbol]) {
        [...document.querySelectorAll(".choices button")].find((button) => button.textContent === text)?.click();
    }
    const text = (name) => document.querySelector(`.opened ${name}`).textContent;
    return indices.map((index) => {
        const inputs = document.querySelectorAll(".index input");
        inputs.forEach((input, axis) => (input.value = index[axis]));
        inputs[0]?.dispatchEvent(new Event("change"));
        return { added: text(".added"), stored: text(".stored"), formula: text(".formula"), title: text("h2") };
    });
}"""


def targets_of(description):
    """Every array that the page can explain: the step's number, its direction and symbol, the name in the model."""
    backward = {"dx", "dz", "dkernel", "dbias", "dgamma", "dbeta"}
    for number, step in enumerate(description["steps"]):
        for name in step["arrays"]:
            is_target = name in ({"loss", "p", "dz"} if step["name"] == "loss" else {"y", "dx"} | backward)
            if is_target and step["kind"] != "unknown":
                direction = "← Backward" if name in backward else "Forward →"
                yield number, name, {"direction": direction, "symbol": step["symbols"].get(name, name)}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_products_add_up_to_the_stored_number_to_its_last_digit(name, opened, tmp_path):
    """Random elements of every array of every operation."""
    model, x, y = NETWORKS[name]()
    page = opened(explorer.write(tmp_path / "page.html", model, x, y))
    description = page.evaluate("JSON.parse(document.getElementById('network').textContent)")
    seen = set()
    for number, array, target in targets_of(description):
        shape = description["arrays"][description["steps"][number]["arrays"][array]]["shape"]
        indices = [[int(rng.integers(length)) for length in shape] for _ in range(5)]
        for index, read in zip(indices, page.evaluate(READ, [number, target, indices]), strict=True):
            assert read["added"] == read["stored"], (target, index, read)
        seen.add((description["steps"][number]["kind"], array))
    assert len(seen) > 12
