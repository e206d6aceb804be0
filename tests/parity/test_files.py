"""Files: Keras opens what minicnn writes, minicnn opens what Keras writes, and training goes on with equal steps."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import minicnn

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _float32():
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def stack(library):
    layers = library.layers
    return library.Sequential(
        [
            library.Input((8, 6, 2)),
            layers.Conv2D(3, 3, padding="same", activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Conv2D(4, (1, 2), use_bias=False),
            layers.ReLU(negative_slope=0.1),
            layers.AveragePooling2D((2, 1), padding="same"),
            layers.Dropout(0.0),
            layers.Flatten(),
            layers.Dense(5),
            layers.Activation("tanh"),
            layers.Dense(3, activation="softmax", kernel_initializer="he_normal"),
        ]
    )


def branches(library):
    layers = library.layers
    inputs = library.Input((8, 6, 2))
    x = layers.Conv2D(3, 3, padding="same", activation="relu")(inputs)
    y = layers.Conv2D(3, 3, padding="same")(x)
    y = layers.Concatenate()([layers.Add()([x, y]), layers.Multiply()([x, y])])
    outputs = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(y))
    return library.Model(inputs, outputs)


def all_kinds(library):
    layers = library.layers
    return library.Sequential(
        [
            library.Input((8, 6, 2)),
            layers.Rescaling(0.5, 0.1),
            layers.ZeroPadding2D(1),
            layers.SeparableConv2D(4, 3, padding="same", activation="gelu", depth_multiplier=2),
            layers.LayerNormalization(),
            layers.DepthwiseConv2D(2, dilation_rate=2, activation="silu"),
            layers.Cropping2D(1),
            layers.GroupNormalization(2),
            layers.Conv2D(4, 2, groups=2, activation="elu"),
            layers.LeakyReLU(0.2),
            layers.SpatialDropout2D(0.0),
            layers.UpSampling2D(2),
            layers.Reshape((-1, 4)),
            layers.Permute((2, 1)),
            layers.Conv1D(3, 2, padding="same"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(3, activation="softmax"),
        ]
    )


MODELS = pytest.mark.parametrize("build", [stack, branches, all_kinds])
X, Y = RNG.normal(size=(12, 8, 6, 2)).astype("float32"), np.arange(12) % 3


def trained(library, build, optimizer="adam"):
    model = build(library)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, Y, epochs=2, batch_size=4, shuffle=False, verbose=0)
    return model


def assert_same_model(mine, its):
    """Equal predictions, and equal weights after three more steps: the optimiser's state arrived, too."""
    np.testing.assert_allclose(mine.predict(X, verbose=0), its.predict(X, verbose=0), rtol=1e-4, atol=1e-5)
    for model in (mine, its):
        model.fit(X, Y, batch_size=4, shuffle=False, verbose=0)
    for a, b in zip(mine.get_weights(), its.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@MODELS
def test_keras_opens_a_model_of_minicnn(tmp_path, build):
    model = trained(minicnn, build)
    model.save(tmp_path / "model.keras")
    assert_same_model(model, keras.models.load_model(tmp_path / "model.keras"))


@MODELS
def test_minicnn_opens_a_model_of_keras(tmp_path, build):
    model = trained(keras, build)
    model.save(tmp_path / "model.keras")
    assert_same_model(minicnn.load_model(tmp_path / "model.keras"), model)


OPTIMIZERS = {
    "sgd": lambda library: library.optimizers.SGD(0.1),
    "momentum": lambda library: library.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adamw": lambda library: library.optimizers.AdamW(0.01, weight_decay=0.1),
    "averages": lambda library: library.optimizers.Adam(0.01, use_ema=True, gradient_accumulation_steps=2),
    "rmsprop": lambda library: library.optimizers.RMSprop(0.01),
    "adagrad": lambda library: library.optimizers.Adagrad(0.1),
    "schedule": lambda library: library.optimizers.Adam(
        library.optimizers.schedules.ExponentialDecay(0.01, decay_steps=3, decay_rate=0.9)
    ),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers_in_both_directions(tmp_path, optimizer):
    mine = trained(minicnn, stack, OPTIMIZERS[optimizer](minicnn))
    mine.save(tmp_path / "mine.keras")
    assert_same_model(mine, keras.models.load_model(tmp_path / "mine.keras"))
    its = trained(keras, stack, OPTIMIZERS[optimizer](keras))
    its.save(tmp_path / "its.keras")
    assert_same_model(minicnn.load_model(tmp_path / "its.keras"), its)


@MODELS
def test_weights_in_both_directions(tmp_path, build):
    mine, its = build(minicnn), build(keras)
    mine.save_weights(tmp_path / "mine.weights.h5")
    its.load_weights(tmp_path / "mine.weights.h5")
    np.testing.assert_allclose(mine.predict(X), its.predict(X, verbose=0), rtol=1e-4, atol=1e-5)
    other = trained(keras, build)
    other.save_weights(tmp_path / "its.weights.h5")
    mine.load_weights(tmp_path / "its.weights.h5")
    np.testing.assert_allclose(mine.predict(X), other.predict(X, verbose=0), rtol=1e-4, atol=1e-5)


def test_a_sequential_in_a_sequential(tmp_path):
    layers = keras.layers
    augmentation = keras.Sequential([layers.RandomFlip("horizontal"), layers.Conv2D(2, 2)])
    model = keras.Sequential([keras.Input((8, 6, 2)), augmentation, layers.Conv2D(3, 1), layers.Flatten()])
    model.save(tmp_path / "model.keras")
    loaded = minicnn.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(X), model.predict(X, verbose=0), rtol=1e-4, atol=1e-5)


def ports(library):
    """Two inputs that begin branches of different lengths, three outputs."""
    layers = library.layers
    numbers, images = library.Input((3,), name="numbers"), library.Input((8, 6, 2), name="images")
    x = layers.Conv2D(3, 3, activation="relu")(images)
    y = layers.Concatenate()([layers.Flatten()(x), numbers])
    return library.Model([numbers, images], [layers.Dense(2)(y), x, layers.Dense(4)(numbers)])


def test_several_inputs_and_outputs_in_both_directions(tmp_path):
    mine, its = ports(minicnn), ports(keras)
    mine.set_weights(its.get_weights())
    x = [RNG.normal(size=(12, 3)).astype("float32"), X]
    expected = its.predict(x, verbose=0)
    for model, opened in ((mine, keras.models.load_model), (its, minicnn.load_model)):
        path = tmp_path / "model.keras"
        model.save(path)
        for one, other in zip(opened(path).predict(x, verbose=0), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    for model, library in ((mine, minicnn), (its, keras)):
        model.compile(
            library.optimizers.SGD(0.01, momentum=0.9), ["mse", None, "mae"], [1.0, None, 0.5], [["mae"], None, None]
        )
    y = [RNG.normal(size=shape) for shape in ((12, 2), (12, 6, 4, 3), (12, 4))]
    for model, opened in ((mine, keras.models.load_model), (its, minicnn.load_model)):
        model.save(tmp_path / "model.keras")
        twin = opened(tmp_path / "model.keras")
        np.testing.assert_allclose(twin.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0), rtol=1e-4)
    its.save_weights(tmp_path / "its.weights.h5")
    fresh = ports(minicnn)
    fresh.load_weights(tmp_path / "its.weights.h5")
    assert all(map(np.array_equal, fresh.get_weights(), its.get_weights()))
