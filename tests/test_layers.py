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
    GroupNormalization,
    Input,
    LayerNormalization,
    MaxPooling1D,
    MaxPooling2D,
    Permute,
    RandomFlip,
    ReLU,
    Rescaling,
    Reshape,
    SeparableConv2D,
    Softmax,
    SpatialDropout2D,
    UpSampling2D,
    ZeroPadding2D,
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

    def test_zeros_around_an_image_and_borders_cut_off(self, backend):
        x = image([[1, 2], [3, 4]])
        layer = ZeroPadding2D(((0, 1), (1, 0)))
        np.testing.assert_array_equal(layer.forward(x)[0, :, :, 0], [[0, 1, 2], [0, 3, 4], [0, 0, 0]])
        dx = layer.backward(image([[9, 1, 2], [9, 3, 4], [9, 9, 9]]))
        np.testing.assert_array_equal(dx, x)
        layer = Cropping1D((1, 0))
        np.testing.assert_array_equal(layer.forward(f32([[[1], [2], [3]]])), [[[2], [3]]])
        np.testing.assert_array_equal(layer.backward(f32([[[5], [6]]])), [[[0], [5], [6]]])

    def test_a_repeated_pixel_gets_the_sum_of_its_block(self, backend):
        layer = UpSampling2D((1, 2))
        np.testing.assert_array_equal(layer.forward(image([[1, 2], [3, 4]]))[0, :, :, 0], [[1, 1, 2, 2], [3, 3, 4, 4]])
        dx = layer.backward(image([[1, 10, 2, 20], [3, 30, 4, 40]]))
        np.testing.assert_array_equal(dx[0, :, :, 0], [[11, 22], [33, 44]])

    def test_bilinear_pixels_are_means_of_their_neighbours(self, backend):
        layer = UpSampling2D((1, 2), interpolation="bilinear")
        np.testing.assert_array_equal(layer.forward(image([[0, 4], [8, 8]]))[0, :, :, 0], [[0, 1, 3, 4], [8] * 4])
        dx = layer.backward(image([[1, 10, 2, 20], [0, 4, 0, 0]]))  # the weights of a row: 1 0, ¾ ¼, ¼ ¾, 0 1
        np.testing.assert_array_equal(dx[0, :, :, 0], [[1 + 7.5 + 0.5, 2.5 + 1.5 + 20], [3, 1]])

    def test_global_pooling_of_a_sequence(self, backend):
        x = f32([[[1, 10], [5, 20], [3, 60]]])
        np.testing.assert_array_equal(GlobalMaxPooling1D().forward(x), [[5, 60]])
        np.testing.assert_array_equal(GlobalAveragePooling1D(keepdims=True).forward(x), [[[3, 30]]])

    def test_reshape_and_permute(self, backend):
        x = f32([[[1, 2, 3], [4, 5, 6]]])
        np.testing.assert_array_equal(Reshape((-1, 2)).forward(x), [[[1, 2], [3, 4], [5, 6]]])
        layer = Permute((2, 1))
        np.testing.assert_array_equal(layer.forward(x), [[[1, 4], [2, 5], [3, 6]]])
        np.testing.assert_array_equal(layer.backward(f32([[[1, 4], [2, 5], [3, 6]]])), x)

    def test_rescaling(self, backend):
        layer = Rescaling(2, offset=-1)
        np.testing.assert_array_equal(layer.forward(f32([[0, 1]])), [[-1, 1]])
        np.testing.assert_array_equal(layer.backward(f32([[1, 10]])), [[2, 20]])

    def test_groups_and_positions_are_normalised_on_their_own(self, backend):
        x = f32([[[1, 3, 10, 30], [1, 3, 30, 10]]])
        y = GroupNormalization(2, epsilon=0.0).forward(x)
        np.testing.assert_allclose(y, [[[-1, 1, -1, 1], [-1, 1, 1, -1]]], rtol=1e-6)
        y = LayerNormalization(epsilon=0.0).forward(f32([[[1, 3], [7, 5]]]))
        np.testing.assert_allclose(y, [[[-1, 1], [1, -1]]], rtol=1e-6)

    def test_a_window_with_gaps(self, backend):
        layer = Conv1D(1, 2, dilation_rate=2)
        layer.build((None, 5, 1))
        layer.set_weights([f32([1, 10])[:, None, None], [0]])
        np.testing.assert_array_equal(layer.forward(f32([1, 2, 3, 4, 5])[None, :, None])[0, :, 0], [31, 42, 53])

    def test_groups_of_channels_see_nothing_of_each_other(self, backend):
        layer = Conv2D(2, 1, groups=2)
        layer.build((None, 1, 1, 4))
        layer.set_weights([f32([[[[1, 3], [2, 4]]]]), [0, 0]])
        np.testing.assert_array_equal(layer.forward(f32([[[[1, 10, 100, 1000]]]])), [[[[21, 4300]]]])

    def test_depthwise_and_separable_convolution(self, backend):
        x = f32([[[[1, 10], [2, 20]]]])
        layer = DepthwiseConv2D((1, 2), depth_multiplier=2)
        layer.build((None, 1, 2, 2))
        layer.set_weights([f32([[[[1, 0], [1, 1]], [[0, 1], [1, -1]]]]), [0, 0, 0, 5]])
        np.testing.assert_array_equal(layer.forward(x), [[[[1, 2, 30, 10 - 20 + 5]]]])
        layer = SeparableConv2D(1, (1, 2))
        layer.build((None, 1, 2, 2))
        layer.set_weights([np.ones((1, 2, 2, 1)), f32([[[[1], [2]]]]), [7]])
        np.testing.assert_array_equal(layer.forward(x), [[[[3 + 2 * 30 + 7]]]])

    def test_spatial_dropout_drops_whole_channels(self, backend):
        layer, x = SpatialDropout2D(0.5, seed=3), np.ones((20, 3, 4, 10), np.float32)
        y = layer.forward(x, training=True)
        assert set(np.unique(y)) == {0, 2}
        np.testing.assert_array_equal(np.ptp(y, axis=(1, 2)), 0)
        np.testing.assert_array_equal(layer.backward(x), y)
        np.testing.assert_array_equal(layer.forward(x), x)

    def test_gaussian_noise_is_there_in_training_only(self, backend):
        layer, x = GaussianNoise(0.5, seed=3), np.ones((200, 50), np.float32)
        y = layer.forward(x, training=True)
        assert abs(y.mean() - 1) < 0.02
        assert abs(y.std() - 0.5) < 0.02
        np.testing.assert_array_equal(layer.forward(x), x)

    @pytest.mark.parametrize(
        ("name", "y"),
        [
            ("leaky_relu", [-0.4, 0, 3]),
            ("elu", [np.exp(-2) - 1, 0, 3]),
            ("selu", [1.05070098 * 1.67326324 * (np.exp(-2) - 1), 0, 1.05070098 * 3]),
            ("gelu", [-2 * 0.02275013, 0, 3 * 0.99865010]),
            ("silu", [-2 / (1 + np.exp(2)), 0, 3 / (1 + np.exp(-3))]),
            ("swish", [-2 / (1 + np.exp(2)), 0, 3 / (1 + np.exp(-3))]),
            ("softplus", [np.log1p(np.exp(-2)), np.log(2), np.log1p(np.exp(3))]),
        ],
    )
    def test_activations_by_their_formulas(self, backend, name, y):
        x = f32([[-2, 0, 3]])
        np.testing.assert_allclose(Activation(name).forward(x), [y], rtol=1e-6)
        dense = Dense(3, activation=name, use_bias=False)
        dense.build((None, 3))
        dense.set_weights([np.eye(3)])
        np.testing.assert_allclose(dense.forward(x), [y], rtol=1e-6)

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

    @pytest.mark.parametrize("noise_shape", [(None, 1, None), [20, 1, 4]])
    def test_noise_shape_says_which_elements_are_dropped_together(self, backend, noise_shape):
        layer, x = Dropout(0.5, noise_shape, seed=3), np.ones((20, 5, 4), np.float32)
        y = layer.forward(x, training=True)
        assert set(np.unique(y)) == {0, 2}
        np.testing.assert_array_equal(np.ptp(y, axis=1), 0)
        assert np.ptp(y, axis=0).all()
        np.testing.assert_array_equal(layer.backward(x), y)
        assert layer.noise_shape == tuple(noise_shape)
        assert Dropout.from_config(layer.get_config()).noise_shape == tuple(noise_shape)

    def test_a_noise_shape_that_does_not_fit_the_input(self):
        for noise_shape in ((None, 1), (None, 1, 3), (4, 1, None)):
            with pytest.raises(ValueError, match=r"noise_shape: expected .* 1, None or .* \(20, 5, 4\), found"):
                Dropout(0.5, noise_shape).forward(np.ones((20, 5, 4), np.float32), training=True)

    def test_masks_of_successive_calls_are_independent(self, backend):
        layer = Dropout(0.5, seed=1)
        x = np.ones(10_000, np.float32)[None]
        a, b = (layer.forward(x, training=True) > 0 for _ in range(2))
        assert abs((a == b).mean() - 0.5) < 0.025  # five standard deviations


def test_functions_of_tensorflow_are_taken_by_their_names():
    def softmax_v2(logits):
        """tf.nn.softmax has this name and this module."""

    softmax_v2.__module__ = "tensorflow.python.ops.nn_ops"
    assert Dense(3, activation=softmax_v2).activation == "softmax"
    softmax_v2.__name__ = "relu6"
    with pytest.raises(ValueError, match="Dense 'dense' activation: .*'relu6'"):
        Dense(3, activation=softmax_v2)


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
            (lambda: Dropout(0.5, noise_shape=(2, 1.5)), ["noise_shape", "positive lengths", "(2, 1.5)"]),
            (lambda: Dropout(0.5, noise_shape="one"), ["noise_shape", "'one'"]),
            (lambda: Activation("mish"), ["mish", "Known: elu, gelu, leaky_relu, linear, relu"]),
            (lambda: ZeroPadding2D((1, 2, 3)), ["padding", "one number or two", "((1, 2), (0, 1))"]),
            (lambda: Cropping1D(-1), ["cropping", "-1"]),
            (lambda: Reshape((-1, -1)), ["target_shape", "-1 at most once"]),
            (lambda: Permute((1, 3)), ["dims", "each axis from 1 on once", "(1, 3)"]),
            (
                lambda: UpSampling2D(2, interpolation="bicubic"),
                ["interpolation", '"nearest" or "bilinear"', "'bicubic'"],
            ),
            (lambda: GroupNormalization(0), ["groups", "0"]),
            (lambda: GaussianNoise(-1), ["stddev", "-1"]),
            (lambda: SpatialDropout2D(1.0), ["rate", "1.0"]),
            (lambda: BatchNormalization(epsilon=-1), ["epsilon", "-1"]),
            (lambda: Dense(3, kernel_initializer="glorot").ensure_built((None, 2)), ["glorot_uniform"]),
            (lambda: Dense(3, dtype="float16"), ["float16", "float32"]),
            (lambda: Input(28), ["Input", "28"]),
            (lambda: Softmax(axis=(1, 2)), ["axis", "(1, 2)"]),
            (lambda: ReLU(max_value=5, threshold=5.0), ["max_value", "more than the threshold, 5.0", "found 5"]),
            (lambda: RandomFlip(bounding_box_format="xyxy"), ["bounding_box_format=None", "images, not boxes"]),
            (lambda: Conv2D(3, 2, lora_rank=2), ["lora_rank=None, the only value"]),
            (lambda: LayerNormalization(rms_scaling=True), ["rms_scaling=False, the only value"]),
            (lambda: Conv2D(3, 2, groups=2), ["groups: expected a divisor of the 3 filters", "found 2"]),
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

    @pytest.mark.parametrize(
        "make",
        [
            lambda **more: Conv2D(3, 3, kernel_constraint=None, activity_regularizer=None, **more),
            lambda **more: Conv1D(3, 3, bias_constraint=None, **more),
            lambda **more: MaxPooling2D(**more),
            lambda **more: GlobalAveragePooling2D(autocast=True, **more),
            lambda **more: Flatten(**more),
        ],
    )
    def test_arguments_of_keras_are_accepted_at_their_default(self, make):
        assert make(data_format="channels_last", dtype=None, trainable=True).get_config() == make().get_config()
        with pytest.raises(ValueError, match="data_format='channels_last', the only .* 'channels_first'.*moveaxis"):
            make(data_format="channels_first")

    def test_arguments_of_keras_that_are_not_offered(self):
        with pytest.raises(ValueError, match="kernel_constraint=None, the only value .* 'max_norm'"):
            Dense(3, kernel_constraint="max_norm", lora_rank=None)
        with pytest.raises(ValueError, match="dtype=None, the only value .*set_floatx"):
            Input((3,), batch_size=None, dtype="float16")

    def test_misspelt_argument_gets_a_suggestion(self):
        with pytest.raises(TypeError, match="Did you mean 'filters'"):
            Conv2D(filter=3, kernel_size=3)

    def test_unknown_layer_gets_a_suggestion(self):
        with pytest.raises(AttributeError, match="Did you mean 'Conv2D'"):
            minicnn.layers.Conv2d  # noqa: B018
        with pytest.raises(AttributeError, match="no Conv3D. Keras has it, minicnn does not"):
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
            (Flatten(), np.float32(3), ["batch axis", "a number"]),
            (Softmax(axis=4), np.ones((2, 3), np.float32), ["axis=4"]),
            (Reshape((7, 2)), np.ones((2, 3, 5), np.float32), ["fit (7, 2)", "(3, 5)"]),
            (Permute((2, 1)), np.ones((2, 3), np.float32), ["3 axes"]),
            (Cropping2D(2), np.ones((2, 4, 5, 1), np.float32), ["larger than what is cropped", "Crop less"]),
            (Conv2D(4, 3, groups=2), np.ones((2, 4, 5, 3), np.float32), ["2 equal groups", "3 channels"]),
            (Conv2D(4, 3, dilation_rate=2), np.ones((2, 4, 9, 3), np.float32), ["window, (5, 5)"]),
            (GroupNormalization(), np.ones((2, 4, 5, 3), np.float32), ["a multiple of 32 channels"]),
            (LayerNormalization(axis=1), np.ones((2, 4, 5), np.float32), ["the last axis", "axis=1"]),
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


def test_build_marks_the_layer_built(backend):
    class Own(Dense):
        def build(self, input_shape):
            super().build(input_shape)
            self.scale = self.add_weight("scale", (1,), "ones")

    for layer, count in ((Dense(3), 2), (Own(3), 3), (Flatten(), 0)):
        layer.build((None, 4))
        assert layer.built
        before = layer.get_weights()
        layer.build((None, 4))
        layer.forward(np.ones((2, 4), np.float32))
        assert len(layer.weights) == count
        assert all(map(np.array_equal, layer.get_weights(), before))


def test_a_layer_is_made_again_from_its_configuration():
    layer = Conv2D(3, (3, 2), kernel_initializer=minicnn.initializers.RandomNormal(0, 0.1), dtype="float64")
    config = layer.get_config()
    assert config["padding"] == "valid"
    assert config["bias_initializer"] == "zeros"
    assert (config["name"], config["dtype"], config["trainable"]) == ("conv2d", "float64", True)
    assert Conv2D.from_config(config).get_config() == config


def test_a_parameter_is_not_replaced_by_something_else():
    layer = Dense(3)
    layer.build((None, 4))
    with pytest.raises(TypeError, match=r"kernel: expected a Parameter, found 3\. .*layer\.kernel\.value = array"):
        layer.kernel = 3


def test_weights_that_are_trainable_and_others():
    layer = BatchNormalization()
    layer.build((None, 4))
    assert [weight.name.split("/")[1] for weight in layer.trainable_weights] == ["gamma", "beta"]
    assert [weight.name.split("/")[1] for weight in layer.non_trainable_weights] == ["moving_mean", "moving_variance"]
    layer.trainable = False
    assert len(layer.non_trainable_weights) == 4


@pytest.mark.usefixtures("needs_numba")
def test_the_backward_belongs_to_the_backend_of_the_forward(backend):
    layer, x = Conv2D(2, 3, dtype="float64"), np.random.default_rng(0).normal(size=(2, 5, 6, 3))
    y = layer.forward(x)
    expected = layer.backward(y)
    layer.forward(x)
    with minicnn.use_backend("numba" if backend == "numpy" else "numpy"):
        np.testing.assert_array_equal(layer.backward(y), expected)


def test_a_call_converts_numbers_and_forward_does_not():
    layer = Dense(2, kernel_initializer="ones")
    for x in ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]]), np.array([[1.0, 2.0], [3.0, 4.0]])):
        y = layer(x, training=None)
        assert y.dtype == np.float32
        np.testing.assert_array_equal(y, [[3, 3], [7, 7]])
    with pytest.raises(TypeError, match="expected input of dtype float32, found float64"):
        layer.forward(np.ones((2, 2)))
    np.testing.assert_array_equal(minicnn.layers.Add()([[[1, 2]], np.array([[3, 4]])]), [[4, 6]])


def test_weights_without_a_name():
    layer = minicnn.layers.Layer(name="own")
    first, second = layer.add_weight(shape=(2, 3), initializer="zeros"), layer.add_weight()
    assert [(weight.name, weight.shape) for weight in (first, second)] == [("own/weight", (2, 3)), ("own/weight_1", ())]


def test_a_build_that_sets_built_as_in_keras():
    class Scaled(minicnn.layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight("scale", (1,), "ones")
            self.built = True

    layer = Scaled()
    assert not layer.built
    layer.build((None, 3))
    assert layer.built


def test_a_layer_without_weights_is_built_from_the_beginning():
    assert minicnn.layers.Flatten().built
    assert not minicnn.layers.Dense(2).built
    model = minicnn.Sequential([minicnn.layers.Flatten()])
    assert not model.built  # its shapes are not known
    model.build((None, 3, 2))
    assert model.built
    assert model.output_shape == (None, 6)


def test_keras_s_names_of_weights_and_penalties():
    layer = BatchNormalization(gamma_regularizer=minicnn.regularizers.L2(0.5))
    layer(np.ones((2, 3)))
    model = minicnn.Sequential([layer])
    for thing in (layer, model):
        assert thing.variables == [layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance]
        assert thing.trainable_variables == [layer.gamma, layer.beta]
        assert thing.non_trainable_variables == [layer.moving_mean, layer.moving_variance]
        assert thing.losses == [0.5 * 3]


def test_a_parameter_as_an_array():
    layer = Dense(2, kernel_initializer="ones")
    layer.build((None, 3))
    kernel = layer.kernel
    assert (kernel.shape, kernel.dtype) == ((3, 2), np.float32)
    np.testing.assert_array_equal(np.array(kernel), np.ones((3, 2)))
    copied = kernel.numpy()
    kernel.assign([[1, 2], [3, 4], [5, 6]])
    np.testing.assert_array_equal(kernel.value, [[1, 2], [3, 4], [5, 6]])
    np.testing.assert_array_equal(copied, np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"kernel: expected a value of shape \(3, 2\), found shape \(2,\)"):
        kernel.assign([1, 2])


def test_a_batch_size_appears_in_the_shapes():
    assert Input((3,), batch_size=4).shape == Input(batch_shape=(4, 3)).shape == (4, 3)
    inputs = Input(batch_shape=(4, 3))
    outputs = Dense(2)(inputs)
    assert outputs.shape == (4, 2)
    assert minicnn.Model(inputs, outputs).predict(np.ones((5, 3))).shape == (5, 2)
    for wrong in ({}, {"shape": (3,), "batch_shape": (None, 3)}, {"batch_size": 2, "batch_shape": (None, 3)}):
        with pytest.raises(ValueError, match="Input: expected either shape or batch_shape"):
            Input(**wrong)


def test_numbers_in_numpy_s_arrays():
    layer = Rescaling(np.array(1 / 4), offset=np.float32(0.5))
    np.testing.assert_array_equal(layer(f32([[2, 4]])), [[1, 1.5]])
    assert layer.get_config()["scale"] == 0.25
    with pytest.raises(ValueError, match="scale: expected a finite number, found array"):
        Rescaling(np.array([1, 2]))


def test_what_layers_written_for_keras_may_ask_for():
    layer = minicnn.layers.Layer()
    assert layer.add_weight(shape=(2,), initializer="zeros", dtype="float32").dtype == np.float32
    with pytest.raises(ValueError, match="dtype: expected float32, the layer's, found 'float64'"):
        layer.add_weight(shape=(2,), dtype="float64")
    with pytest.raises(ValueError, match="dtype: expected dtype float32 or float64, found 'int32'"):
        layer.add_weight(shape=(2,), dtype="int32")
    with pytest.raises(TypeError, match="expected the arguments inputs and training, found attention_mask"):
        Dense(2)(np.ones((2, 3)), attention_mask=None)
    with pytest.raises(ValueError, match=r"build: expected the input's shape, found None"):
        Dense(2).build(None)
    with pytest.raises(AttributeError, match="Dense has no dtype_policy. Keras has it"):
        Dense(2).dtype_policy = "mixed_bfloat16"
