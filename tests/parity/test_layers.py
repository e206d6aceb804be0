"""Every layer, in random configurations, against Keras and PyTorch: output, all gradients, all weights afterwards."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minicnn
from minicnn import layers

from .twins import TWINS, assert_close, next_masks, randomize

pytestmark = pytest.mark.usefixtures("backend", "precision")

twins = pytest.mark.parametrize("twin", TWINS)

several = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

ACTIVATIONS = st.sampled_from(minicnn.backends.contract.ACTIVATIONS)
PADDINGS = st.sampled_from(["valid", "same"])


def windows(rank, largest):
    """One number for all axes, or one for each."""
    return st.one_of(st.integers(1, largest), st.tuples(*[st.integers(1, largest)] * rank))


def shapes(rank, smallest=4):
    """(N, spatial axes…, C): small, rarely square."""
    return st.tuples(st.integers(1, 3), *[st.integers(smallest, 9)] * rank, st.integers(1, 4))


def convolution(rank):
    config = st.fixed_dictionaries(
        {
            "filters": st.integers(1, 5),
            "kernel_size": windows(rank, 4),
            "strides": windows(rank, 3),
            "padding": PADDINGS,
            "activation": ACTIVATIONS,
            "use_bias": st.booleans(),
        }
    )
    return st.tuples(config, shapes(rank))


def pooling(rank):
    config = {"pool_size": windows(rank, 4), "strides": st.none() | windows(rank, 5), "padding": PADDINGS}
    return st.tuples(st.fixed_dictionaries(config), shapes(rank))


@st.composite
def batch_norms(draw):
    shape = (draw(st.integers(2, 4)), *draw(shapes(draw(st.integers(0, 2)), smallest=2))[1:])
    config = {
        "axis": draw(st.sampled_from([*range(1, len(shape)), *range(1 - len(shape), 0)])),
        "momentum": draw(st.sampled_from([0.99, 0.9, 0.0, 0.5])),
        "epsilon": draw(st.sampled_from([1e-3, 1e-5, 0.1])),
        "center": draw(st.booleans()),
        "scale": draw(st.booleans()),
        "trainable": draw(st.booleans()),
    }
    return config, shape


any_shape = st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple)

CASES = {
    "Conv1D": convolution(1),
    "Conv2D": convolution(2),
    "MaxPooling1D": pooling(1),
    "MaxPooling2D": pooling(2),
    "AveragePooling1D": pooling(1),
    "AveragePooling2D": pooling(2),
    "GlobalAveragePooling2D": st.tuples(st.fixed_dictionaries({"keepdims": st.booleans()}), shapes(2)),
    "BatchNormalization": batch_norms(),
    "Dense": st.tuples(
        st.fixed_dictionaries({"units": st.integers(1, 5), "activation": ACTIVATIONS, "use_bias": st.booleans()}),
        any_shape,
    ),
    "Flatten": st.tuples(st.just({}), any_shape),
    "Activation": st.tuples(st.fixed_dictionaries({"activation": ACTIVATIONS}), any_shape),
    "Softmax": any_shape.flatmap(
        lambda shape: st.tuples(
            st.fixed_dictionaries({"axis": st.sampled_from([*range(1, len(shape)), *range(1 - len(shape), 0)])}),
            st.just(shape),
        )
    ),
    "ReLU": st.tuples(  # numbers that float32 holds exactly: Keras rounds its constants to it
        st.fixed_dictionaries(
            {
                "max_value": st.sampled_from([None, 1.0, 0.75, 6.0]),
                "negative_slope": st.sampled_from([0.0, 0.125, 0.375]),
                "threshold": st.sampled_from([0.0, 0.25, 0.5]),
            }
        ),
        any_shape,
    ),
    "Dropout": st.tuples(st.fixed_dictionaries({"rate": st.sampled_from([0.0, 0.2, 0.5, 0.9])}), any_shape),
}


def test_functions_of_tensorflow_as_activations():
    tensorflow = pytest.importorskip("tensorflow")
    names = ["relu", "softmax", "sigmoid", "tanh", "elu", "selu", "leaky_relu", "gelu", "silu", "swish", "softplus"]
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    for name in names:
        function = getattr(tensorflow.nn, name)
        ours, theirs = layers.Activation(function)(x), keras.layers.Activation(function)(x)
        np.testing.assert_allclose(minicnn.to_host(ours), keras.ops.convert_to_numpy(theirs), atol=1e-5, err_msg=name)


AUGMENTATION = {"RandomErasing", "RandomFlip", "RandomTranslation"}
JOINS = {"Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"}  # in test_branches.py


NOISE = {"GaussianNoise", "SpatialDropout1D", "SpatialDropout2D"}

IMAGES, STEPS = (2, 7, 6, 4), (2, 7, 3)

KERAS_ONLY = [
    *(("Activation", {"activation": name}, IMAGES) for name in ("elu", "selu", "silu", "swish", "softplus")),
    ("Dense", {"units": 3, "activation": "elu"}, STEPS),
    ("Conv2D", {"filters": 3, "kernel_size": 2, "activation": "softplus"}, IMAGES),
    ("Conv2D", {"filters": 6, "kernel_size": (3, 2), "groups": 2, "strides": 2, "padding": "same"}, IMAGES),
    ("Conv2D", {"filters": 3, "kernel_size": 2, "dilation_rate": (2, 3), "activation": "relu"}, IMAGES),
    ("Conv2D", {"filters": 3, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}, IMAGES),
    ("Conv1D", {"filters": 3, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}, STEPS),
    ("LeakyReLU", {"negative_slope": 0.25}, IMAGES),
    ("ELU", {}, IMAGES),
    ("ELU", {"alpha": 0.5}, STEPS),
    *((f"Global{kind}Pooling1D", {"keepdims": keep}, STEPS) for kind in ("Max", "Average") for keep in (False, True)),
    *(("GlobalMaxPooling2D", {"keepdims": keep}, IMAGES) for keep in (False, True)),
    ("ZeroPadding1D", {"padding": (1, 3)}, STEPS),
    ("ZeroPadding2D", {"padding": (1, 2)}, IMAGES),
    ("ZeroPadding2D", {"padding": ((0, 1), (2, 3))}, IMAGES),
    ("Cropping1D", {"cropping": (1, 3)}, STEPS),
    ("Cropping2D", {"cropping": 1}, IMAGES),
    ("Cropping2D", {"cropping": ((0, 1), (2, 0))}, IMAGES),
    ("UpSampling1D", {"size": 3}, STEPS),
    ("UpSampling2D", {"size": (2, 3)}, IMAGES),
    ("Reshape", {"target_shape": (14, -1)}, IMAGES),
    ("Permute", {"dims": (3, 1, 2)}, IMAGES),
    ("Rescaling", {"scale": 0.25, "offset": 0.5}, IMAGES),
    ("LayerNormalization", {}, IMAGES),
    ("LayerNormalization", {"epsilon": 0.1, "center": False}, STEPS),
    ("LayerNormalization", {"scale": False}, (3, 5)),
    ("GroupNormalization", {"groups": 2}, IMAGES),
    ("GroupNormalization", {"groups": -1, "scale": False}, STEPS),
    ("DepthwiseConv2D", {"kernel_size": 3}, IMAGES),
    ("DepthwiseConv2D", {"kernel_size": (2, 3), "strides": 2, "padding": "same", "depth_multiplier": 2}, IMAGES),
    ("DepthwiseConv2D", {"kernel_size": 2, "dilation_rate": 2, "activation": "tanh", "use_bias": False}, IMAGES),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 3, "activation": "relu"}, IMAGES),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 2, "depth_multiplier": 3, "padding": "same"}, IMAGES),
]
"""Layers and arguments that have no twin in PyTorch here: name, arguments, shape of the input."""


def test_no_layer_is_forgotten():
    assert set(CASES) | AUGMENTATION | JOINS | NOISE | {name for name, *_ in KERAS_ONLY} == set(layers.CLASSES)


@pytest.mark.parametrize(("name", "config", "shape"), KERAS_ONLY)
def test_layer_of_keras(name, config, shape):
    check_layer("keras", getattr(layers, name)(**config), shape, True, np.random.default_rng(2).normal(size=shape))


@pytest.mark.parametrize("precision", ["float32"], indirect=True)
@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("Activation", {"activation": "leaky_relu"}),
        ("Activation", {"activation": "gelu"}),
        ("LeakyReLU", {}),
        ("Dense", {"units": 3, "activation": "gelu"}),
        *(("UpSampling2D", {"size": size, "interpolation": "bilinear"}) for size in (2, (3, 4), 1)),
    ],
)
def test_layer_that_computes_in_float32_in_tensorflow(name, config):
    x = np.random.default_rng(2).normal(size=IMAGES).astype("float32")
    check_layer("keras", getattr(layers, name)(**config), IMAGES, True, x)


@pytest.mark.parametrize("rank", [1, 2])
def test_spatial_dropout_drops_whole_channels_as_keras_does(rank):
    x = np.ones((200, *(4, 3)[:rank], 50))
    ours, theirs = (
        getattr(framework.layers, f"SpatialDropout{rank}D")(0.4, seed=1)(x, training=True)
        for framework in (minicnn, keras)
    )
    assert_close(np.unique(ours), np.unique(theirs))
    assert (np.ptp(ours, axis=tuple(range(1, rank + 1))) == 0).all()
    assert abs(ours.mean() - np.mean(theirs)) < 0.05


def test_gaussian_noise_has_keras_s_standard_deviation():
    x = np.zeros((100, 200))
    ours = layers.GaussianNoise(0.5, seed=1).forward(x, training=True)
    theirs = keras.layers.GaussianNoise(0.5, seed=1)(x, training=True).numpy()
    grid = np.linspace(0.05, 0.95, 19)
    np.testing.assert_allclose(np.quantile(ours, grid), np.quantile(theirs, grid), atol=0.03)


@twins
@pytest.mark.parametrize("name", CASES)
@several
@given(data=st.data())
def test_layer(name, twin, data):
    config, shape = data.draw(CASES[name])
    training, seed = data.draw(st.booleans()), data.draw(st.integers(0, 99))
    check_layer(twin, getattr(layers, name)(**config), shape, training, np.random.default_rng(seed).normal(size=shape))


def check_layer(twin, layer, shape, training, x):
    generator = np.random.default_rng(1)
    model = randomize(minicnn.Sequential([layers.Input(shape[1:]), layer]), generator)
    twin, masks = TWINS[twin](model), next_masks(model, shape[0])
    y = model.forward(x, training)
    dy = generator.normal(size=y.shape).astype(y.dtype)
    dx = model.backward(dy)

    expected_y, expected_dx, expected_grads = twin.gradients(x, dy, training, masks)
    assert_close(y, expected_y, "y")
    assert_close(dx, expected_dx, "dx")
    for parameter, expected in zip(model.parameters(), expected_grads, strict=True):
        assert_close(parameter.grad, expected, parameter.name)
    for weight, expected in zip(model.weights, twin.get_weights(), strict=True):
        assert_close(weight.value, expected, weight.name)


@twins
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_max_pooling_of_equal_values_sends_the_gradient_to_the_first(twin, padding):
    x = np.random.default_rng(0).integers(0, 2, (2, 7, 6, 3)).astype(float)
    check_layer(twin, layers.MaxPooling2D(3, strides=2, padding=padding), x.shape, True, x)


@twins
@pytest.mark.parametrize("layer", [layers.ReLU, lambda: layers.Activation("relu")])
def test_relu_has_slope_zero_at_zero(twin, layer):
    check_layer(twin, layer(), (2, 3), True, np.array([[0.0, -1.0, 1.0], [-0.0, 2.0, 0.0]]))


@twins
def test_relu_at_its_threshold_is_off(twin):
    check_layer(twin, layers.ReLU(threshold=0.5), (1, 3), True, np.array([[0.5, 0.25, 0.75]]))


@twins
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "softmax"])
def test_activations_saturate_equally(twin, activation):
    x = np.array([[800.0, -800.0, 0.0, 30.0], [-40.0, 40.0, 700.0, 701.0]])
    check_layer(twin, layers.Activation(activation), x.shape, True, x)


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_dropout_keeps_and_scales_as_keras_does(rate):
    x = np.ones((100, 200))
    ours = layers.Dropout(rate, seed=1).forward(x, training=True)
    theirs = keras.layers.Dropout(rate, seed=1)(x, training=True).numpy()
    assert_close(np.unique(ours), np.unique(theirs))
    assert abs(ours.mean() - theirs.mean()) < 5 * (2 * rate / (1 - rate) / x.size) ** 0.5  # five standard deviations


def test_a_noise_shape_drops_together_what_keras_drops_together():
    x = np.ones((100, 3, 50))
    ours, theirs = (
        np.asarray(framework.layers.Dropout(0.5, (None, 1, None), seed=1)(x, training=True))
        for framework in (minicnn, keras)
    )
    for y in (ours, theirs):
        assert (np.ptp(y, axis=1) == 0).all()
        assert set(np.unique(y)) == {0, 2}
        assert abs(y.mean() - 1) < 0.1  # seven standard deviations


def augmented(name, x, **config):
    """What minicnn's and Keras's layer make of the images in training."""
    ours, theirs = getattr(layers, name)(**config, seed=1), getattr(keras.layers, name)(**config, seed=1)
    return ours.forward(x, training=True), theirs(x, training=True).numpy()


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "reflect", "wrap"])
@pytest.mark.parametrize("factors", [(0.25, 0.0), (-0.25, 0.375), (0.53, -0.19)])
def test_shift(factors, fill_mode, interpolation):
    """Both limits are the same, so nothing is random."""
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3))
    if fill_mode == "wrap":  # between the last and the first pixel, TensorFlow does not interpolate
        factors = np.round(np.multiply(factors, 8)) / 8
    height_factor, width_factor = ((factor, factor) for factor in factors)
    config = {"fill_mode": fill_mode, "interpolation": interpolation, "fill_value": 0.5}
    ours, theirs = augmented("RandomTranslation", x, height_factor=height_factor, width_factor=width_factor, **config)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)  # Keras's shifts are float32


@pytest.mark.parametrize("mode", ["horizontal", "vertical", "horizontal_and_vertical"])
def test_flip(mode):
    """Every image of one shape, so that only the images that were mirrored differ."""
    x = np.broadcast_to(np.random.default_rng(0).normal(size=(3, 4, 2)), (400, 3, 4, 2))
    ours, theirs = (np.unique(y, axis=0, return_counts=True) for y in augmented("RandomFlip", x, mode=mode))
    assert_close(ours[0], theirs[0])
    assert len(ours[0]) == 2
    assert np.abs(ours[1] - theirs[1]).max() < 5 * (400 / 2) ** 0.5  # five standard deviations


@pytest.mark.parametrize("factor", [0.0, (1.0, 1.0), 0.5])
def test_erased_boxes(factor):
    ours, theirs = augmented(
        "RandomErasing", np.ones((800, 9, 7, 2)), factor=factor, scale=(0.1, 0.4), fill_value=0.0, value_range=(0, 1)
    )
    assert set(np.unique(ours)) == set(np.unique(theirs))
    for axes in ((0, 3), (1, 2, 3)):  # where the boxes are, and how large
        one, other = (np.sort((1 - y).mean(axis=axes), axis=0) for y in (ours, theirs))
        np.testing.assert_allclose(one, other, atol=0.12)


def test_noise_in_erased_boxes():
    ours, theirs = augmented("RandomErasing", np.ones((20, 16, 16, 1)), factor=(1, 1), scale=(1, 1), value_range=(0, 2))
    grid = np.linspace(0, 1, 21)
    np.testing.assert_allclose(np.quantile(ours, grid), np.quantile(theirs, grid), atol=0.15)
