"""Inputs of unknown lengths: shapes with None through all layers, and errors where a length has to be known."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn import Input, Model, Sequential, load_model
from minicnn.gradcheck import check_model
from minicnn.layers import (
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv2D,
    Cropping2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    Layer,
    MaxPooling2D,
    ReLU,
    Reshape,
    SeparableConv2D,
    UpSampling2D,
    ZeroPadding2D,
)

rng = np.random.default_rng(0)


def fully_convolutional():
    """A residual network whose output has two thirds of the input's height and width."""
    inputs = Input((None, None, 2))
    x = BatchNormalization()(Conv2D(4, 3, padding="same", activation="relu")(inputs))
    x = Add()([x, SeparableConv2D(4, 3, padding="same")(x)])
    x = MaxPooling2D(2)(x)
    return Model(inputs, Concatenate()([x, Conv2D(3, 1)(x)]))


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([Conv2D(5, 3)], (None, None, None, 5)),
        ([Conv2D(5, 3, strides=2), ReLU(), AveragePooling2D(2), UpSampling2D(2)], (None, None, None, 5)),
        ([ZeroPadding2D(1), Cropping2D(1), BatchNormalization(), Dense(7)], (None, None, None, 7)),
        ([Conv2D(5, 3), GlobalAveragePooling2D(), Dense(4)], (None, 4)),
        ([GlobalAveragePooling2D(keepdims=True)], (None, 1, 1, 2)),
        ([Flatten()], (None, None)),
        ([Reshape((-1, 2))], (None, None, 2)),
    ],
)
def test_shapes_before_any_batch(layers, shape):
    model = Sequential([Input((None, None, 2)), *layers])
    assert model.built
    assert model.output_shape == shape
    value = Input((None, None, 2))
    for layer in layers:
        value = layer(value)
    assert value.shape == shape


def test_one_unknown_axis():
    model = Sequential([Input((None, 8, 2)), Conv2D(3, 3), MaxPooling2D(2)])
    assert model.output_shape == (None, None, 3, 3)
    sequence = Input((None, 4))
    assert Conv1D(3, 2)(sequence).shape == (None, None, 3)
    assert GlobalMaxPooling1D()(Conv1D(3, 2)(sequence)).shape == (None, 3)


def test_predictions_for_images_of_several_sizes(backend):
    model = fully_convolutional()
    for height, width in ((6, 5), (4, 8), (6, 5)):
        x = rng.normal(size=(3, height, width, 2)).astype("float32")
        y = model.predict(x)
        assert y.shape == (3, height // 2, width // 2, 7)
        fixed = Input((height, width, 2))
        np.testing.assert_array_equal(y, Model(fixed, model(fixed)).predict(x))


def test_gradients(backend):
    model = fully_convolutional()
    model.compile("sgd", "mse")
    x = rng.normal(size=(3, 4, 6, 2))
    check_model(model, x, rng.normal(size=(3, 2, 3, 7)), samples=5).raise_if_wrong()


def test_training_on_images_of_several_sizes(backend):
    inputs = Input((None, None, 2))
    model = Model(inputs, Dense(3, activation="softmax")(GlobalAveragePooling2D()(Conv2D(4, 3)(inputs))))
    model.compile("adam", "sparse_categorical_crossentropy")
    batches = [(rng.normal(size=(8, side, side + 1, 2)), np.arange(8) % 3) for side in (4, 5, 6)]
    losses = model.fit(batches, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("suffix", ["safetensors", "keras"])
def test_files(suffix, tmp_path):
    if suffix == "keras":
        pytest.importorskip("h5py", reason="h5py is not installed")
    model = fully_convolutional()
    model.save(tmp_path / f"model.{suffix}")
    twin = load_model(tmp_path / f"model.{suffix}")
    assert twin.input_shape == (None, None, None, 2)
    assert twin.output_shape == (None, None, None, 7)
    x = rng.normal(size=(2, 6, 5, 2))
    np.testing.assert_array_equal(twin.predict(x), model.predict(x))


def test_the_summary_shows_unknown_lengths(tmp_path):
    lines: list[str] = []
    model = fully_convolutional()
    model.summary(print_fn=lines.append)
    assert "(None, None, None, 4)" in lines[0]
    assert "output (N, ?, ?, 4)" in minicnn.utils.plot_model(model, tmp_path / "model.svg").read_text()


# errors


class OfItsSize(Layer):
    """A layer with a weight for each pixel."""

    def build(self, input_shape):
        self.factors = self.add_weight("factors", input_shape[1:])


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([Flatten(), Dense(3)], r"kernel: expected a shape without None, found \(None, 3\).*GlobalAveragePooling2D"),
        ([OfItsSize()], r"factors: expected a shape without None, found \(None, None, 2\)"),
        ([Reshape((5, 4))], r"inputs that fit \(5, 4\).*stand for the unknown lengths of \(None, None, None, 2\)"),
        ([MaxPooling2D(3000)], "window.*stand for the unknown lengths"),
    ],
)
def test_a_length_that_has_to_be_known(layers, words):
    with pytest.raises(ValueError, match=words):
        Sequential([Input((None, None, 2)), *layers])


def test_unknown_channels_are_refused():
    with pytest.raises(ValueError, match=r"known lengths for weights, found \(1, 8, 8, None\)"):
        Conv2D(4, 3)(Input((8, 8, None)))


def test_samples_of_another_number_of_channels():
    with pytest.raises(ValueError, match=r"shape \(batch, any, any, 2\), found shape \(1, 4, 4, 3\)"):
        fully_convolutional().predict(np.zeros((1, 4, 4, 3)))
