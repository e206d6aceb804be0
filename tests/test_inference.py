"""Inference: the compiled network gives the results of its layers, also after layers and weights have changed."""

from __future__ import annotations

import copy
import gc
import os
import re
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minicnn
from minicnn import Input, Sequential
from minicnn.layers import (
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
    Layer,
    MaxPooling1D,
    MaxPooling2D,
    ReLU,
    Softmax,
)

rng = np.random.default_rng(0)
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def numbers(shape, dtype="float32"):
    return rng.normal(size=shape).astype(dtype)


def randomized(model):
    """The model with weights that are all different and none special; variances are positive."""
    model.set_weights([np.abs(numbers(weight.shape)) * 0.3 + 0.05 for weight in model.get_weights()])
    for parameter in model.parameters():
        parameter.value[...] = numbers(parameter.value.shape) / np.sqrt(np.prod(parameter.value.shape[:-1]) + 1)
    return model


def assert_infers_as_the_textbook(model, x):
    """The tolerance is relative to the largest output: Winograd's rounding error is that of the largest sums."""
    found = minicnn.backends.to_host(model.infer(x))
    with minicnn.use_backend("numpy"):
        expected = model.forward(x)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=TOLERANCE[str(x.dtype)])


def cnn(shape=(9, 8, 3), filters=5, dtype="float32"):
    return Sequential(
        [
            Input(shape),
            Conv2D(filters, 3, padding="same", activation="relu", dtype=dtype),
            MaxPooling2D(2, dtype=dtype),
            BatchNormalization(dtype=dtype),
            Conv2D(filters + 1, 3, activation="relu", dtype=dtype),
            Dropout(0.5, dtype=dtype),
            Flatten(dtype=dtype),
            Dense(12, activation="tanh", dtype=dtype),
            Dense(10, activation="softmax", dtype=dtype),
        ]
    )


# results


@st.composite
def networks(draw):
    """A few layers of any kind that fit each other, and a number of samples."""
    rank = draw(st.sampled_from([1, 2]))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    sizes = st.integers(5, 13)
    shape = (*(draw(sizes) for _ in range(rank)), draw(st.integers(1, 40)))
    Conv, Pool = (Conv1D, MaxPooling1D) if rank == 1 else (Conv2D, MaxPooling2D)
    activations = st.sampled_from([None, "relu", "sigmoid", "tanh", "softmax"])
    layers = []
    for _ in range(draw(st.integers(0, 2))):
        layers.append(
            Conv(
                draw(st.integers(1, 70)),
                draw(st.integers(1, 3)),
                strides=draw(st.integers(1, 2)),
                padding=draw(st.sampled_from(["same", "valid"])) if not layers else "same",
                activation=draw(activations),
                use_bias=draw(st.booleans()),
                dtype=dtype,
            )
        )
        layers += draw(
            st.lists(
                st.sampled_from(
                    [
                        lambda: Pool(2, strides=draw(st.integers(1, 3)), padding="same", dtype=dtype),
                        lambda: Pool(3, strides=2, padding="same", dtype=dtype),
                        lambda: BatchNormalization(dtype=dtype),
                        lambda: Activation(draw(activations), dtype=dtype),
                        lambda: Dropout(0.3, dtype=dtype),
                    ]
                ).map(lambda make: make()),
                max_size=2,
            )
        )
    if draw(st.booleans()):
        layers.append(Flatten(dtype=dtype))
    layers.append(Dense(draw(st.integers(1, 70)), activation=draw(activations), dtype=dtype))
    return shape, layers, draw(st.integers(1, 40)), dtype, draw(st.integers(1, 3))


@given(networks())
@settings(max_examples=60, deadline=None)
def test_networks_of_all_kinds(case):
    shape, layers, samples, dtype, threads = case
    pytest.importorskip("numba")
    model = randomized(Sequential([Input(shape), *layers]))
    with minicnn.use_backend("numba", threads=threads):
        assert_infers_as_the_textbook(model, numbers((samples, *shape), dtype))


@pytest.mark.parametrize("samples", [1, 2, 3, 40])
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("shape", "layers"),
    [
        ((20, 20, 32), lambda: [Conv2D(32, 3), MaxPooling2D(3, strides=2), Conv2D(33, 3, padding="same")]),
        ((13, 15, 40), lambda: [Conv2D(36, 3, padding="same", activation="relu"), BatchNormalization()]),
        ((30, 34), lambda: [Conv1D(64, 3, activation="relu"), MaxPooling1D(2), Conv1D(40, 3, padding="same")]),
        ((64, 64, 24), lambda: [Conv2D(70, 3, activation="relu"), MaxPooling2D(2), Flatten(), Dense(9)]),
        ((300,), lambda: [Dense(200, activation="relu"), Dense(65), Dense(1, activation="sigmoid")]),
    ],
    ids=["winograd", "padded channels", "sequences", "large images", "dense"],
)
def test_large_and_small_batches(shape, layers, threads, samples):
    pytest.importorskip("numba")
    model = randomized(Sequential([Input(shape), *layers()]))
    with minicnn.use_backend("numba", threads=threads):
        assert_infers_as_the_textbook(model, numbers((samples, *shape)))


@pytest.mark.parametrize("samples", [1, 5, 70])
def test_one_thread_or_several_give_the_same_to_the_bit(samples):
    pytest.importorskip("numba")
    shape, x = (16, 14, 32), numbers((samples, 16, 14, 32))
    model = randomized(Sequential([Input(shape), *cnn(shape, filters=40).layers]))
    found = []
    for threads in (1, 2, 3, 5):
        with minicnn.use_backend("numba", threads=threads):
            found.append(model.infer(x))
    assert all(np.array_equal(y, found[0]) for y in found)


OUT_OF_MEMORY = """
import resource
import numpy as np
from minicnn import Input, Sequential, use_backend
from minicnn.layers import Conv2D

same = {"padding": "same"}
model = Sequential([Input((600, 600, 4)), Conv2D(64, 3, **same), Conv2D(64, 3, **same), Conv2D(1, 3, **same)])
x = np.zeros((IMAGES, 600, 600, 4), np.float32)
with use_backend("numba", threads=THREADS):
    model.infer(x)
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEGABYTES * 2**20,) * 2)
    try:
        model.infer(x)
    except MemoryError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
@pytest.mark.parametrize(
    ("images", "threads", "megabytes"),
    [(1, 1, 60), (2, 2, 60), (1, 1, 220)],  # the last: arrays between stages fit, a padded image does not
    ids=["one thread", "an image per thread", "a stage's own memory"],
)
def test_a_kernel_without_memory_says_so(images, threads, megabytes):
    pytest.importorskip("numba")
    numbers = {"IMAGES": images, "THREADS": threads, "MEGABYTES": megabytes}
    code = re.sub("|".join(numbers), lambda name: str(numbers[name[0]]), OUT_OF_MEMORY)
    environment = os.environ | {"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "the arrays of a kernel" in done.stdout, done.stderr


@pytest.mark.parametrize("layers", [lambda: [Flatten()], lambda: [Dropout(0.5)], lambda: [Activation("linear")]])
def test_predictions_share_no_memory_with_the_samples(backend, layers):
    model, x = Sequential([Input((4,)), *layers()]), numbers((2, 4))
    assert not np.shares_memory(model.predict_on_batch(x), x)
    assert not np.shares_memory(model.predict(x), x)


def test_something_that_is_no_array_is_refused_every_time(backend):
    class Table:
        shape = (2, 3)

        def __len__(self):
            return 2

    model = randomized(Sequential([Input((3,)), Dense(2)]))
    for _ in range(2):
        with pytest.raises(TypeError, match="asarray"):
            model.infer(Table())
        model.infer(numbers((2, 3)))


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [AveragePooling2D(2)],
        lambda: [GlobalAveragePooling2D()],
        lambda: [BatchNormalization(axis=1)],
        lambda: [BatchNormalization(scale=False, center=False)],
        lambda: [Softmax(axis=1)],
        lambda: [Softmax()],
        lambda: [ReLU()],
        lambda: [ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2)],
        lambda: [Flatten()],
        lambda: [Dropout(0.5)],
        lambda: [Dropout(0.5), Flatten(), Dropout(0.5)],
        lambda: [Flatten(), Dense(3), Flatten()],
    ],
    ids=[
        "average",
        "global",
        "axis",
        "constants",
        "softmax axis",
        "softmax",
        "relu",
        "general_relu",
        "flatten",
        "dropout",
        "both",
        "3",
    ],
)
def test_every_layer(backend, layers):
    assert_infers_as_the_textbook(randomized(Sequential([Input((6, 5, 4)), *layers()])), numbers((3, 6, 5, 4)))


@pytest.mark.parametrize(
    "name",
    [
        *("ZeroPadding{}D", "Cropping{}D", "UpSampling{}D", "GlobalMaxPooling{}D", "GlobalAveragePooling{}D"),
        *("SpatialDropout{}D", "Conv{}D"),
    ],
)
@pytest.mark.parametrize("rank", [1, 2])
def test_layers_of_one_and_two_axes(backend, name, rank):
    options = {"Conv{}D": (4, 3, 1, "same"), "SpatialDropout{}D": (0.5,)}.get(name, ())
    more = {"groups": 2, "dilation_rate": 2, "activation": "elu"} if name == "Conv{}D" else {}
    layer, shape = getattr(minicnn.layers, name.format(rank))(*options, **more), (6, 5, 4)[-rank - 1 :]
    assert_infers_as_the_textbook(randomized(Sequential([Input(shape), layer, ReLU()])), numbers((3, *shape)))


@pytest.mark.parametrize(
    "layer",
    [
        lambda: minicnn.layers.LayerNormalization(),
        lambda: minicnn.layers.GroupNormalization(2),
        lambda: minicnn.layers.DepthwiseConv2D(3, activation="relu"),
        lambda: minicnn.layers.SeparableConv2D(5, 3, activation="gelu"),
        lambda: Conv2D(5, 3, activation="silu"),
        lambda: minicnn.layers.Rescaling(0.5),
        lambda: minicnn.layers.Permute((2, 1, 3)),
        lambda: minicnn.layers.Reshape((10, -1)),
        lambda: minicnn.layers.LeakyReLU(),
        lambda: minicnn.layers.ELU(0.5),
    ],
)
def test_layers_with_and_without_steps(backend, layer):
    model = randomized(Sequential([Input((6, 5, 4)), Conv2D(4, 1, activation="relu"), layer(), Flatten(), Dense(3)]))
    assert_infers_as_the_textbook(model, numbers((3, 6, 5, 4)))


def test_images_of_another_size_than_the_first(backend):
    model = Sequential([Input((None, None, 2)), Conv2D(3, 2), ReLU(), GlobalAveragePooling2D(), Dense(2)])
    for side in (5, 8, 5):
        assert_infers_as_the_textbook(model, numbers((2, side, side + 1, 2)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("samples", [1, 9, 70])
def test_activations_after_layers(backend, samples, dtype):
    """Layers with an activation layer behind them are run as one."""
    layers = [Conv2D(32, 3, padding="same"), BatchNormalization(), ReLU(), Conv2D(32, 3), Activation("sigmoid")]
    layers += [MaxPooling2D(2), BatchNormalization(), Activation("tanh"), ReLU(negative_slope=0.5), Flatten(), Dense(7)]
    with_dtype = [type(layer)(**layer.arguments | {"dtype": dtype}) for layer in [*layers, Softmax()]]
    model = randomized(Sequential([Input((11, 10, 3)), *with_dtype]))
    assert_infers_as_the_textbook(model, numbers((samples, 11, 10, 3), dtype))


def test_sequences_in_average_pooling(backend):
    assert_infers_as_the_textbook(Sequential([Input((7, 3)), AveragePooling1D(2)]), numbers((2, 7, 3)))


def test_nan_comes_through(backend):
    model = Sequential([Input((4, 4, 1)), MaxPooling2D(2), Activation("relu"), Flatten()])
    x = numbers((1, 4, 4, 1))
    x[0, 1, 1, 0] = np.nan
    np.testing.assert_array_equal(np.isnan(model.infer(x)), np.isnan(model.forward(x)))


@pytest.mark.parametrize(
    ("relu", "expected"),
    [
        (lambda: ReLU(), [np.nan, np.inf, 0.0, 0.0]),
        (lambda: ReLU(max_value=1.0, negative_slope=0.5), [1.0, 1.0, -np.inf, 0.0]),  # NaN is not below 1
        (lambda: ReLU(negative_slope=0.5), [np.nan, np.inf, -np.inf, 0.0]),
    ],
    ids=["plain", "capped", "leaky"],
)
def test_relu_of_numbers_that_are_not_finite(backend, relu, expected):
    model, x = Sequential([Input((4,)), relu()]), np.array([[np.nan, np.inf, -np.inf, 0.0]], "float32")
    np.testing.assert_array_equal(minicnn.backends.to_host(model.infer(x))[0], expected)
    np.testing.assert_array_equal(minicnn.backends.to_host(model.forward(x))[0], expected)


def test_one_batch_at_once(backend):
    model, x = randomized(cnn()), numbers((5, 9, 8, 3))
    y = model.predict_on_batch(x)
    assert isinstance(y, np.ndarray)
    np.testing.assert_array_equal(y, model.predict(x, batch_size=5))
    assert all(layer.saved is None for layer in model.layers)
    with pytest.raises(ValueError, match="shape"):
        model.predict_on_batch(x[0])
    with pytest.raises(TypeError, match="asarray"):
        model.predict_on_batch(["1.0"])


def test_read_only_and_strided_samples(backend):
    model, x = randomized(cnn()), numbers((12, 9, 8, 6))[::2, :, :, ::2]
    x.flags.writeable = False
    assert_infers_as_the_textbook(model, x)


def test_the_samples_stay_as_they_are(backend):
    model, x = randomized(cnn()), numbers((5, 9, 8, 3))
    before = x.copy()
    model.infer(x)
    np.testing.assert_array_equal(x, before)


def test_results_are_not_overwritten_by_the_next_call(backend):
    model = randomized(cnn())
    first = model.infer(numbers((5, 9, 8, 3)))
    before = first.copy()
    model.infer(numbers((5, 9, 8, 3)))
    np.testing.assert_array_equal(first, before)


def test_threads_of_python(backend):
    model, batches = randomized(cnn()), [numbers((n, 9, 8, 3)) for n in (1, 5, 40, 17)]
    expected = [model.infer(x) for x in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(model.infer, batches * 10))
    for y, y_expected in zip(found, expected * 10, strict=True):
        np.testing.assert_array_equal(y, y_expected)


# what may change between two calls


def test_weights_changed_in_place(backend):
    model, x = randomized(cnn()), numbers((40, 9, 8, 3))
    for samples in (1, 40):
        model.infer(x[:samples])
    for weight in model.weights:
        weight.value *= 0.5
    for samples in (1, 40):
        assert_infers_as_the_textbook(model, x[:samples])


@pytest.mark.parametrize("order", ["C", "F"])
def test_weights_replaced(backend, order):
    model, x = randomized(cnn()), numbers((3, 9, 8, 3))
    model.infer(x)
    for weight in model.weights:
        weight.value = np.asarray(weight.value * 0.5, order=order)
    assert_infers_as_the_textbook(model, x)
    for weight in model.weights:
        weight.value *= 1.5
    assert_infers_as_the_textbook(model, x)


@pytest.mark.usefixtures("needs_numba")
def test_kernels_find_weights_at_the_beginning_of_a_cache_line():
    with minicnn.use_backend("numba"):
        model = cnn()
        new = [weight.value for weight in model.weights]
        model.set_weights(model.get_weights())
        assert {value.ctypes.data % 64 for value in new + [weight.value for weight in model.weights]} == {0}


def test_after_training(backend):
    model, x = randomized(cnn()), numbers((40, 9, 8, 3))
    model.compile("adam", "categorical_crossentropy")
    model.predict(x)
    model.fit(x, np.eye(10)[np.arange(40) % 10], epochs=2, verbose=0)
    assert_infers_as_the_textbook(model, x)


def test_evaluate_and_predict_in_turns(backend):
    model, x, y = randomized(cnn()), numbers((40, 9, 8, 3)), np.eye(10)[np.arange(40) % 10]
    model.compile("adam", "categorical_crossentropy")
    for _ in range(2):
        loss = -np.log(model.predict(x)[np.arange(40), np.arange(40) % 10]).mean()
        np.testing.assert_allclose(model.evaluate(x, y, verbose=0), loss, rtol=1e-4)


def test_another_layer_and_another_activation(backend):
    model, x = randomized(cnn()), numbers((3, 9, 8, 3))
    model.infer(x)
    model.layers[0].activation = "tanh"
    assert_infers_as_the_textbook(model, x)
    model.add(Dense(2))
    assert_infers_as_the_textbook(model, x)


def test_another_shape():
    model = Sequential([Input((None, None, 3)), Conv2D(5, 3, activation="relu"), MaxPooling2D(2)])
    for size in (6, 9, 6, 12):
        assert_infers_as_the_textbook(model, numbers((2, size, size + 1, 3)))


def test_another_backend():
    pytest.importorskip("numba")
    model, x = randomized(cnn()), numbers((3, 9, 8, 3))
    for name in ("numba", "numpy", "numba"):
        with minicnn.use_backend(name):
            assert_infers_as_the_textbook(model, x)


def test_a_copy_has_its_own_weights(backend):
    model, x = randomized(cnn()), numbers((3, 9, 8, 3))
    expected = model.infer(x)
    twin = copy.deepcopy(model)
    for weight in model.weights:
        weight.value *= 0
    np.testing.assert_array_equal(twin.infer(x), expected)


def test_a_deleted_model_frees_its_memory(backend):
    model = cnn()
    model.infer(numbers((3, 9, 8, 3)))
    kernel, gone = weakref.ref(model.layers[0].kernel), weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    assert kernel() is None


# what takes precedence over the compiled network


def test_a_backward_still_belongs_to_the_last_forward(backend):
    model, x, dy = randomized(cnn()), numbers((4, 9, 8, 3)), numbers((4, 10))
    model.layers[5].rate = 0.0
    model.forward(x, training=False)
    expected = model.backward(dy)
    model.forward(x, training=False)
    model.infer(numbers((2, 9, 8, 3)))
    np.testing.assert_array_equal(model.backward(dy), expected)


def test_a_custom_layer(backend):
    class Doubling(Layer):
        def call(self, x, training):
            return x * 2

    class Halving(Dense):
        def call(self, x, training):
            return super().call(x, training) / 2

    class Renamed(Dense):
        pass

    for layer in (Doubling(), Halving(4), Renamed(4)):
        model = randomized(Sequential([Input((6,)), Dense(5), layer]))
        assert_infers_as_the_textbook(model, numbers((3, 6)))


def test_a_layer_s_forward_that_is_replaced(backend):
    model, x, seen = randomized(cnn()), numbers((3, 9, 8, 3)), []
    model.predict(x)
    layer = model.layers[3]
    forward = layer.forward
    layer.forward = lambda x, training=False: seen.append(x.shape) or forward(x, training)
    model.predict(x)
    assert seen == [(3, 4, 4, 5)]
    del layer.forward
    model.predict(x)
    assert len(seen) == 1


def test_a_custom_model(backend):
    class Doubled(Sequential):
        def forward(self, x, training=False):
            return 2 * super().forward(x, training)

    model = Doubled([Input((6,)), Dense(5)])
    x = numbers((3, 6))
    np.testing.assert_allclose(model.predict(x), 2 * Sequential.infer(model, x), rtol=1e-6)
    model.forward = lambda x, training=False: np.zeros((len(x), 1))
    np.testing.assert_array_equal(model.predict(x), 0)


# what is refused


@pytest.mark.parametrize(
    "wrong",
    [
        np.ones((2, 9, 8)),
        np.ones((2, 9, 7, 3)),
        np.ones((0, 9, 8, 3)),
        [[1.0]],
    ],
    ids=["axes", "size", "empty", "no array"],
)
def test_the_errors_are_forward_s(backend, wrong):
    model = cnn()
    model.infer(np.ones((2, 9, 8, 3)))
    with pytest.raises((ValueError, TypeError)) as of_forward:
        model.forward(wrong)
    with pytest.raises(of_forward.type) as of_infer:
        model.infer(wrong)
    assert str(of_infer.value) == str(of_forward.value)


def test_an_image_too_small_for_a_window(backend):
    model = Sequential([Input((None, None, 2)), Conv2D(5, 3), MaxPooling2D(3)])
    model.infer(np.ones((1, 8, 8, 2)))
    with pytest.raises(ValueError, match="max_pooling2d"):
        model.infer(np.ones((1, 4, 4, 2)))


def test_a_model_without_layers():
    with pytest.raises(RuntimeError, match="no layers"):
        Sequential().infer(np.ones((1, 2)))


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_a_compiled_network_refuses_samples_of_another_dtype(backend, dtype):
    model, x = randomized(cnn()), numbers((3, 9, 8, 3))
    run = minicnn.backends.active().compile_inference([step for layer in model.layers for step in layer.steps()])
    weights = [weight.value for weight in model.weights]
    expected = run(x, weights)
    with pytest.raises(TypeError, match="dtype"):
        run(x.astype(dtype), weights)
    np.testing.assert_array_equal(run(x, weights), expected)


@pytest.mark.parametrize("place", range(12))
def test_weights_of_another_shape(backend, place):
    """Kernels would read beyond the end of an array that is too short."""
    model, x = cnn(), numbers((3, 9, 8, 3))
    model.infer(x)
    weight = model.weights[place]
    weight.value = weight.value[..., :-1, :].copy() if weight.value.ndim > 1 else weight.value[:-1].copy()
    with pytest.raises(ValueError):
        model.infer(x)
