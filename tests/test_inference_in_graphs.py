"""Calls with training=False in a graph: the layer computes as in inference while its model is trained."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn import Input, Model, Sequential, load_model
from minicnn.gradcheck import check_layer, check_model
from minicnn.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    RandomFlip,
    ReLU,
)

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(8, 6, 5, 2)).astype("float32"), np.arange(8) % 3


def base():
    """A network whose training differs from its inference, with statistics that are not those of a new layer."""
    inputs = Input((6, 5, 2))
    x = RandomFlip("horizontal")(inputs)
    x = Dropout(0.5)(ReLU()(BatchNormalization(name="norm")(Conv2D(4, 3, name="conv")(x))))
    model = Model(inputs, GlobalAveragePooling2D()(x), name="base")
    model.layers[2].moving_mean.value = rng.normal(size=4).astype("float32")
    model.layers[2].moving_variance.value = rng.uniform(0.5, 2, size=4).astype("float32")
    return model


def transfer(**options):
    below = base()
    inputs = Input((6, 5, 2))
    model = Model(inputs, Dense(3, activation="softmax")(Dropout(0.25)(below(inputs, **options))))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return below, model


def test_the_part_computes_as_in_inference(backend):
    below, model = transfer(training=False)
    features = model.values(X, training=True)[len(below.layers)]
    np.testing.assert_allclose(features, below.forward(X), rtol=1e-6)
    below, model = transfer()
    features = model.values(X, training=True)[len(below.layers)]
    assert not np.allclose(features, below.forward(X))


def test_the_statistics_stay_and_the_weights_learn(backend):
    below, model = transfer(training=False)
    before = {weight.name: weight.numpy() for weight in below.weights}
    model.fit(X, Y, epochs=2, verbose=0)
    changed = {name for weight in below.weights if not np.array_equal(before[name := weight.name], weight.numpy())}
    assert changed == {"conv/kernel", "norm/gamma", "norm/beta", "conv/bias"}
    assert model.layers[-2].calls > 0  # the dropout after the part is in training
    assert all(layer.calls == 0 for layer in below.layers if hasattr(layer, "rate"))


def test_frozen_and_in_inference(backend):
    """The idiom of transfer learning: first only the new layers learn, then all, with the statistics as they were."""
    below, model = transfer(training=False)
    below.trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = below.get_weights()
    model.fit(X, Y, verbose=0)
    assert all(map(np.array_equal, before, below.get_weights()))
    below.trainable = True
    model.compile(minicnn.optimizers.SGD(1e-3), "sparse_categorical_crossentropy")
    model.fit(X, Y, verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, below.get_weights(), strict=True)]
    assert changed == [True, True, True, True, False, False]


def test_gradients(backend):
    _, model = transfer(training=False)
    check_model(model, X[:3], Y[:3], samples=20).raise_if_wrong()


def test_the_gradient_of_batch_norm_in_inference_by_hand(backend):
    """y = gamma (x − m) / √v + beta with constant m = 1, v = 4: dx = gamma / 2 · dy, dgamma = Σ dy (x − 1) / 2."""
    inputs = Input((1,))
    layer = BatchNormalization(epsilon=0.0)
    model = Model(inputs, layer(inputs, training=False))
    layer.set_weights([[3], [5], [1], [4]])
    x, dy = np.array([[3], [7]], "float32"), np.array([[1], [10]], "float32")
    np.testing.assert_array_equal(model.forward(x, training=True), [[8], [14]])
    np.testing.assert_array_equal(model.backward(dy), [[1.5], [15]])
    assert layer.gamma.grad.item() == 31
    assert layer.beta.grad.item() == 11
    assert [weight.tolist() for weight in layer.get_weights()] == [[3], [5], [1], [4]]


def test_a_layer_in_inference_is_checked_in_inference():
    class Wrong(BatchNormalization):
        """Its gradient is right in training only."""

        def call(self, x, training):
            self.wrong = not training
            return super().call(x, training)

        def call_backward(self, dy, need_dx):
            return super().call_backward(dy * (2 if self.wrong else 1), need_dx)

    assert check_layer(Wrong(), (4, 3), training=True)
    inputs = Input((3,))
    model = Model(inputs, Dense(2)(Wrong()(inputs, training=False)))
    model.compile("sgd", "mse")
    assert "the mistake is in Wrong" in str(check_model(model, rng.normal(size=(4, 3)), rng.normal(size=(4, 2))))


def test_a_fused_activation_takes_the_mode_of_the_layer_before_it(backend):
    """Batch norm in inference and the ReLU after it are one operation, in inference; batch norm in training is not."""
    inputs = Input((4,))
    x = Activation("relu")(BatchNormalization(name="fixed")(inputs, training=False))
    outputs = ReLU()(BatchNormalization(name="learning")(Dense(4)(x)), training=False)
    model = Model(inputs, outputs)
    model.compile("sgd", "mse")
    network, _ = model.objective()
    assert [layer.name for layer in network.layers] == ["fixed", "dense", "learning"]
    assert network.modes == (False, None, None)
    model.fit(rng.normal(size=(8, 4)), np.ones((8, 4)), verbose=0)
    assert not model.get_layer("fixed").moving_mean.numpy().any()
    assert model.get_layer("learning").moving_mean.numpy().any()


@pytest.mark.parametrize("way", ["safetensors", "keras", "json", "sequential", "larger"])
def test_copies_keep_it(way, tmp_path):
    _, model = transfer(training=False)
    if way in ("safetensors", "keras"):
        if way == "keras":
            pytest.importorskip("h5py", reason="h5py is not installed")
        model.save(tmp_path / f"model.{way}")
        twin = load_model(tmp_path / f"model.{way}")
    elif way == "json":
        twin = minicnn.models.model_from_json(model.to_json())
    elif way == "sequential":
        twin = Sequential([model])
    else:
        inputs = Input((6, 5, 2))
        twin = Model(inputs, model(inputs))
    assert twin.modes == model.modes == (False,) * 6 + (None, None)
    twin.set_weights(model.get_weights())
    np.testing.assert_allclose(twin.predict(X), model.predict(X), rtol=1e-6)


def test_a_layer_may_follow_one_model_and_be_in_inference_in_another():
    layer, inputs = BatchNormalization(), Input((3,))
    learning, fixed = Model(inputs, layer(inputs)), Model(inputs, layer(inputs, training=False))
    x = rng.normal(size=(5, 3)).astype("float32")
    np.testing.assert_allclose(fixed.forward(x, training=True), fixed.predict(x), rtol=1e-6)
    assert abs(learning.forward(x, training=True).mean()) < 1e-6


def test_the_trace_is_of_the_same_computation(backend):
    below, model = transfer(training=False)
    traced = minicnn.trace(model, X, Y)
    np.testing.assert_allclose(traced[len(below.layers) - 1].y, minicnn.to_host(below.forward(X)), rtol=1e-5)


def test_true_is_refused():
    inputs = Input((3,))
    for called in (Dropout(0.5), Sequential([Dropout(0.5)])):
        with pytest.raises(
            ValueError, match=r"in a graph: expected False or None, found True.*model\(x, training=True\)"
        ):
            called(inputs, training=True)
        assert called(inputs, training=None).training is None
        assert called(inputs, training=False).training is False


def test_flatten_and_others_accept_it():
    assert Flatten()(Conv2D(2, 3)(Input((6, 5, 2)), training=False), training=False).shape == (None, 24)
