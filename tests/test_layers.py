"""Layers against answers calculated by hand, and their errors for wrong arguments and inputs."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import minicnn
from minicnn.layers import (
    CLASSES,
    Activation,
    AveragePooling1D,
    AveragePooling2D,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling1D,
    MaxPooling2D,
    ReLU,
    Softmax,
)


def f32(values):
    return np.array(values, np.float32)


def image(rows):
    """One sample with one channel."""
    return f32(rows)[None, :, :, None]


def conv_with(kernel, bias=0.0, **options):
    kernel = f32(kernel)
    layer = Conv2D(1, kernel.shape, **options)
    layer.ensure_built((None, 3, 3, 1))
    layer.set_weights([kernel[:, :, None, None], [bias]])
    return layer


class TestByHand:
    def test_convolution_slides_the_kernel_without_turning_it(self, backend):
        y = conv_with([[1, 0], [0, 2]], bias=10).forward(image([[1, 2, 3], [4, 5, 6], [7, 8, 9]]))
        np.testing.assert_array_equal(y[0, :, :, 0], [[1 + 10 + 10, 2 + 12 + 10], [4 + 16 + 10, 5 + 18 + 10]])

    def test_same_padding_puts_the_odd_pixel_at_the_end(self, backend):
        y = conv_with([[1, 2]], padding="same").forward(image([[1, 2, 3]]))
        np.testing.assert_array_equal(y[0, 0, :, 0], [1 + 4, 2 + 6, 3 + 0])

    def test_convolution_backward(self, backend):
        x = image([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
        layer = conv_with([[1, 0], [0, 2]])
        layer.forward(x)
        dx = layer.backward(image([[1, 2], [3, 4]]))
        np.testing.assert_array_equal(dx[0, :, :, 0], [[1, 2, 0], [3, 4 + 2, 4], [0, 6, 8]])
        dkernel = [[1 + 4 + 12 + 20, 2 + 6 + 15 + 24], [4 + 10 + 21 + 32, 5 + 12 + 24 + 36]]
        np.testing.assert_array_equal(layer.kernel.grad[:, :, 0, 0], dkernel)
        np.testing.assert_array_equal(layer.bias.grad, [10])

    def test_convolution_in_one_dimension_is_one_of_height_one(self, backend):
        layer = Conv1D(1, 2)
        layer.ensure_built((None, 4, 1))
        layer.set_weights([f32([1, -1])[:, None, None], [0]])
        np.testing.assert_array_equal(layer.forward(f32([5, 3, 3, 9])[None, :, None])[0, :, 0], [2, 0, -6])

    def test_max_pooling_with_overlapping_windows_adds_up_gradients(self, backend):
        layer = MaxPooling1D(2, strides=1)
        y = layer.forward(f32([1, 7, 3, 7])[None, :, None])
        np.testing.assert_array_equal(y[0, :, 0], [7, 7, 7])
        dx = layer.backward(f32([1, 10, 100])[None, :, None])
        np.testing.assert_array_equal(dx[0, :, 0], [0, 11, 0, 100])

    def test_max_pooling_gives_a_tie_to_the_first(self, backend):
        layer = MaxPooling2D(2)
        layer.forward(image([[4, 4], [4, 4]]))
        np.testing.assert_array_equal(layer.backward(image([[1]]))[0, :, :, 0], [[1, 0], [0, 0]])

    def test_max_pooling_of_negative_numbers_never_sees_the_padding(self, backend):
        y = MaxPooling1D(3, strides=1, padding="same").forward(f32([-3, -2, -5])[None, :, None])
        np.testing.assert_array_equal(y[0, :, 0], [-2, -2, -2])

    def test_average_pooling_does_not_count_the_padding(self, backend):
        layer = AveragePooling1D(2, strides=2, padding="same")
        np.testing.assert_array_equal(layer.forward(f32([1, 3, 8])[None, :, None])[0, :, 0], [2, 8])
        np.testing.assert_array_equal(layer.backward(f32([2, 5])[None, :, None])[0, :, 0], [1, 1, 5])

    def test_average_pooling_in_two_dimensions(self, backend):
        y = AveragePooling2D(2, strides=1).forward(image([[0, 4, 8], [4, 0, 0]]))
        np.testing.assert_array_equal(y[0, :, :, 0], [[2, 3]])

    def test_global_average_pooling(self, backend):
        x = f32([[[[1, 10], [2, 20]], [[3, 30], [6, 60]]]])
        np.testing.assert_array_equal(GlobalAveragePooling2D().forward(x), [[3, 30]])
        assert GlobalAveragePooling2D(keepdims=True).forward(x).shape == (1, 1, 1, 2)

    def test_dense(self, backend):
        layer = Dense(2)
        layer.ensure_built((None, 3))
        layer.set_weights([[[1, 0], [0, 1], [2, 2]], [0, 5]])
        np.testing.assert_array_equal(layer.forward(f32([[1, 2, 3]])), [[7, 13]])
        np.testing.assert_array_equal(layer.backward(f32([[1, 10]])), [[1, 10, 22]])
        np.testing.assert_array_equal(layer.kernel.grad, [[1, 10], [2, 20], [3, 30]])

    def test_batch_normalisation_and_its_moving_statistics(self, backend):
        layer = BatchNormalization(momentum=0.75, epsilon=0.0)
        y = layer.forward(f32([[1], [3]]), training=True)
        np.testing.assert_allclose(y, [[-1], [1]])
        np.testing.assert_allclose(layer.moving_mean.value, [0.5])  # 0.75 · 0 + 0.25 · 2
        np.testing.assert_allclose(layer.moving_variance.value, [1.0])  # 0.75 · 1 + 0.25 · 1, the biased variance
        np.testing.assert_allclose(layer.forward(f32([[2.5]])), [[2.0]])  # (2.5 − 0.5) / 1
        np.testing.assert_allclose(layer.moving_mean.value, [0.5])

    def test_softmax_sums_to_one_and_does_not_overflow(self, backend):
        y = Softmax().forward(f32([[1000, 1000, 1000 - 1e4], [-1e4, 0, -1e4]]))
        np.testing.assert_allclose(y, [[0.5, 0.5, 0], [0, 1, 0]])

    def test_softmax_along_another_axis(self, backend):
        x = f32([[[0, 1], [0, 5]]])
        np.testing.assert_allclose(Softmax(axis=1).forward(x).sum(axis=1), [[1, 1]], rtol=1e-6)

    def test_general_relu(self, backend):
        layer = ReLU(max_value=6, negative_slope=0.5, threshold=1)
        np.testing.assert_array_equal(layer.forward(f32([[-3, 0.5, 1, 4, 6, 9]])), [[-2, -0.25, 0, 4, 6, 6]])
        np.testing.assert_array_equal(layer.backward(f32([[1, 1, 1, 1, 1, 1]])), [[0.5, 0.5, 0.5, 1, 0, 0]])

    def test_flatten_keeps_keras_order(self, backend):
        layer = Flatten()
        np.testing.assert_array_equal(layer.forward(f32([[[1, 2], [3, 4]]])), [[1, 2, 3, 4]])
        np.testing.assert_array_equal(layer.backward(f32([[1, 2, 3, 4]])), [[[1, 2], [3, 4]]])


class TestDropout:
    def test_scales_what_it_keeps_and_sends_gradients_the_same_way(self, backend):
        layer = Dropout(0.25, seed=3)
        x = np.ones((50, 40), np.float32)
        y = layer.forward(x, training=True)
        np.testing.assert_array_equal(np.unique(y), f32([0, 1 / 0.75]))
        assert abs((y == 0).mean() - 0.25) < 0.05  # 2000 draws: five standard deviations
        np.testing.assert_array_equal(layer.backward(x), y)

    def test_is_off_outside_training_and_at_rate_zero(self, backend):
        x = np.ones((4, 5), np.float32)
        for layer, training in ((Dropout(0.5), False), (Dropout(0.0), True)):
            np.testing.assert_array_equal(layer.forward(x, training), x)
            np.testing.assert_array_equal(layer.backward(x), x)

    def test_draws_a_new_mask_each_time_and_repeats_from_its_seed(self, backend):
        x = np.ones((20, 20), np.float32)
        first, second = Dropout(0.5, seed=9), Dropout(0.5, seed=9)
        masks = [first.forward(x, training=True) for _ in range(2)]
        assert (masks[0] != masks[1]).any()
        np.testing.assert_array_equal(second.forward(x, training=True), masks[0])

    def test_masks_of_successive_calls_are_independent(self, backend):
        layer = Dropout(0.5, seed=1)
        x = np.ones(10_000, np.float32)[None]
        a, b = (layer.forward(x, training=True) > 0 for _ in range(2))
        assert abs((a == b).mean() - 0.5) < 0.025  # five standard deviations


class TestErrors:
    """Each says which layer, what was expected, what was found, and what to do."""

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (lambda: Conv2D(0, 3), ["Conv2D", "filters", "0"]),
            (lambda: Conv2D(8, (3, 3, 3)), ["kernel_size", "2 of them"]),
            (lambda: Conv2D(8, 3, padding="sane"), ["padding", "'sane'", "Did you mean 'same'"]),
            (lambda: Conv2D(8, 3, activation="rely"), ["activation", "Did you mean 'relu'"]),
            (lambda: Conv2D(8, 3, strides=0), ["strides", "positive"]),
            (lambda: MaxPooling1D(-2), ["pool_size", "-2"]),
            (lambda: Dense("ten"), ["units", "'ten'"]),
            (lambda: Dropout(1.0), ["rate", "1.0"]),
            (lambda: Dropout(float("nan")), ["rate", "nan"]),
            (lambda: Activation("swish"), ["swish", "Known: linear, relu"]),
            (lambda: BatchNormalization(epsilon=-1), ["epsilon", "-1"]),
            (lambda: Dense(3, kernel_initializer="glorot").ensure_built((None, 2)), ["glorot_uniform"]),
            (lambda: Dense(3, dtype="float16"), ["float16", "float32"]),
            (lambda: Input(28), ["Input", "28"]),
            (lambda: Softmax(axis=(1, 2)), ["axis", "(1, 2)"]),
        ],
    )
    def test_wrong_value(self, make, words):
        with pytest.raises(ValueError) as error:
            make()
        assert all(word in str(error.value) for word in words), error.value

    @pytest.mark.parametrize("name", sorted(CLASSES))
    def test_unknown_argument(self, name):
        with pytest.raises(TypeError, match=rf"{name}.*colour='red'.*Known: .*name"):
            CLASSES[name](colour="red")

    def test_misspelt_argument_gets_a_suggestion(self):
        with pytest.raises(TypeError, match="Did you mean 'filters'"):
            Conv2D(filter=3, kernel_size=3)

    def test_unknown_layer_gets_a_suggestion(self):
        with pytest.raises(AttributeError, match="Did you mean 'Conv2D'"):
            minicnn.layers.Conv3D  # noqa: B018

    def test_missing_argument(self):
        with pytest.raises(TypeError, match="Conv2D.*kernel_size"):
            Conv2D(3)

    @pytest.mark.parametrize(
        ("layer", "x", "words"),
        [
            (Conv2D(4, 3), np.ones((2, 8, 8), np.float32), ["conv2d", "4 axes", "(2, 8, 8)", "x[..., numpy.newaxis]"]),
            (Conv1D(4, 3), np.ones((2, 8), np.float32), ["conv1d", "3 axes"]),
            (Conv2D(4, 3), np.ones((2, 8, 8, 1, 1), np.float32), ["4 axes", "5 axes"]),
            (Conv2D(4, 5), np.ones((2, 8, 4, 1), np.float32), ["window, (5, 5)", "(8, 4)", "same"]),
            (MaxPooling2D(3), np.ones((2, 2, 8, 1), np.float32), ["window, (3, 3)"]),
            (Dense(4), np.ones(3, np.float32), ["2 axes"]),
            (Flatten(), np.ones((0, 3), np.float32), ["at least one sample", "empty"]),
            (Softmax(axis=4), np.ones((2, 3), np.float32), ["axis=4"]),
            (BatchNormalization(axis=0), np.ones((2, 3), np.float32), ["axis=0"]),
        ],
    )
    def test_input_that_does_not_fit(self, backend, layer, x, words):
        with pytest.raises(ValueError) as error:
            layer.forward(x)
        assert all(word in str(error.value) for word in words), error.value

    @pytest.mark.parametrize(
        ("layer", "name", "value"),
        [
            (Dropout(0.5), "rate", np.nan),
            (Dropout(0.5), "rate", -0.5),
            (Dropout(0.5), "rate", 1),
            (Conv2D(4, 3), "padding", "sane"),
            (Conv2D(4, 3), "strides", (0, 1)),
            (Conv2D(4, 3), "activation", "rely"),
            (MaxPooling2D(2), "window", (0, 2)),
            (BatchNormalization(), "epsilon", -1.0),
            (ReLU(), "negative_slope", np.nan),
        ],
    )
    def test_a_changed_attribute_is_checked_in_the_next_forward(self, backend, layer, name, value):
        layer, x = copy.deepcopy(layer), np.ones((2, 6, 5, 3), np.float32)
        layer.forward(x, training=True)
        setattr(layer, name, value)
        with pytest.raises((ValueError, TypeError), match=f"{name}|pool_size.*expected .* found"):
            layer.forward(x, training=True)

    def test_other_channels_than_built_for(self, backend):
        layer = Conv2D(4, 3)
        layer.forward(np.ones((1, 8, 8, 3), np.float32))
        with pytest.raises(ValueError, match="3 channels on axis -1.*shape \\(1, 8, 8, 1\\)"):
            layer.forward(np.ones((1, 8, 8, 1), np.float32))

    def test_mixed_dtypes(self, backend):
        layer = Dense(3)
        with pytest.raises(TypeError, match='float32.*float64.*astype\\("float32"\\)'):
            layer.forward(np.ones((2, 3)))
        layer.forward(np.ones((2, 3), np.float32))
        with pytest.raises(TypeError, match="dy of dtype float32, found float64"):
            layer.backward(np.ones((2, 3)))

    def test_a_list_is_an_array_of_float64(self):
        with pytest.raises(TypeError, match="input of dtype float32, found float64"):
            Dense(3).forward([[1.0, 2.0]])

    def test_backward_before_forward(self):
        with pytest.raises(RuntimeError, match="needs a forward before it"):
            Dense(3).backward(np.ones((2, 3), np.float32))

    def test_gradient_of_another_shape(self, backend):
        layer = Dense(3)
        layer.forward(np.ones((2, 4), np.float32))
        with pytest.raises(ValueError, match="shape \\(2, 3\\), found dy of shape \\(2, 4\\)"):
            layer.backward(np.ones((2, 4), np.float32))

    def test_weights_of_another_shape_change_nothing(self, backend):
        layer = Dense(3)
        layer.forward(np.ones((2, 4), np.float32))
        before = layer.get_weights()
        with pytest.raises(ValueError, match="dense/bias.*shape \\(3,\\).*shape \\(4,\\)"):
            layer.set_weights([np.zeros((4, 3)), np.zeros(4)])
        np.testing.assert_array_equal(layer.get_weights()[0], before[0])


def test_get_weights_returns_copies(backend):
    layer = Dense(2)
    layer.forward(np.ones((1, 2), np.float32))
    layer.get_weights()[0][:] = 99
    assert (layer.get_weights()[0] != 99).all()


@pytest.mark.usefixtures("needs_numba")
def test_the_backward_belongs_to_the_backend_of_the_forward(backend):
    layer, x = Conv2D(2, 3, dtype="float64"), np.random.default_rng(0).normal(size=(2, 5, 6, 3))
    y = layer.forward(x)
    expected = layer.backward(y)
    layer.forward(x)
    with minicnn.use_backend("numba" if backend == "numpy" else "numpy"):
        np.testing.assert_array_equal(layer.backward(y), expected)
