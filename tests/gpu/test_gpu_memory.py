"""Host and device memory: nothing grows, arrays in the wrong memory are named, models move between devices."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn import Input, Sequential
from minicnn.callbacks import Callback
from minicnn.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from minicnn.losses import MeanSquaredError
from minicnn.optimizers import Adam

X = np.random.default_rng(0).random((10, 8, 7, 1), np.float32)
Y = np.random.default_rng(1).integers(4, size=10)


def make_model():
    """Adam has a large epsilon: with a small one, gradients that are only rounding errors would change weights."""
    model = Sequential(
        [
            Input((8, 7, 1)),
            Conv2D(6, 3, padding="same", activation="relu"),
            MaxPooling2D(2),
            BatchNormalization(scale=False),
            Dropout(0.2),
            Flatten(),
            Dense(4, activation="softmax"),
        ]
    )
    model.compile(Adam(epsilon=1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def on_gpu():
    with minicnn.use_backend("cupy"):
        yield


@pytest.mark.usefixtures("on_gpu")
def test_nothing_grows_over_epochs():
    import cupy

    class HeldMemory(Callback):
        held = ()

        def on_epoch_end(self, epoch, logs):
            self.held = (*self.held, cupy.get_default_memory_pool().used_bytes())

    memory = HeldMemory()
    make_model().fit(X, Y, batch_size=4, epochs=6, validation_data=(X, Y), callbacks=[memory], verbose=0)
    assert len(set(memory.held[2:])) == 1


@pytest.mark.parametrize(
    ("first", "second"), [("cupy", "numpy"), ("numpy", "cupy"), ("cupy", "numba"), ("cupy", "cupy")]
)
def test_a_saved_model_goes_on_on_another_device(first, second, tmp_path):
    with minicnn.use_backend(first):
        model = make_model()
        model.fit(X, Y, batch_size=4, verbose=0)
        expected = model.predict(X)
        model.save(tmp_path / "model.safetensors")
        model.save_weights(tmp_path / "weights.safetensors")
    with minicnn.use_backend(second):
        loaded = Sequential.load(tmp_path / "model.safetensors")
        np.testing.assert_allclose(loaded.predict(X), expected, atol=1e-5)
        loaded.fit(X, Y, batch_size=4, epochs=2, initial_epoch=1, verbose=0)
        fresh = make_model()
        fresh.load_weights(tmp_path / "weights.safetensors")
        np.testing.assert_allclose(fresh.predict(X), expected, atol=1e-5)
    with minicnn.use_backend(first):
        model.fit(X, Y, batch_size=4, epochs=2, initial_epoch=1, verbose=0)
        goes_on = model.get_weights()
    for one, other in zip(goes_on, loaded.get_weights(), strict=True):  # get_weights works on any active backend
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.usefixtures("on_gpu")
def test_predict_and_weights_are_numpys():
    model = make_model()
    assert isinstance(model.predict(X), np.ndarray)
    assert all(isinstance(weight, np.ndarray) for weight in model.get_weights())


@pytest.mark.usefixtures("on_gpu")
def test_to_host_and_to_device():
    moved = minicnn.to_device(X)
    assert minicnn.to_device(moved) is moved
    np.testing.assert_array_equal(minicnn.to_host(moved), X)
    with minicnn.use_backend("numpy"):  # to_host also works there
        assert isinstance(minicnn.to_host(moved), np.ndarray)
        assert isinstance(minicnn.to_device(moved), np.ndarray)


@pytest.mark.usefixtures("on_gpu")
def test_arrays_in_the_wrong_memory_are_named():
    x = X.reshape(10, -1)
    layer, moved = Dense(3), minicnn.to_device(x)
    with pytest.raises(TypeError, match=r"Dense 'dense': expected input on the GPU.*found one on the host.*to_device"):
        layer.forward(x)
    y = layer.forward(moved)
    with pytest.raises(TypeError, match=r"Dense 'dense': expected dy on the GPU"):
        layer.backward(np.ones((10, 3), np.float32))
    with pytest.raises(TypeError, match=r"MeanSquaredError: expected y_pred on the GPU"):
        MeanSquaredError().forward(np.zeros((10, 3)), np.zeros((10, 3), np.float32))
    assert minicnn.to_host(MeanSquaredError().forward(np.zeros((10, 3)), y)) > 0  # targets are transferred
    layer.kernel.value = np.zeros((56, 3), np.float32)
    with pytest.raises(TypeError, match=r"dense: expected kernel on the GPU.*to_device"):
        layer.forward(moved)
    with (
        minicnn.use_backend("numpy"),
        pytest.raises(TypeError, match=r"expected input on the host.*found one on the GPU"),
    ):
        layer.forward(moved)


@pytest.mark.parametrize(("first", "second"), [("numpy", "cupy"), ("cupy", "numpy")])
def test_a_model_moves_with_its_weights(first, second):
    with minicnn.use_backend(first):
        model = make_model()
        model.fit(X, Y, batch_size=4, verbose=0)
        expected = model.predict(X)
    with minicnn.use_backend(second):
        with pytest.raises(TypeError, match=r"kernel on the (GPU|host).*model.set_weights\(model.get_weights\(\)\)"):
            model.predict(X)
        model.set_weights(model.get_weights())
        np.testing.assert_allclose(model.predict(X), expected, atol=1e-5)
        with pytest.raises(TypeError, match=r"Adam: expected means on the (GPU|host).*set_state"):
            model.fit(X, Y, batch_size=4, verbose=0)
        adam = model.optimizer
        adam.set_state(adam.calls, adam.get_state(), model.parameters())
        model.fit(X, Y, batch_size=4, verbose=0)


@pytest.mark.usefixtures("on_gpu")
def test_an_operation_names_what_is_on_the_host():
    from minicnn.backends import active

    x = minicnn.to_device(X)
    with pytest.raises(TypeError, match=r"conv2d: expected kernel on the GPU.*found one on the host"):
        active().conv2d(x, np.zeros((3, 3, 1, 2), np.float32), None, (1, 1), "same", "relu")


@pytest.mark.usefixtures("on_gpu")
def test_an_operation_without_a_kernel_is_the_textbook_s():
    """Kernels take float32 and float64; half precision goes to the host and comes back, in both directions."""
    from minicnn.backends import active, textbook

    x = X.astype(np.float16)
    y, saved = active().average_pool2d(minicnn.to_device(x), (2, 2), (2, 2), "same")
    dx = active().average_pool2d_backward(y, saved)
    expected, expected_saved = textbook.average_pool2d(x, (2, 2), (2, 2), "same")
    expected_dx = textbook.average_pool2d_backward(expected, expected_saved)
    for one, other in ((y, expected), (dx, expected_dx)):
        assert active().owns(one)
        np.testing.assert_array_equal(minicnn.to_host(one), other)


@pytest.mark.usefixtures("on_gpu")
def test_data_that_is_on_the_device_already():
    model = make_model()
    model.fit(minicnn.to_device(X), minicnn.to_device(Y), batch_size=4, verbose=0)
    np.testing.assert_array_equal(model.predict(minicnn.to_device(X)), model.predict(X))
