"""ONNX files: onnx.checker accepts them, and onnxruntime predicts the same as minicnn."""

from __future__ import annotations

import contextlib
import importlib.util
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import minicnn
from minicnn import Input, Sequential, layers
from minicnn.exchange.onnx.layers import EXPORTERS

if not all(map(importlib.util.find_spec, ("onnx", "onnxruntime"))):
    pytest.skip("onnx and onnxruntime are not installed", allow_module_level=True)

import onnx
import onnxruntime

EXAMPLES = Path(__file__).parent.parent / "examples"
RNG = np.random.default_rng(0)


def session(model, path):
    """The exported model in onnxruntime; onnx.checker has accepted it."""
    minicnn.export_onnx(model, path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def assert_same_predictions(model, path, x):
    expected = model.predict(x)
    y = session(model, path).run(["output"], {"input": x.astype("float32")})[0]
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5 * max(1, abs(expected).max()))


def with_random_weights(model, rng=RNG):
    """Random weights, so that no bias and no moving mean is zero; variances are positive."""
    model.set_weights([abs(rng.normal(size=weight.shape)) + 0.1 for weight in model.get_weights()])
    return model


IMAGES, SEQUENCES, VECTORS = (7, 6, 3), (9, 3), (5,)

CASES = [
    (layers.Activation("linear"), IMAGES),
    *((layers.Activation(name), IMAGES) for name in ("relu", "sigmoid", "tanh", "softmax")),
    (layers.AveragePooling1D(3, 2, "same"), SEQUENCES),
    (layers.AveragePooling2D((3, 2), (2, 3), "same"), IMAGES),
    (layers.AveragePooling2D(2), IMAGES),
    (layers.BatchNormalization(epsilon=0.01), VECTORS),
    (layers.BatchNormalization(), SEQUENCES),
    (layers.BatchNormalization(center=False, scale=False), IMAGES),
    (layers.BatchNormalization(axis=1), IMAGES),
    (layers.BatchNormalization(axis=2), IMAGES),
    (layers.Conv1D(4, 3, 2, "same", activation="tanh"), SEQUENCES),
    (layers.Conv1D(4, 2, use_bias=False), SEQUENCES),
    (layers.Conv2D(4, (3, 2), (2, 1), "same", activation="softmax"), IMAGES),
    (layers.Conv2D(4, (2, 3), 3, activation="relu"), IMAGES),
    (layers.Conv2D(4, 1, 3, "same"), IMAGES),
    (layers.Dense(4), IMAGES),
    (layers.Dense(4, "softmax", use_bias=False), IMAGES),
    (layers.Dense(4, "sigmoid"), VECTORS),
    (layers.Dense(4, use_bias=False), VECTORS),
    *((layers.Dense(3, name), VECTORS) for name in ("leaky_relu", "elu", "selu", "gelu", "silu", "softplus")),
    (layers.Activation("gelu"), IMAGES),
    (layers.Conv1D(4, 2, padding="same", dilation_rate=2, activation="silu"), SEQUENCES),
    (layers.Conv2D(6, (2, 3), padding="same", dilation_rate=(2, 1), groups=3), IMAGES),
    (layers.Conv2D(4, 2, dilation_rate=2, activation="elu"), IMAGES),
    (layers.Cropping1D((1, 2)), SEQUENCES),
    (layers.Cropping2D(((1, 0), (2, 1))), IMAGES),
    (layers.DepthwiseConv2D(2, 2, "same", depth_multiplier=2, activation="tanh"), IMAGES),
    (layers.DepthwiseConv2D(2, dilation_rate=2, use_bias=False), IMAGES),
    (layers.ELU(0.7), IMAGES),
    (layers.GaussianNoise(0.5), VECTORS),
    (layers.GlobalAveragePooling1D(), SEQUENCES),
    (layers.GlobalMaxPooling1D(keepdims=True), SEQUENCES),
    (layers.GlobalMaxPooling2D(), IMAGES),
    (layers.GroupNormalization(3, epsilon=0.1), IMAGES),
    (layers.GroupNormalization(-1), SEQUENCES),
    (layers.GroupNormalization(1, center=False), VECTORS),
    (layers.LayerNormalization(epsilon=0.1), IMAGES),
    (layers.LayerNormalization(scale=False), VECTORS),
    (layers.LeakyReLU(0.1), IMAGES),
    (layers.Permute((3, 1, 2)), IMAGES),
    (layers.Rescaling(1 / 255, 0.5), IMAGES),
    (layers.Reshape((6, -1)), IMAGES),
    (layers.SeparableConv2D(4, (2, 3), padding="same", depth_multiplier=2, activation="gelu"), IMAGES),
    (layers.SpatialDropout1D(0.5), SEQUENCES),
    (layers.SpatialDropout2D(0.5), IMAGES),
    (layers.UpSampling1D(3), SEQUENCES),
    (layers.UpSampling2D((2, 3)), IMAGES),
    (layers.UpSampling2D((3, 2), "bilinear"), IMAGES),
    (layers.ZeroPadding1D((1, 2)), SEQUENCES),
    (layers.ZeroPadding2D(((1, 0), (2, 1))), IMAGES),
    (layers.Dropout(0.5), VECTORS),
    (layers.Flatten(), IMAGES),
    (layers.Flatten(), VECTORS),
    (layers.GlobalAveragePooling2D(), IMAGES),
    (layers.GlobalAveragePooling2D(keepdims=True), IMAGES),
    (layers.MaxPooling1D(2), SEQUENCES),
    (layers.MaxPooling2D((3, 2), (1, 3), "same"), IMAGES),
    (layers.RandomErasing(), IMAGES),
    (layers.RandomFlip(), IMAGES),
    (layers.RandomTranslation(0.1, 0.1), IMAGES),
    (layers.ReLU(), IMAGES),
    (layers.ReLU(max_value=1.0), IMAGES),
    (layers.ReLU(negative_slope=0.2), IMAGES),
    (layers.ReLU(max_value=1.0, negative_slope=0.2, threshold=0.3), IMAGES),
    (layers.Softmax(), IMAGES),
    (layers.Softmax(axis=1), IMAGES),
]


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=lambda value: repr(value).replace("\n", " "))
def test_a_layer_between_images_and_outputs(tmp_path, layer, shape):
    model = with_random_weights(Sequential([Input(shape), type(layer)(**layer.arguments)]))
    assert_same_predictions(model, tmp_path / "model.onnx", RNG.normal(size=(3, *shape)))


JOINTS = [layers.Add(), layers.Average(), layers.Maximum(), layers.Minimum(), layers.Multiply(), layers.Subtract()]
JOINTS += [layers.Concatenate(axis) for axis in (-1, 1, 2)]


@pytest.mark.parametrize("joint", JOINTS, ids=repr)
@pytest.mark.parametrize("branches", ["convolutions", "dense layers", "one of each"])
def test_branches(tmp_path, joint, branches):
    inputs = Input(IMAGES)
    one = layers.Dense(3)(inputs) if branches == "dense layers" else layers.Conv2D(3, 1, activation="relu")(inputs)
    two = layers.Conv2D(3, 3, padding="same")(inputs) if branches == "convolutions" else layers.Dense(3)(inputs)
    values = [one, two] if isinstance(joint, layers.Subtract) else [one, two, inputs]
    joined = type(joint)(**joint.arguments)(values)
    model = with_random_weights(minicnn.Model(inputs, layers.Conv2D(2, 2)(joined)))
    assert_same_predictions(model, tmp_path / "model.onnx", RNG.normal(size=(3, *IMAGES)))


def test_every_exporter_has_a_case():
    assert {type(layer) for layer in [*JOINTS, *(layer for layer, _ in CASES)]} == set(EXPORTERS)


@pytest.mark.parametrize("name", ["baseline", *(f"model{number}" for number in range(1, 8)), "model5_residual"])
def test_the_models_of_the_examples(tmp_path, monkeypatch, name):
    monkeypatch.syspath_prepend(EXAMPLES)
    model = runpy.run_path(str(EXAMPLES / f"{name}.py"))["build_model"]()
    assert_same_predictions(model, tmp_path / "model.onnx", RNG.random((3, *model.input_shape[1:])))


names = st.sampled_from(["linear", "relu", "sigmoid", "tanh", "softmax"])
windows = st.integers(1, 3) | st.tuples(st.integers(1, 3), st.integers(1, 3))
paddings = st.sampled_from(["valid", "same"])
image_layers = st.one_of(
    st.builds(
        layers.Conv2D,
        filters=st.integers(1, 4),
        kernel_size=windows,
        strides=windows,
        padding=paddings,
        activation=names,
        use_bias=st.booleans(),
    ),
    st.builds(layers.MaxPooling2D, windows, windows, paddings),
    st.builds(layers.AveragePooling2D, windows, windows, paddings),
    st.builds(layers.BatchNormalization, axis=st.sampled_from([-1, 1, 2, 3]), epsilon=st.floats(1e-3, 1)),
    st.builds(layers.ReLU, st.none() | st.floats(0.75, 2), st.floats(0, 1), st.sampled_from([0.0, 0.5])),
    st.builds(layers.Activation, names),
    st.builds(layers.Softmax, axis=st.sampled_from([-1, 1, 2, 3])),
    st.builds(layers.Dense, units=st.integers(1, 4), activation=names, use_bias=st.booleans()),
    st.builds(layers.Dropout, st.floats(0, 0.9)),
)
heads = st.sampled_from(
    [
        list,
        lambda: [layers.Flatten(), layers.Dense(3, "softmax")],
        lambda: [layers.GlobalAveragePooling2D(), layers.BatchNormalization(), layers.Dense(2)],
    ]
)


def stack(shape, body):
    """A network of the layers that fit: windows larger than the image that is left are passed over."""
    fitting, current = [], (1, *shape)
    for layer in body:
        with contextlib.suppress(ValueError):
            current = layer.compute_output_shape(current)
            fitting.append(layer)
    return Sequential([Input(shape), *fitting])


@settings(max_examples=60, deadline=None)
@given(body=st.lists(image_layers, min_size=1, max_size=5), head=heads, seed=st.integers(0, 2**32 - 1))
def test_random_networks(tmp_path_factory, body, head, seed):
    model = stack((9, 7, 2), [*body, *head()])
    assume(model.layers)
    rng = np.random.default_rng(seed)
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    assert_same_predictions(with_random_weights(model, rng), path, rng.normal(size=(2, 9, 7, 2)))


def test_a_float64_model_becomes_float32(tmp_path):
    model = Sequential([Input((4,)), layers.Dense(3, dtype="float64")])
    assert_same_predictions(model, tmp_path / "model.onnx", RNG.normal(size=(2, 4)))


def test_images_of_any_size(tmp_path):
    model = Sequential(
        [
            Input((None, None, 2)),
            layers.Conv2D(3, 2, 2, padding="same"),
            layers.MaxPooling2D(2, padding="same"),
            layers.GlobalAveragePooling2D(),
        ]
    )
    for size in ((8, 5), (3, 9)):
        assert_same_predictions(model, tmp_path / "model.onnx", RNG.normal(size=(2, *size, 2)))
    model = Sequential([Input((None, None, 2)), layers.MaxPooling2D(1, 2, "same"), layers.GlobalAveragePooling2D()])
    model.predict(np.zeros((1, 4, 4, 2)))
    with pytest.raises(ValueError, match="Give Input a size"):
        minicnn.export_onnx(model, tmp_path / "model.onnx")


def test_names_as_netron_shows_them(tmp_path):
    model = Sequential(
        [
            Input((6, 5, 2)),
            layers.Conv2D(3, 2, activation="relu", name="first"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(4),
        ],
        name="small",
    )
    minicnn.export_onnx(model, tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx").graph
    assert graph.name == "small"
    assert [node.name for node in graph.node] == [
        "first/Transpose",
        "first/Conv",
        "first/Relu",
        "max_pooling2d/MaxPool",
        "flatten/Transpose",
        "flatten/Flatten",
        "dense/Gemm",
    ]
    assert [constant.name for constant in graph.initializer] == [
        "first/kernel",
        "first/bias",
        "dense/kernel",
        "dense/bias",
    ]
    axes = [(axis.dim_param or axis.dim_value) for axis in graph.input[0].type.tensor_type.shape.dim]
    assert (graph.input[0].name, axes) == ("input", ["batch", 6, 5, 2])


def test_several_outputs_are_named_after_their_layers(tmp_path):
    model = stack(IMAGES, [layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dropout(0.5)])
    model = minicnn.Model(model.inputs, [layer.output for layer in model.layers])
    x = RNG.normal(size=(2, *IMAGES)).astype("float32")
    found = session(model, tmp_path / "model.onnx").run(["conv2d", "flatten", "dropout"], {"input": x})
    for y, expected in zip(found, model.predict(x), strict=True):
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_several_inputs_have_their_names(tmp_path):
    images, numbers = Input(IMAGES, name="images"), Input((3,), name="numbers")
    x = layers.Concatenate()([layers.Flatten()(layers.Conv2D(4, 3)(images)), numbers])
    model = minicnn.Model([numbers, images], layers.Dense(2)(x))
    data = {"images": RNG.normal(size=(2, *IMAGES)), "numbers": RNG.normal(size=(2, 3))}
    data = {name: array.astype("float32") for name, array in data.items()}
    (found,) = session(model, tmp_path / "model.onnx").run(["output"], data)
    np.testing.assert_allclose(found, model.predict(data), rtol=1e-4, atol=1e-5)


class Doubled(layers.Dense):
    def call(self, x, training):
        return 2 * super().call(x, training)


class Residual(Sequential):
    def forward(self, x, training=False):
        return x + super().forward(x, training)


def test_what_cannot_be_exported_is_named_and_nothing_is_written(tmp_path):
    path = tmp_path / "model.onnx"
    with pytest.raises(ValueError, match=r"Doubled 'doubled': expected a layer that ONNX can express.*Conv2D, .*Dense"):
        minicnn.export_onnx(Sequential([Input((3,)), Doubled(2)]), path)
    model = Sequential([Input((3,)), layers.Dense(2)])
    model.layers[0].call = lambda x, training: x
    with pytest.raises(ValueError, match="a replaced call"):
        minicnn.export_onnx(model, path)
    with pytest.raises(ValueError, match="a forward of its own"):
        minicnn.export_onnx(Residual([Input((3,)), layers.Dense(3)]), path)
    with pytest.raises(ValueError, match="a built model"):
        minicnn.export_onnx(Sequential([layers.Dense(2)]), path)
    with pytest.raises(TypeError, match="Give the model, then the path"):
        minicnn.export_onnx(path, model)
    assert not path.exists()


def test_a_model_that_protobuf_cannot_hold(tmp_path, monkeypatch):
    model = Sequential([Input((3,)), layers.Dense(2)])
    monkeypatch.setattr(model, "count_params", lambda: 2**29)
    with pytest.raises(ValueError, match="at most 2 GiB of weights, found 2,147,483,648 bytes"):
        minicnn.export_onnx(model, tmp_path / "model.onnx")


def test_without_onnx_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'pip install "minicnn-edu\[onnx\]"'):
        minicnn.export_onnx(Sequential([Input((3,)), layers.Dense(2)]), tmp_path / "model.onnx")
