"""Every gradient is right: of all layers, losses, and the seven example models, on both CPU backends.

Central differences check the backend against its own forward, the complex step against the textbook's.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minicnn
from minicnn import layers, losses
from minicnn.backends.contract import CURVES
from minicnn.gradcheck import check_layer, check_loss, check_model
from minicnn.layers import (
    ELU,
    Activation,
    Add,
    Average,
    AveragePooling1D,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv2D,
    Cropping1D,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GaussianNoise,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GroupNormalization,
    LayerNormalization,
    LeakyReLU,
    Maximum,
    MaxPooling1D,
    MaxPooling2D,
    Minimum,
    Multiply,
    Permute,
    RandomErasing,
    RandomFlip,
    RandomTranslation,
    ReLU,
    Rescaling,
    Reshape,
    SeparableConv2D,
    Softmax,
    SpatialDropout1D,
    SpatialDropout2D,
    Subtract,
    UpSampling1D,
    UpSampling2D,
    ZeroPadding1D,
    ZeroPadding2D,
)

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

pytestmark = pytest.mark.usefixtures("backend")
methods = pytest.mark.parametrize("method", ["central", "complex"])

ROWS, STEPS, IMAGES = (3, 5), (3, 7, 2), (2, 6, 5, 3)

LAYERS = {
    Activation: [
        (Activation("linear"), ROWS),
        (Activation("relu"), IMAGES),
        (Activation("sigmoid"), ROWS),
        (Activation("tanh"), STEPS),
        (Activation("softmax"), STEPS),
        *((Activation(name), IMAGES) for name in CURVES),
    ],
    ReLU: [
        (ReLU(), IMAGES),
        (ReLU(max_value=1.0, negative_slope=0.2, threshold=0.3), STEPS),
        (ReLU(negative_slope=0.1), ROWS),
        (ReLU(threshold=0.5), ROWS),
    ],
    Softmax: [(Softmax(), ROWS), (Softmax(axis=1), IMAGES)],
    Dense: [
        (Dense(4), ROWS),
        (Dense(4, use_bias=False, activation="relu"), ROWS),
        (Dense(4, activation="softmax"), ROWS),
        (Dense(4, activation="tanh"), STEPS),
        (Dense(1, activation="sigmoid"), ROWS),
        (Dense(4, activation="gelu"), STEPS),
    ],
    Conv1D: [
        (Conv1D(4, 3, activation="relu"), STEPS),
        (Conv1D(4, 3, strides=2, padding="same"), STEPS),
        (Conv1D(3, 2, padding="same", use_bias=False, activation="sigmoid"), STEPS),
        (Conv1D(1, 7, activation="tanh"), STEPS),
        (Conv1D(4, 1, strides=3, activation="softmax"), STEPS),
        (Conv1D(4, 3, dilation_rate=2, groups=2, padding="same", activation="relu"), STEPS),
    ],
    Conv2D: [
        (Conv2D(4, 3), IMAGES),
        (Conv2D(4, 3, padding="same", activation="relu"), IMAGES),
        (Conv2D(2, (3, 2), strides=(2, 1), activation="relu"), IMAGES),
        (Conv2D(2, (2, 4), strides=(1, 3), padding="same", activation="tanh"), IMAGES),
        (Conv2D(2, 2, strides=3, use_bias=False, activation="sigmoid"), IMAGES),
        (Conv2D(5, (6, 5), activation="softmax"), IMAGES),
        (Conv2D(4, 1, padding="same", use_bias=False), IMAGES),
        (Conv2D(4, (3, 2), strides=2, padding="same", groups=2, activation="tanh"), (2, 6, 5, 4)),
        (Conv2D(2, 2, dilation_rate=(3, 2), use_bias=False, activation="softplus"), IMAGES),
    ],
    MaxPooling1D: [
        (MaxPooling1D(), STEPS),
        (MaxPooling1D(3, strides=2), STEPS),
        (MaxPooling1D(3, strides=2, padding="same"), STEPS),
    ],
    AveragePooling1D: [
        (AveragePooling1D(), STEPS),
        (AveragePooling1D(3, strides=1), STEPS),
        (AveragePooling1D(4, strides=3, padding="same"), STEPS),
    ],
    MaxPooling2D: [
        (MaxPooling2D(), IMAGES),
        (MaxPooling2D(3, strides=(1, 2)), IMAGES),
        (MaxPooling2D((3, 2), strides=2, padding="same"), IMAGES),
        (MaxPooling2D((2, 3), strides=1, padding="same"), IMAGES),
        (MaxPooling2D(2, strides=3), IMAGES),
    ],
    AveragePooling2D: [
        (AveragePooling2D(), IMAGES),
        (AveragePooling2D((3, 2), strides=(2, 1)), IMAGES),
        (AveragePooling2D(3, strides=2, padding="same"), IMAGES),
        (AveragePooling2D(2, strides=3, padding="same"), IMAGES),
    ],
    GlobalAveragePooling2D: [(GlobalAveragePooling2D(), IMAGES), (GlobalAveragePooling2D(keepdims=True), IMAGES)],
    BatchNormalization: [
        (BatchNormalization(), (6, 3)),
        (BatchNormalization(momentum=0.5, epsilon=0.1), STEPS),
        (BatchNormalization(), IMAGES),
        (BatchNormalization(axis=1), IMAGES),
        (BatchNormalization(center=False), IMAGES),
        (BatchNormalization(scale=False), STEPS),
        (BatchNormalization(center=False, scale=False), STEPS),
        (BatchNormalization(trainable=False), IMAGES),
    ],
    Dropout: [(Dropout(0.4, seed=1), IMAGES), (Dropout(0.0), ROWS), (Dropout(0.4, (None, 1, None, 1), 1), IMAGES)],
    RandomFlip: [
        (RandomFlip("horizontal", seed=1), (5, 4, 3, 2)),
        (RandomFlip("vertical", seed=1), (5, 4, 3, 2)),
        (RandomFlip(seed=1), (5, 4, 3, 2)),
    ],
    RandomTranslation: [
        (RandomTranslation(0.5, (0.2, 0.9), seed=1), IMAGES),
        (RandomTranslation(0.5, 0.5, "constant", "nearest", fill_value=0.5, seed=1), IMAGES),
        (RandomTranslation(0.0, 1.0, "wrap", seed=1), IMAGES),
        (RandomTranslation((-1.0, 0.0), 0.4, "nearest", seed=1), IMAGES),
    ],
    RandomErasing: [
        (RandomErasing((1, 1), (0.1, 0.5), seed=1), IMAGES),
        (RandomErasing(1.0, 0.5, fill_value=0.25, value_range=(0, 1), seed=3), IMAGES),
    ],
    Flatten: [(Flatten(), IMAGES), (Flatten(), ROWS)],
    LeakyReLU: [(LeakyReLU(), IMAGES), (LeakyReLU(0.1), ROWS)],
    ELU: [(ELU(), IMAGES), (ELU(0.5), ROWS)],
    GlobalAveragePooling1D: [(GlobalAveragePooling1D(), STEPS), (GlobalAveragePooling1D(keepdims=True), STEPS)],
    GlobalMaxPooling1D: [(GlobalMaxPooling1D(), STEPS), (GlobalMaxPooling1D(keepdims=True), STEPS)],
    GlobalMaxPooling2D: [(GlobalMaxPooling2D(), IMAGES), (GlobalMaxPooling2D(keepdims=True), IMAGES)],
    ZeroPadding1D: [(ZeroPadding1D(), STEPS), (ZeroPadding1D((0, 3)), STEPS)],
    ZeroPadding2D: [(ZeroPadding2D(), IMAGES), (ZeroPadding2D(((0, 1), (2, 3))), IMAGES)],
    Cropping1D: [(Cropping1D(), STEPS), (Cropping1D((0, 3)), STEPS)],
    Cropping2D: [(Cropping2D(), IMAGES), (Cropping2D(((0, 1), (2, 1))), IMAGES)],
    UpSampling1D: [(UpSampling1D(), STEPS)],
    UpSampling2D: [(UpSampling2D((2, 3)), IMAGES), (UpSampling2D((3, 2), "bilinear"), IMAGES)],
    Reshape: [(Reshape((15, -1)), IMAGES)],
    Permute: [(Permute((2, 3, 1)), IMAGES)],
    Rescaling: [(Rescaling(1 / 255, 0.5), IMAGES)],
    GroupNormalization: [
        (GroupNormalization(2), (2, 3, 4, 6)),
        (GroupNormalization(-1, epsilon=0.1), STEPS),
        (GroupNormalization(1, center=False), IMAGES),
        (GroupNormalization(3, scale=False), IMAGES),
    ],
    LayerNormalization: [
        (LayerNormalization(), IMAGES),
        (LayerNormalization(epsilon=0.1), ROWS),
        (LayerNormalization(center=False, scale=False), STEPS),
    ],
    SpatialDropout1D: [(SpatialDropout1D(0.4, seed=1), STEPS)],
    SpatialDropout2D: [(SpatialDropout2D(0.4, seed=1), IMAGES), (SpatialDropout2D(0.0), IMAGES)],
    GaussianNoise: [(GaussianNoise(0.5, seed=1), IMAGES)],
    DepthwiseConv2D: [
        (DepthwiseConv2D(3), IMAGES),
        (DepthwiseConv2D((3, 2), 2, "same", 2, activation="relu"), IMAGES),
        (DepthwiseConv2D(2, dilation_rate=(2, 3), use_bias=False, activation="elu"), IMAGES),
    ],
    SeparableConv2D: [
        (SeparableConv2D(4, 3), IMAGES),
        (SeparableConv2D(2, (3, 2), 2, "same", depth_multiplier=2, activation="tanh", use_bias=False), IMAGES),
        (SeparableConv2D(2, 2, dilation_rate=2, activation="silu"), IMAGES),
    ],
    **{cls: [(cls(), [IMAGES, IMAGES]), (cls(), [ROWS] * 3)] for cls in (Add, Average, Maximum, Minimum, Multiply)},
    Subtract: [(Subtract(), [IMAGES, IMAGES])],
    Concatenate: [
        (Concatenate(), [(2, 6, 5, 3), (2, 6, 5, 1), (2, 6, 5, 2)]),
        (Concatenate(axis=1), [(2, 6, 5, 3), (2, 1, 5, 3)]),
        (Concatenate(), [ROWS, ROWS]),
    ],
}


def test_every_layer_has_its_cases():
    assert set(LAYERS) == set(layers.CLASSES.values())


@methods
@pytest.mark.parametrize("cls", LAYERS, ids=lambda cls: cls.__name__)
def test_layer(cls, method):
    for layer, shape in LAYERS[cls]:
        check_layer(layer, shape, method=method).raise_if_wrong()


@methods
@pytest.mark.parametrize("cls", [BatchNormalization, Dropout, RandomTranslation], ids=lambda cls: cls.__name__)
def test_layer_that_does_something_else_in_inference(cls, method):
    for layer, shape in LAYERS[cls]:
        check_layer(layer, shape, training=False, method=method).raise_if_wrong()


lengths = st.integers(1, 6)


@st.composite
def windowed_layers(draw):
    """A convolution or a pooling of any arguments, with an input that it can take."""
    cls = draw(st.sampled_from([Conv1D, Conv2D, MaxPooling1D, MaxPooling2D, AveragePooling1D, AveragePooling2D]))
    rank = cls.spatial_rank
    spatial = draw(st.tuples(*[lengths] * rank))
    padding = draw(st.sampled_from(["valid", "same"]))
    window = draw(st.tuples(*(st.integers(1, length if padding == "valid" else 4) for length in spatial)))
    strides = draw(st.tuples(*[st.integers(1, 3)] * rank))
    shape = (draw(st.integers(1, 3)), *spatial, draw(st.integers(1, 3)))
    if issubclass(cls, (Conv1D, Conv2D)):
        activation = draw(st.sampled_from(minicnn.backends.contract.ACTIVATIONS))
        layer = cls(
            draw(st.integers(1, 3)), window, strides, padding, activation=activation, use_bias=draw(st.booleans())
        )
    else:
        layer = cls(window, strides, padding)
    return layer, shape


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(windowed_layers(), st.integers(0, 1000))
def test_windows_of_any_geometry(case, seed):
    layer, shape = case
    check_layer(layer, shape, method="complex", samples=40, seed=seed).raise_if_wrong()


def shares(*shape):
    """Positive numbers that sum to 1 along the last axis."""
    e = np.exp(np.random.default_rng(2).standard_normal(shape))
    return e / e.sum(axis=-1, keepdims=True)


def logits(*shape):
    return np.random.default_rng(3).standard_normal(shape)


LABELS = np.array([3, 0, 2])
ONE_HOT = np.eye(4)[LABELS]

LOSSES = {
    losses.CategoricalCrossentropy: [
        (losses.CategoricalCrossentropy(), ONE_HOT, shares(3, 4)),
        (losses.CategoricalCrossentropy(), shares(3, 4), 3 * shares(3, 4)[::-1]),
        (losses.CategoricalCrossentropy(from_logits=True), ONE_HOT, logits(3, 4)),
        (losses.CategoricalCrossentropy(label_smoothing=0.25), ONE_HOT, shares(3, 4)),
        (losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.25), ONE_HOT, logits(3, 4)),
        (losses.CategoricalCrossentropy(from_logits=True), 2 * shares(3, 4), 50 * logits(3, 4)),
    ],
    losses.SparseCategoricalCrossentropy: [
        (losses.SparseCategoricalCrossentropy(), LABELS, shares(3, 4)),
        (losses.SparseCategoricalCrossentropy(from_logits=True), LABELS, logits(3, 4)),
        (losses.SparseCategoricalCrossentropy(from_logits=True), LABELS[:1], logits(1, 4)),
    ],
    losses.BinaryCrossentropy: [
        (losses.BinaryCrossentropy(), shares(3, 4), shares(3, 4)[::-1]),
        (losses.BinaryCrossentropy(label_smoothing=0.25), ONE_HOT, shares(3, 4)),
        (losses.BinaryCrossentropy(from_logits=True), ONE_HOT, logits(3, 4)),
        (losses.BinaryCrossentropy(from_logits=True), ONE_HOT[:, :1], 50 * logits(3, 1)),
    ],
    losses.Huber: [(losses.Huber(0.5), logits(2, 4, 3), logits(2, 3, 4).swapaxes(1, 2))],
    losses.MeanAbsoluteError: [(losses.MeanAbsoluteError(), logits(2, 4, 3), logits(2, 3, 4).swapaxes(1, 2))],
    losses.MeanSquaredError: [
        (losses.MeanSquaredError(), logits(3, 4), logits(4, 3).T),
        (losses.MeanSquaredError(), logits(2, 3, 4, 2), logits(2, 4, 3, 2).swapaxes(1, 2)),
    ],
}


def test_every_loss_has_its_cases():
    assert set(LOSSES) == set(losses.CLASSES.values())


@methods
@pytest.mark.parametrize("cls", LOSSES, ids=lambda cls: cls.__name__)
def test_loss(cls, method):
    for loss, y_true, y_pred in LOSSES[cls]:
        check_loss(loss, y_true, y_pred, method=method).raise_if_wrong()


def test_a_clipped_probability_has_no_gradient():
    """The probabilities are beyond the clip, 1e-7 and 1 − 1e-7."""
    loss, y_pred = losses.CategoricalCrossentropy(), np.where(ONE_HOT[:, ::-1] > 0, 1.0, 1e-9)
    check_loss(loss, ONE_HOT, y_pred, method="complex").raise_if_wrong()
    loss.forward(ONE_HOT, y_pred)
    assert not loss.backward().any()


PARAMETERS = {
    "baseline": 83_142,
    "model1": 93_446,
    "model2": 99_786,
    "model3": 147_274,
    "model4": 93_322,
    "model5": 241_546,
    "model5_residual": 435_306,
    "model6": 241_546,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_example_model(name, monkeypatch):
    """The whole model, as `fit` trains it: dropout and batch norm on, softmax and cross-entropy fused."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    model = runpy.run_path(str(EXAMPLES / f"{name}.py"))["build_model"]()
    assert model.count_params() == PARAMETERS[name]
    model.compile("adam", "categorical_crossentropy")
    rng = np.random.default_rng(5)
    x, y = rng.random((2, *model.input_shape[1:])), np.eye(10)[[7, 2]]
    check_model(model, x, y, samples=2).raise_if_wrong()


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
@pytest.mark.parametrize("ending", ["activation of the dense layer", "Softmax", "Activation"])
def test_the_fused_gradient_equals_that_of_softmax_and_crossentropy(ending, loss):
    """Softmax's Jacobian times the cross-entropy's gradient, against p − y on the logits."""
    own = ending == "activation of the dense layer"
    model = minicnn.Sequential([Dense(4, activation="softmax" if own else None, dtype="float64")])
    if not own:
        model.add(Softmax(dtype="float64") if ending == "Softmax" else Activation("softmax", dtype="float64"))
    model.compile("adam", loss)
    x, y = logits(3, 5), ONE_HOT if loss == "categorical_crossentropy" else LABELS

    def gradients(network, criterion):
        value = criterion.forward(y, network.forward(x, training=True))
        dx = network.backward(criterion.backward())
        return [value, dx, *(parameter.grad for parameter in model.parameters())]

    unfused = gradients(model, model.loss)
    network, criterion = model.objective()
    assert criterion.from_logits
    fused = gradients(network, criterion)
    for one, other in zip(fused, unfused, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)
    check_model(model, x, y).raise_if_wrong()


def blocks():
    """Layers with an activation layer of each kind behind them, in float64."""
    options = {"dtype": "float64"}
    return [
        Conv2D(3, 3, use_bias=False, **options),
        BatchNormalization(**options),
        ReLU(**options),
        Conv2D(2, 2, **options),
        Activation("relu", **options),
        BatchNormalization(**options),
        Activation("tanh", **options),
        Flatten(**options),
        Dense(4, **options),
        ReLU(negative_slope=0.25, **options),
        Dense(2, **options),
        Activation("sigmoid", **options),
    ]


def gradients_of(network, parameters, x):
    y = network.forward(x, training=True)
    return [y, network.backward(np.cos(y)), *(parameter.grad for parameter in parameters)]


def test_a_layer_fused_with_its_activation_has_the_same_gradients(backend):
    model = minicnn.Sequential([minicnn.Input((6, 7, 2)), *blocks()])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(4, 6, 7, 2))
    network, _ = model.objective()
    assert [layer.activation for layer in network.layers] == [
        "linear", "relu", "relu", "tanh", "linear", "linear", "linear", "sigmoid",
    ]  # fmt: skip
    found = [minicnn.backends.to_host(array) for array in gradients_of(network, model.parameters(), x)]
    expected = [minicnn.backends.to_host(array) for array in gradients_of(model, model.parameters(), x)]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert all(layer.activation == "linear" for layer in model.layers if not isinstance(layer, Activation))


class Clipped(BatchNormalization):
    def call_backward(self, dy, need_dx):
        return super().call_backward(dy.clip(-1, 1), need_dx)


def test_layers_with_changed_methods_are_not_fused():
    normal, relu, clipped, last = layers = [BatchNormalization(), ReLU(), Clipped(), ReLU()]
    model = minicnn.Sequential([minicnn.Input((5,)), *layers])
    model.compile("adam", "mse")
    relu.call = lambda x, training, call=relu.call: call(x, training)
    network, _ = model.objective()
    assert network.layers == [normal, relu, clipped, last]
