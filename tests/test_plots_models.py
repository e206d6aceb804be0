"""Figures of what happens inside a model: the right arrays are drawn for all layers, and the model is not changed."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn import plots
from minicnn.layers import (
    AveragePooling1D,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling1D,
    MaxPooling2D,
    ReLU,
    Softmax,
)

pytest.importorskip("matplotlib")

NAMES = ["cat", "dog", "mouse"]


def compiled(*layers, loss="sparse_categorical_crossentropy"):
    model = minicnn.Sequential(layers)
    model.compile("sgd", loss)
    return model


@pytest.fixture
def model():
    minicnn.set_random_seed(3)
    return compiled(
        *(minicnn.Input((8, 6, 1)), Conv2D(5, 3, activation="relu", name="first"), MaxPooling2D(2)),
        *(Conv2D(18, 2, padding="same", name="second"), BatchNormalization(), ReLU(name="relu")),
        *(Flatten(), Dropout(0.5), Dense(3, activation="softmax", name="last")),
    )


@pytest.fixture
def batch():
    return np.random.default_rng(0).random((3, 8, 6, 1)), np.array([2, 0, 1])


def drawn(axes):
    (picture,) = axes.images
    return np.ma.filled(np.ma.masked_invalid(picture.get_array()), np.nan)


def test_kernels_of_one_channel_are_a_square_of_tiles(model):
    picture = drawn(plots.plot_kernels(model, "first").axes[0])
    kernel = model.layers[0].kernel.value
    assert picture.shape == (2 * 4 - 1, 3 * 4 - 1)  # five tiles of 3 × 3 in two rows of three, a gap of 1 between them
    for filter_, (row, column) in enumerate([(0, 0), (0, 4), (0, 8), (4, 0), (4, 4)]):
        np.testing.assert_array_equal(picture[row : row + 3, column : column + 3], kernel[:, :, 0, filter_])
    assert np.isnan(picture[3]).all()
    assert np.isnan(picture[4:, 8:]).all()


def test_kernels_of_many_channels_and_filters_show_the_strongest(model):
    kernel = model.layers[2].kernel
    kernel.value[...] = 0.01
    kernel.value[:, :, 3, 17], kernel.value[:, :, :, 4] = -2, 0
    axes = plots.plot_kernels(model, "second").axes[0]
    picture = drawn(axes)
    assert picture.shape == (5 * 3 - 1, 16 * 3 - 1)  # channels downwards, filters across
    np.testing.assert_array_equal(picture[9:11, 45:47], np.full((2, 2), -2, "float32"))
    assert (picture != 0).all()
    words = axes.get_title().replace("\n", " ")
    assert words == "2 × 2, 5 input channels (downwards) × the strongest 16 of 18 filters (across)"


def test_kernels_of_dense_and_conv1d():
    model = compiled(minicnn.Input((7, 4)), Conv1D(2, 3), Flatten(), Dense(3))
    np.testing.assert_array_equal(drawn(plots.plot_kernels(model, -1).axes[0]), model.layers[2].kernel.value)
    picture, kernel = drawn(plots.plot_kernels(model, model.layers[0]).axes[0]), model.layers[0].kernel.value
    np.testing.assert_array_equal(picture[:, :4], kernel[:, :, 0])
    np.testing.assert_array_equal(picture[:, 5:], kernel[:, :, 1])


def test_activations_are_the_layers_outputs_in_inference(model, batch):
    x, _ = batch
    figure = plots.plot_activations(model, x, "last")
    expected = model.predict(x)
    for panel, output in zip(figure.axes[3:6], expected, strict=True):
        np.testing.assert_allclose(drawn(panel).ravel(), output, rtol=1e-5)
    for panel, image in zip(figure.axes[:3], x, strict=True):
        np.testing.assert_allclose(np.squeeze(drawn(panel)), image[:, :, 0], rtol=1e-6)


def test_all_panels_of_activations_have_one_scale_and_the_same_channels(model, batch):
    figure = plots.plot_activations(model, batch[0], "relu")
    assert len({panel.images[0].get_clim() for panel in figure.axes[3:6]}) == 1
    outputs = minicnn.Sequential(model.layers[:5]).predict(batch[0])
    strongest = np.sort(outputs.sum(axis=(0, 1, 2)).argsort()[-16:])
    tile = drawn(figure.axes[4])[: outputs.shape[1], : outputs.shape[2]]
    np.testing.assert_allclose(tile, outputs[1, :, :, strongest[0]], rtol=1e-5)


def losses(model, x, y):
    """Each sample's own loss, from the probabilities."""
    return -np.log(model.predict(x)[np.arange(len(y)), y])


def test_gradients_of_the_last_output_are_p_minus_y(model, batch):
    x, y = batch
    figure = plots.plot_gradients(model, x, y, "last")
    expected = model.predict(x) - np.eye(3)[y]
    for panel, gradient in zip(figure.axes[3:6], expected, strict=True):
        np.testing.assert_allclose(drawn(panel).ravel(), gradient, atol=1e-5)


def test_gradients_of_an_output_are_the_derivatives_of_each_samples_loss():
    """A dense layer's output, moved through the bias of one unit."""
    model = compiled(*(minicnn.Input((4,)), Dense(5, dtype="float64"), Dense(3, activation="softmax", dtype="float64")))
    x, y = np.random.default_rng(1).random((2, 4)), np.array([1, 2])
    figure = plots.plot_gradients(model, x, y, 0)
    found = np.stack([drawn(panel).ravel()[:5] for panel in figure.axes[2:4]])
    bias = model.layers[0].bias.value
    for unit in range(5):
        bias[unit] += 1e-6
        above = losses(model, x, y)
        bias[unit] -= 2e-6
        below = losses(model, x, y)
        bias[unit] += 1e-6
        np.testing.assert_allclose(found[:, unit], (above - below) / 2e-6, rtol=1e-6)


def test_gradients_of_a_kernel_are_those_of_the_mean_loss(model, batch):
    x, y = batch
    picture = drawn(plots.plot_gradients(model, x, y, "last", of="kernel").axes[0])
    kernel = model.layers[-1].kernel.value
    for index in ((0, 0), (5, 2)):
        kernel[index] += 1e-2
        above = losses(model, x, y).mean()
        kernel[index] -= 2e-2
        below = losses(model, x, y).mean()
        kernel[index] += 1e-2
        assert picture[index] == pytest.approx((above - below) / 2e-2, abs=2e-4)


def test_gradients_of_a_model_without_softmax_are_its_losss():
    model = compiled(minicnn.Input((4,)), Dense(2), loss="mse")
    x, y = np.ones((2, 4)), np.array([[1.0, 2], [3, 4]])
    figure = plots.plot_gradients(model, x, y, 0)
    expected = model.predict(x) - y  # d/dy of the mean of two squares
    for panel, gradient in zip(figure.axes[2:4], expected, strict=True):
        np.testing.assert_allclose(drawn(panel).ravel(), gradient, rtol=1e-5)


def test_flow_has_a_column_for_each_kernel_and_bars_for_the_outputs(model, batch):
    x, y = batch[0][:1], batch[1][:1]
    figure = plots.plot_flow(model, x, y, NAMES)
    assert len(figure.axes) == 2 * 4
    forward, backward = figure.axes[6:8]
    p = model.predict(x)[0]
    np.testing.assert_allclose([bar.get_width() for bar in forward.patches], p, rtol=1e-5)
    np.testing.assert_allclose([bar.get_width() for bar in backward.patches], p - np.eye(3)[2], rtol=1e-4)
    assert [label.get_text() for label in forward.get_yticklabels()] == NAMES
    words = [text.get_text().replace("\n", " ") for text in figure.texts]
    for heading in ("sample", "convolution", "max pooling, convolution, batch norm, ReLU", "dense: p", "p − y"):
        assert heading in words
    assert "18 maps of 3 × 2 (the strongest 16)" in words


FLOWS = {
    "one Dense": ((5,), [Dense(3, activation="softmax")], 2),
    "no Dense": ((6, 5, 2), [Conv2D(3, 2), GlobalAveragePooling2D(), Softmax()], 3),
    "Conv1D": (
        (9, 4),
        [Conv1D(6, 2, activation="relu"), MaxPooling1D(2), Dropout(0.2), BatchNormalization()]
        + [Conv1D(5, 2), AveragePooling1D(2), Flatten(), Dense(3), Softmax()],
        4,
    ),
    "colour": ((6, 5, 3), [Conv2D(20, 3), ReLU(), Flatten(), Dense(4, activation="tanh"), Dense(3)], 4),
    "many outputs": ((6, 5, 1), [Conv2D(4, 2), Flatten(), Dense(40)], 3),
    "maps at the end": ((6, 5, 1), [Conv2D(4, 2), MaxPooling2D(2)], 3),
}


@pytest.mark.parametrize("style", ["light", "dark"])
@pytest.mark.parametrize("case", FLOWS)
def test_flow_takes_any_sequential(case, style, tmp_path):
    shape, layers, columns = FLOWS[case]
    model = compiled(minicnn.Input(shape), *layers, loss="mse" if case != "Conv1D" else "categorical_crossentropy")
    x = np.random.default_rng(0).random((1, *shape))
    target = np.eye(3)[[1]] if model.output_shape == (None, 3) else np.zeros((1, *model.output_shape[1:]))
    figure = plots.plot_flow(model, x, target, style=style)
    assert len(figure.axes) == 2 * columns
    assert plots.save_figure(figure, tmp_path / "flow.png").stat().st_size > 0


def state(model):
    arrays = [array.copy() for array in model.get_weights()]
    grads = [None if weight.grad is None else weight.grad.copy() for weight in model.weights]
    return arrays, grads, [layer.get_state() for layer in model.layers], [layer.saved for layer in model.layers]


@pytest.mark.parametrize(
    "draw",
    [
        lambda model, x, y: plots.plot_kernels(model, 0),
        lambda model, x, y: plots.plot_activations(model, x, 1),
        lambda model, x, y: plots.plot_gradients(model, x, y, 0),
        lambda model, x, y: plots.plot_flow(model, x[:1], y[:1]),
    ],
    ids=["kernels", "activations", "gradients", "flow"],
)
def test_the_model_is_not_changed(model, batch, draw):
    """Also between a forward and its backward."""
    x, y = batch
    model.train_on_batch(x, y)
    reference = model.forward(x, training=True)
    before, loss = state(model), model.loss
    draw(model, x, y)
    arrays, grads, states, saved = state(model)
    for found, expected in zip([*arrays, *grads], [*before[0], *before[1]], strict=True):
        np.testing.assert_array_equal(found, expected)
    assert states == before[2]
    assert all(found is expected for found, expected in zip(saved, before[3], strict=True))
    assert model.loss is loss
    assert model.backward(np.ones_like(reference)) is not None


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (
            lambda m, x, y: plots.plot_kernels([], 0),
            TypeError,
            "plot_kernels: model: expected a Sequential, found",
        ),
        (
            lambda m, x, y: plots.plot_kernels(m, "firts"),
            ValueError,
            "name of a layer, found 'firts'. Did you mean 'first'",
        ),
        (lambda m, x, y: plots.plot_kernels(m, 9), ValueError, "index"),
        (lambda m, x, y: plots.plot_kernels(m, Flatten()), ValueError, "a layer of the model"),
        (lambda m, x, y: plots.plot_kernels(m, 1), ValueError, "max_pooling2d.*expected a layer with a kernel"),
        (lambda m, x, y: plots.plot_activations(m, x[0], 0), ValueError, "expected input of shape"),
        (
            lambda m, x, y: plots.plot_activations(m, x[:0], 0),
            ValueError,
            r"1 to 16 samples, found .*\(0, 8, 6, 1\)",
        ),
        (lambda m, x, y: plots.plot_activations(m, x * np.nan, 0), ValueError, "finite x"),
        (lambda m, x, y: plots.plot_gradients(m, x, y, 1, of="kernel"), ValueError, "a layer with a kernel"),
        (lambda m, x, y: plots.plot_gradients(m, x, y, 1, of="kernels"), ValueError, "Did you mean 'kernel'"),
        (lambda m, x, y: plots.plot_gradients(m, x, y[:2], 1), ValueError, "3"),
        (lambda m, x, y: plots.plot_flow(m, x, y), ValueError, r"one sample.*found 3 samples. Take x\[:1\]"),
        (
            lambda m, x, y: plots.plot_flow(m, x[:1], y[:1], ["cat"]),
            ValueError,
            "class_names: expected 3 names",
        ),
        (
            lambda m, x, y: plots.plot_flow(m, x[:1], y[:1], style="grey"),
            ValueError,
            '"light" or "dark", found',
        ),
    ],
)
def test_wrong_arguments_are_named(model, batch, draw, error, message):
    with pytest.raises(error, match=message):
        draw(model, *batch)


def test_a_model_with_a_forward_of_its_own_is_refused():
    class Twice(minicnn.Sequential):
        def forward(self, x, training=False):
            return super().forward(super().forward(x, training), training)

    with pytest.raises(TypeError, match="plot_activations: model: expected a model with Sequential's forward"):
        plots.plot_activations(Twice([minicnn.Input((2,)), Dense(2)]), np.ones((1, 2)), 0)


def test_gradients_need_a_loss(model, batch):
    bare = minicnn.Sequential(model.layers)
    plots.plot_activations(bare, batch[0], 0)
    with pytest.raises(RuntimeError, match="compile"):
        plots.plot_gradients(bare, *batch, 0)
