"""See inside a step: the products that `explain` lists sum to the stored element, for every array of every layer."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minicnn
from minicnn import layers, losses
from minicnn.inside.operations import LAYERS, LOSSES
from minicnn.layers import (
    Activation,
    Add,
    Average,
    AveragePooling1D,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Maximum,
    MaxPooling1D,
    MaxPooling2D,
    Minimum,
    Multiply,
    RandomErasing,
    RandomFlip,
    RandomTranslation,
    ReLU,
    Softmax,
    Subtract,
)

IMAGE, SERIES = (7, 6, 2), (9, 3)

NETWORKS = {
    "convolution": (IMAGE, [Conv2D(3, (3, 2), strides=(2, 1), padding="same", activation="relu"), Flatten()]),
    "convolution, 1D": (SERIES, [Conv1D(4, 3, strides=2, activation="tanh", use_bias=False), Flatten()]),
    "convolution, 1D, same": (SERIES, [Conv1D(4, 4, strides=3, padding="same"), Flatten()]),
    "remainder": (IMAGE, [Conv2D(3, 3, strides=3), Flatten()]),
    "dense on images": (IMAGE, [Dense(4, activation="sigmoid"), Flatten()]),
    "max pooling": (IMAGE, [MaxPooling2D((3, 2), strides=(2, 1), padding="same"), Flatten()]),
    "max pooling, 1D": (SERIES, [MaxPooling1D(2), Flatten()]),
    "average pooling": (IMAGE, [AveragePooling2D(3, strides=2, padding="same"), Flatten()]),
    "average pooling, 1D": (SERIES, [AveragePooling1D(3, strides=2), Flatten()]),
    "global pooling": (IMAGE, [GlobalAveragePooling2D()]),
    "global pooling, keepdims": (IMAGE, [GlobalAveragePooling2D(keepdims=True), Flatten()]),
    "batch norm": (IMAGE, [BatchNormalization(gamma_initializer="glorot_uniform"), Flatten()]),
    "batch norm, another axis": (IMAGE, [BatchNormalization(axis=1, scale=False, center=False), Flatten()]),
    "batch norm, frozen": (IMAGE, [BatchNormalization(trainable=False), Flatten()]),
    "activations": (
        IMAGE,
        [
            Activation("sigmoid"),
            Activation("relu"),
            Activation("tanh"),
            Activation("softmax"),
            Activation("linear"),
            Softmax(axis=1),
            ReLU(max_value=0.15, negative_slope=0.1, threshold=0.12),
            Flatten(),
        ],
    ),
    "curves": (
        IMAGE,
        [
            Conv2D(3, 3, activation="gelu"),
            Activation("selu"),
            Flatten(),
            Dense(5, activation="elu"),
            Activation("silu"),
        ],
    ),
    "softmax in a layer": (IMAGE, [Flatten(), Dense(4, activation="softmax")]),
    "dropout": (IMAGE, [Dropout(0.4, seed=1), Dropout(0.0), Flatten()]),
    "augmentation": (
        IMAGE,
        [
            RandomFlip(seed=1),
            RandomTranslation(0.3, (0.1, 0.4), fill_mode="constant", fill_value=0.5, seed=2),
            RandomErasing(scale=(0.2, 0.4), value_range=(0, 1), seed=3),
            Flatten(),
        ],
    ),
    "penalties": (IMAGE, [Conv2D(3, 3, kernel_regularizer="l1_l2"), Flatten(), Dense(3, bias_regularizer="l2")]),
}

HEADS = {
    "softmax": ([Dense(4, activation="softmax")], losses.SparseCategoricalCrossentropy()),
    "smoothed": ([Dense(4), Softmax()], losses.CategoricalCrossentropy(label_smoothing=0.1)),
    "logits": ([Dense(4)], losses.SparseCategoricalCrossentropy(from_logits=True)),
    "probabilities": ([Dense(4, activation="sigmoid")], losses.CategoricalCrossentropy()),
    "regression": ([Dense(4)], losses.MeanSquaredError()),
    "absolute errors": ([Dense(4)], losses.MeanAbsoluteError()),
    "yes or no": ([Dense(4, activation="sigmoid")], losses.BinaryCrossentropy(label_smoothing=0.1)),
    "yes or no of probabilities": ([Dense(4, activation="softmax")], losses.BinaryCrossentropy()),
}


def network(shape, body, head="softmax", samples=3):
    """A compiled network of this body and head, with biases that are not 0, and a batch for it."""
    last, loss = HEADS[head]
    described = [layer.describe() for layer in (*body, *last)]  # fresh layers: the dictionary's belong to no model
    fresh = [layers.CLASSES[each["class"]](**each["config"]) for each in described]
    model = minicnn.Sequential([minicnn.Input(shape), *fresh])
    model.compile("adam", loss)
    rng = np.random.default_rng(0)
    model.set_weights([0.2 * rng.normal(size=w.shape) ** (2 if w.ndim == 1 else 1) for w in model.get_weights()])
    x = rng.normal(size=(samples, *shape)).astype("float32")
    y = rng.integers(0, 4, samples)
    return model, x, y if isinstance(loss, losses.SparseCategoricalCrossentropy) else np.eye(4, dtype="float32")[y]


def check_every_array(traced, rng, times=4):
    """All arrays that can be explained, at random indices."""
    for name in traced.names():
        *_, element = traced._find(name)
        for _ in range(times):
            index = tuple(int(rng.integers(length)) for length in element.array.values.shape)
            found = traced.explain(name, index)
            assert found.stored == element.array.values[index]
            size = np.abs(found.values).sum()
            assert abs(found.sum - found.stored) <= 1e-5 * size + 1e-12, f"{name} {index}: {found}"


@pytest.mark.parametrize("kind", NETWORKS)
def test_products_sum_to_every_element(kind, backend):
    model, x, y = network(*NETWORKS[kind])
    traced = minicnn.trace(model, x, y)
    assert all(layer.operations for layer in traced.layers)
    check_every_array(traced, np.random.default_rng(1))


@pytest.mark.parametrize("head", HEADS)
def test_products_of_losses(head, backend):
    model, x, y = network(IMAGE, [Flatten()], head)
    check_every_array(minicnn.trace(model, x, y), np.random.default_rng(1))


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    window=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    kind=st.sampled_from(["convolution", "max", "average"]),
    seed=st.integers(0, 99),
)
def test_windows_of_any_geometry(size, window, strides, kind, seed):
    fits = all(w <= length for w, length in zip(window, size, strict=True))
    options = {"strides": strides, "padding": "valid" if fits and seed % 2 else "same"}
    layer = {
        "convolution": lambda: Conv2D(2, window, **options),
        "max": lambda: MaxPooling2D(window, **options),
        "average": lambda: AveragePooling2D(window, **options),
    }[kind]()
    with minicnn.use_backend("numpy"):
        model, x, y = network((*size, 2), [layer, Flatten()])
        check_every_array(minicnn.trace(model, x, y), np.random.default_rng(seed), times=2)


def branches():
    """A compiled model in which a convolution's output is used many times."""
    inputs = minicnn.Input(IMAGE)
    a = Conv2D(4, 3, padding="same", activation="relu")(inputs)
    b = Conv2D(4, 1)(inputs)
    joined = [kind()([a, b]) for kind in (Add, Subtract, Multiply, Maximum, Minimum)]
    joined += [Average()([a, b, joined[0]]), Concatenate(axis=1)([a, b]), Multiply()([a, b, b])]
    outputs = Dense(4, activation="softmax")(Flatten()(Concatenate(axis=1)(joined)))
    model = minicnn.Model(inputs, outputs)
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    return model, rng.normal(size=(3, *IMAGE)).astype("float32"), rng.integers(0, 4, 3)


def test_products_of_branches(backend):
    model, x, y = branches()
    traced = minicnn.trace(model, x, y)
    check_every_array(traced, np.random.default_rng(1))
    found = traced.explain("conv2d/dy", (1, 2, 3, 0))
    assert len(found.parts) == 8
    assert found.sum == pytest.approx(found.stored, rel=1e-4)
    model.train_on_batch(x, y)
    np.testing.assert_array_equal(traced["conv2d"].gradients["kernel"], model.layers[0].kernel.grad)


NOT_DESCRIBED = {
    *("ELU", "LeakyReLU", "GroupNormalization", "LayerNormalization", "GaussianNoise"),
    *("SpatialDropout1D", "SpatialDropout2D", "GlobalAveragePooling1D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"),
    *("Permute", "Rescaling", "Reshape", "DepthwiseConv2D", "SeparableConv2D"),
    *(f"{kind}{rank}D" for kind in ("Cropping", "UpSampling", "ZeroPadding") for rank in (1, 2)),
}


def test_every_layer_and_loss_is_described():
    """But some that are not described yet."""
    assert {cls.__name__ for cls in LAYERS} == set(layers.CLASSES) - NOT_DESCRIBED


def test_a_layer_that_is_not_described_has_no_operation():
    for layer in (Conv2D(2, 3, groups=2), Conv2D(2, 3, dilation_rate=2), layers.UpSampling2D()):
        model, x, y = network((6, 5, 2), [layer, Flatten()])
        traced = minicnn.trace(model, x, y)
        assert traced[0].operations == []
        with pytest.raises(ValueError, match=f"products of this {type(layer).__name__} are not described"):
            traced.explain(f"{traced[0].name}/y", (0, 0, 0, 0))
    assert set(LOSSES) == set(losses.CLASSES.values()) - {losses.Huber}


def test_the_numbers_are_those_of_training():
    """The gradients that a training step on the same batch leaves in the parameters."""
    model, x, y = network(IMAGE, [Conv2D(3, 3, activation="relu"), Dropout(0.3, seed=5), Flatten()])
    stored = [minicnn.explain(model, x, y, name, 0) for name in ("conv2d/bias", "dense/bias")]
    model.train_on_batch(x, y)
    assert [found.stored for found in stored] == [parameter.grad[0] for parameter in model.parameters()[1::2]]


def test_positions_of_a_kernel_gradient():
    model, x, y = network(IMAGE, [Conv2D(3, 3, activation="relu"), Flatten()])
    traced = minicnn.trace(model, x, y)
    found = traced.explain(model.layers[0].kernel, (0, 1, 1, 2))
    layer = traced["conv2d"]
    sizes = [abs(term.value) for term in found.largest()]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == len(found) == layer.dz[..., 2].size
    for term in found.largest(5):
        (_, (n, h, w, c), from_x), (_, (m, p, q, f), from_dz) = term.factors
        assert (m, p, q, f) == (n, h, w - 1, 2)
        assert c == 1
        assert from_x == layer.x[n, h, w, c]
        assert from_dz == layer.dz[m, p, q, f]
        assert term.value == from_x * from_dz


def test_who_won_and_who_was_let_through():
    model, x, y = network(IMAGE, [MaxPooling2D(2), Activation("relu"), Flatten()])
    traced = minicnn.trace(model, x, y)
    n, h, w, c = 1, *np.unravel_index(x[1, :2, :2, 0].argmax(), (2, 2)), 0
    (term,) = traced.explain("max_pooling2d/dx", (n, h, w, c)).largest()
    assert term.factors[1] == ("won", None, 1)
    assert sum(term.factors[1][2] for term in traced.explain("max_pooling2d/y", (n, 0, 0, c)).largest()) == 1
    let_through = traced.explain("activation/dx", (n, 0, 0, c)).largest()[0].factors[1]
    assert let_through == ("slope", None, float(x[1, :2, :2, 0].max() > 0))


def test_paths_of_batch_norm():
    model, x, y = network(IMAGE, [BatchNormalization(), Flatten()])
    found = minicnn.explain(model, x, y, "batch_normalization/dx", (0, 1, 2, 1))
    assert [part.name for part in found.parts] == ["direct", "through the mean", "through the variance"]
    model.layers[0].trainable = False
    found = minicnn.explain(model, x, y, "batch_normalization/dx", (0, 1, 2, 1))
    assert [part.name for part in found.parts] == ["direct"]


def test_a_layers_dy_is_the_next_layers_dx():
    model, x, y = network(IMAGE, [Conv2D(3, 3), Flatten()])
    traced = minicnn.trace(model, x, y)
    assert traced.explain("conv2d/dy", (0, 1, 1, 0)).name == "flatten/dx"
    last = traced.explain("dense/dy", (0, 1))
    assert last.name == "loss/dlogits"
    p, target = traced.loss.probabilities[0, 1], traced.loss.target[0, 1]
    assert last.stored == pytest.approx((p - target) / 3)


def test_text_html_and_json():
    model, x, y = network(IMAGE, [Conv2D(3, 3, activation="relu"), Flatten()])
    found = minicnn.explain(model, x, y, "conv2d/kernel", (0, 1, 1, 2))
    text, html = str(found), found._repr_html_()
    for shown in (text, html):
        assert "dkernel[0, 1, 1, 2] = Σ_npq x[n, p, q + 1, 1] · dz[n, p, q, 2]" in shown
        assert f"{found.stored:.6g}" in shown
    assert f"the sum of {len(found)} products" in text
    data = json.loads(json.dumps(found.to_dict(count=3), allow_nan=False))
    assert data["index"] == [0, 1, 1, 2]
    assert len(data["terms"]) == 3
    assert data["sum"] == found.sum
    assert data["page"] == "operations/convolution.html"


def test_a_number_that_is_none():
    model, x, y = network(IMAGE, [Conv2D(3, 3), Flatten()])
    model.layers[0].kernel.value[0, 0, 0, 0] = np.nan
    found = minicnn.explain(model, x, y, "conv2d/y", (0, 1, 1, 0))
    assert found.to_dict()["stored"] == "NaN"
    assert "nan" in str(found)


def state_of(model):
    """All that a step may change, as plain data."""
    weights = [weight.value.copy() for weight in model.weights], [weight.grad for weight in model.weights]
    of_layers = [(layer.get_state(), layer.saved) for layer in model.layers]
    optimizer = model.optimizer.iterations, model.optimizer.get_state()
    return json.dumps([*weights, of_layers, *optimizer], default=lambda array: array.tolist())


def test_nothing_changes_in_the_model(backend):
    body = [Conv2D(3, 3, activation="relu"), BatchNormalization(), Dropout(0.5, seed=1), Flatten()]
    model, x, y = network(IMAGE, body)
    twin, _, _ = network(IMAGE, body)
    twin.seed = model.seed
    arrays = [weight.value for weight in model.weights]
    before = state_of(model)
    minicnn.explain(model, x, y, "conv2d/kernel", (0, 1, 1, 2))
    assert state_of(model) == before
    assert all(weight.value is array for weight, array in zip(model.weights, arrays, strict=True))
    assert model.fit(x, y, epochs=2, verbose=0).history == twin.fit(x, y, epochs=2, verbose=0).history


def test_a_layer_with_a_replaced_method_is_restored():
    model, x, y = network(IMAGE, [Conv2D(3, 3), Flatten()])
    layer = model.layers[0]
    layer.call = lambda x, training, call=layer.call: call(x, training)
    before, replaced = state_of(model), layer.call
    minicnn.explain(model, x, y, "dense/kernel", (0, 1))
    with pytest.raises(ValueError, match="products of this Conv2D are not described"):
        minicnn.explain(model, x, y, "conv2d/y", (0, 0, 0, 0))
    assert state_of(model) == before
    assert layer.call is replaced


class Doubled(layers.Layer):
    """A layer of the user's own."""

    def call(self, x, training):
        self.saved = ()
        return 2 * x

    def call_backward(self, dy, need_dx):
        return 2 * dy


@pytest.mark.parametrize(
    ("name", "index", "message"),
    [
        ("conv2d/kernal", (0, 0, 0, 0), r"Did you mean 'conv2d/kernel'\? Known: conv2d/bias, conv2d/dx"),
        ("conv2/kernel", (0, 0, 0, 0), r"Did you mean 'conv2d'\? Known: conv2d, dense"),
        ("kernel", (0, 0, 0, 0), '"layer/array", such as "conv2d/kernel"'),
        (
            "conv2d/kernel",
            (0, 0, 2, 0),
            r"a number from 0 to 1 on axis 2, found 2. The array's shape is \(3, 3, 2, 3\)",
        ),
        ("conv2d/kernel", (0, 0), r"4 whole numbers, for an array of shape \(3, 3, 2, 3\), found \(0, 0\)"),
        ("conv2d/kernel", (0, 0, 0, 1.5), "4 whole numbers"),
        ("doubled/dx", (0, 0, 0, 0), "The products of this Doubled are not described"),
        (3, 0, "a string"),
    ],
)
def test_errors_say_what_there_is(name, index, message):
    model = minicnn.Sequential(
        [minicnn.Input(IMAGE), Conv2D(3, 3), Doubled(name="doubled"), Flatten(), Dense(4, activation="softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = np.zeros((2, *IMAGE), "float32")
    with pytest.raises(ValueError, match=message):
        minicnn.explain(model, x, [0, 1], name, index)


def test_what_cannot_be_traced():
    model, x, y = network(IMAGE, [Flatten()])
    with pytest.raises(ValueError, match=re.escape("expected input of shape (batch, 7, 6, 2)")):
        minicnn.explain(model, x[..., :1], y, "loss")
    with pytest.raises(ValueError, match="integer labels"):
        minicnn.explain(model, x, np.eye(4)[y], "loss")
    with pytest.raises(ValueError, match="targets y, found none"):
        minicnn.trace(model, x, None)
    with pytest.raises(RuntimeError, match="trace needs a compiled model"):
        minicnn.trace(minicnn.Sequential([Dense(3)]), x, y)
    model.forward = model.forward
    with pytest.raises(TypeError, match="with its own forward"):
        minicnn.trace(model, x, y)
