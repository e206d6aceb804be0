"""Networks for the explorer's page. Together they have every layer and every loss of minicnn."""

from __future__ import annotations

import numpy as np

import minicnn
from minicnn import layers as of
from minicnn import regularizers
from minicnn.losses import BinaryCrossentropy, CategoricalCrossentropy, Huber, MeanSquaredError

rng = np.random.default_rng(0)


class Doubling(of.Layer):
    """A layer of the reader's own, which the page cannot open."""

    def call(self, x, training):
        self.saved = ()
        return 2 * x

    def call_backward(self, dy, need_dx):
        return 2 * dy


def compiled(model, loss="sparse_categorical_crossentropy"):
    for weight in model.weights:  # biases and gammas that are not all equal
        if weight.value.ndim == 1:
            weight.value = weight.value + rng.uniform(0, 0.4, weight.value.shape).astype("float32")
    model.compile("adam", loss)
    return model


def sequence(shape, *layers, loss="sparse_categorical_crossentropy"):
    return compiled(minicnn.Sequential([minicnn.Input(shape), *layers]), loss)


def images():
    """Convolution with strides and padding, pooling with overlap, batch norm, ReLU with a leak, dropout, penalties."""
    model = sequence(
        (9, 7, 2),
        of.Conv2D(
            *(5, (3, 2)), strides=(2, 1), padding="same", activation="tanh", kernel_regularizer=regularizers.L2(0.01)
        ),
        of.BatchNormalization(beta_regularizer="l1"),
        of.ReLU(negative_slope=0.1, max_value=2.0),
        of.MaxPooling2D(2, strides=1, padding="same"),
        of.AveragePooling2D((2, 3), strides=(1, 2), padding="same"),
        of.Dropout(0.3),
        of.Conv2D(4, 2, activation="relu"),
        of.Flatten(),
        of.Dense(6, activation="sigmoid"),
        of.Dense(3, activation="softmax"),
        loss=CategoricalCrossentropy(label_smoothing=0.1),
    )
    return model, rng.standard_normal((3, 9, 7, 2)), np.eye(3)[[2, 0, 1]]


def sequences():
    """The same in one dimension; softmax inside the network; a loss on numbers."""
    model = sequence(
        (11, 3),
        *(of.Conv1D(4, 3, strides=2, padding="same"), of.BatchNormalization(axis=1), of.Activation("relu")),
        *(of.MaxPooling1D(2, strides=1), of.ZeroPadding1D((1, 2)), of.UpSampling1D(2), of.Cropping1D((1, 3))),
        *(of.Conv1D(4, 2, dilation_rate=2, groups=2, kernel_regularizer="l2"), of.SpatialDropout1D(0.3)),
        *(of.AveragePooling1D(2), of.Dense(5, activation="softmax"), of.Conv1D(2, 2, use_bias=False)),
        *(of.GlobalAveragePooling1D(), of.Dense(2)),
        loss=MeanSquaredError(reduction="sum"),
    )
    return model, rng.standard_normal((2, 11, 3)), rng.standard_normal((2, 2))


def probabilities():
    """Cross-entropy on numbers that are no softmax; fixed statistics; images of one pixel; curves and reshaping."""
    model = sequence(
        (4, 4, 1),
        *(of.Conv2D(3, 4, activation="relu"), of.BatchNormalization(trainable=False), of.GlobalAveragePooling2D()),
        *(of.Dense(4, activation="gelu"), of.Reshape((2, 2)), of.LeakyReLU(0.2), of.ELU(), of.GlobalMaxPooling1D()),
        *(of.Dense(3, activation="sigmoid"), of.Softmax(), of.Activation("sigmoid")),
    )
    return model, rng.random((2, 4, 4, 1)), np.array([2, 0])


def augmented():
    """Everything that changes images at random or makes them another size; grouped and separable convolutions."""
    model = sequence(
        (8, 6, 3),
        *(of.Rescaling(2.0, 0.1), of.RandomFlip(), of.RandomErasing(factor=(1, 1), value_range=(0, 1))),
        of.RandomTranslation(0.3, 0.2, fill_mode="constant", fill_value=0.5),
        *(
            of.GaussianNoise(0.1),
            of.ZeroPadding2D(((1, 0), (2, 1))),
            of.UpSampling2D((1, 2)),
            of.UpSampling2D((2, 1), "bilinear"),
            of.Cropping2D(1),
        ),
        of.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding="same", activation="relu"),
        of.SeparableConv2D(8, (2, 3), padding="same", activation="silu", depthwise_regularizer="l2"),
        of.Conv2D(4, (3, 2), groups=2, activation="selu"),
        *(of.GroupNormalization(2), of.Permute((2, 1, 3)), of.SpatialDropout2D(0.3), of.LayerNormalization()),
        of.Conv2D(4, 2, dilation_rate=(1, 2), padding="same", use_bias=False),
        *(of.GlobalMaxPooling2D(), of.Dense(2, activation="sigmoid")),
        loss=BinaryCrossentropy(label_smoothing=0.1),
    )
    return model, rng.random((2, 8, 6, 3)), np.array([[0, 1], [1, 1]])


def branches():
    """Every layer that joins branches; values that go to two, three and four layers, the input among them."""
    inputs = minicnn.Input((5, 4, 2))
    x = of.Concatenate(axis=2)([inputs, of.Conv2D(2, 3, padding="same")(inputs), inputs])
    a = of.Conv2D(3, 3, padding="same", activation="relu")(x)
    b = of.Conv2D(3, 3, padding="same")(x)
    x = of.Average()([of.Multiply()([a, b]), of.Subtract()([a, b]), of.Maximum()([a, b, a])])
    x = of.Add()([x, of.Activation("linear")(x)])
    outputs = of.Softmax(axis=1)(of.Minimum()([of.Dense(3)(of.Flatten()(x)), of.GlobalAveragePooling2D()(x)]))
    model = compiled(minicnn.Model(inputs, of.Dense(3)(outputs)), "mean_absolute_error")
    return model, rng.standard_normal((2, 5, 4, 2)), rng.standard_normal((2, 3))


def binary():
    """Binary cross-entropy on probabilities that have been clipped or are no sigmoid of the last layer's numbers."""
    layers = of.Dense(3, activation="sigmoid"), of.ReLU(threshold=0.2)
    model = sequence((4,), *layers, loss="binary_crossentropy")
    return model, 2 * rng.standard_normal((3, 4)), rng.integers(0, 2, (3, 3))


def outliers():
    """A loss that limits the gradient of large errors."""
    model = sequence((4,), of.Dense(5), loss=Huber(0.5))
    return model, rng.standard_normal((3, 4)), rng.standard_normal((3, 5))


def many_layers():
    """A hundred layers, among them one that the page cannot open."""
    convolutions = (of.Conv2D(2, 3, padding="same") for _ in range(97))
    model = sequence((4, 4, 1), *convolutions, Doubling(), of.Flatten(), of.Dense(3))
    return model, rng.random((1, 4, 4, 1)), np.array([1])


NETWORKS = {
    network.__name__: network for network in (images, sequences, probabilities, augmented, branches, binary, outliers)
}
"""Those whose every operation the page opens."""
