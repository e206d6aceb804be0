"""Wrong arguments of public functions: always an error that names the argument, the same on every backend."""

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minicnn
from minicnn import Input, Sequential, callbacks, gradcheck, initializers, losses, metrics, optimizers, plots
from minicnn.datasets import load_fashion_mnist
from minicnn.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Layer, ReLU, Softmax
from minicnn.utils import to_categorical

rng = np.random.default_rng(0)
X, Y = rng.random((6, 4), dtype=np.float32), rng.random((6, 3), dtype=np.float32)
LABELS = np.array([0, 1, 2, 0, 1, 2])
NAN, INF = float("nan"), float("inf")


def model(*inner, loss="mse"):
    minicnn.set_random_seed(3)
    made = Sequential([Input((4,)), *inner, Dense(3)])
    made.compile("adam", loss)
    return made


NO_WHOLE = ("3", 2.0, True, np.timedelta64(2), -1, NAN, [3], 10**30, np.float32(3))
NO_NUMBER = ("0.1", True, np.timedelta64(0), NAN, INF, [0.1], 1j, 10**400, np.array([0.1, 0.2]))
NO_FLAG = ("no", 2, None, [], NAN)
NO_NAME = ("foo", 3, ["relu"], {}, NAN, b"relu", np.array(["relu", "same"]))

WHOLE = {
    "filters": lambda bad: Conv2D(bad, 3),
    "kernel_size": lambda bad: Conv2D(2, (3, bad)),
    "strides": lambda bad: Conv2D(2, 3, strides=(bad, 1)),
    "units": Dense,
    "seed": lambda bad: Dropout(0.5, seed=-1 if isinstance(bad, int) and bad == 10**30 else bad),
    "input_shape": lambda bad: Dense(2, input_shape=(bad,)),
    "Input shape": lambda bad: Input((bad, 3)),
    "batch_size": lambda bad: model().fit(X, Y, batch_size=bad, verbose=0),
    "epochs": lambda bad: model().fit(X, Y, epochs=bad, verbose=0),
    "initial_epoch": lambda bad: model().fit(X, Y, epochs=3, initial_epoch=bad, verbose=0),
    "validation_batch_size": lambda bad: model().fit(X, Y, validation_batch_size=bad, verbose=0),
    "predict batch_size": lambda bad: model().predict(X, bad),
    "num_classes": lambda bad: to_categorical(LABELS, bad),
    "threads": lambda bad: minicnn.use_backend("numba", threads=bad),
    "patience": lambda bad: callbacks.EarlyStopping(patience=bad),
    "samples": lambda bad: gradcheck.check_layer(Dense(2), (3, 4), samples=bad),
    "get_layer index": lambda bad: model().get_layer(index=bad if bad != -1 else 7),
}

NUMBER = {
    "momentum": lambda bad: BatchNormalization(momentum=bad),
    "epsilon": lambda bad: BatchNormalization(epsilon=bad),
    "rate": Dropout,
    "negative_slope": lambda bad: ReLU(negative_slope=bad),
    "learning_rate": optimizers.Adam,
    "beta_1": lambda bad: optimizers.Adam(beta_1=bad),
    "SGD momentum": lambda bad: optimizers.SGD(momentum=bad),
    "weight_decay": lambda bad: optimizers.AdamW(weight_decay=bad),
    "RandomNormal mean": initializers.RandomNormal,
    "stddev": lambda bad: initializers.RandomNormal(stddev=bad),
    "min_delta": lambda bad: callbacks.EarlyStopping(min_delta=bad),
    "validation_split": lambda bad: model().fit(X, Y, validation_split=bad, verbose=0),
    "schedule": lambda bad: model().fit(
        X, Y, verbose=0, callbacks=callbacks.LearningRateScheduler(lambda epoch, rate: bad)
    ),
}

FLAG = {
    "use_bias": lambda bad: Dense(2, use_bias=bad),
    "center": lambda bad: BatchNormalization(center=bad),
    "trainable": lambda bad: Flatten(trainable=bad),
    "set trainable": lambda bad: setattr(model().layers[0], "trainable", bad),
    "download": lambda bad: load_fashion_mnist(download=bad),
    "quiet": lambda bad: load_fashion_mnist(download=False, quiet=bad),
    "nesterov": lambda bad: optimizers.SGD(nesterov=bad),
    "from_logits": losses.CategoricalCrossentropy,
    "shuffle": lambda bad: model().fit(X, Y, shuffle=bad, verbose=0),
    "training": lambda bad: model().forward(X, training=bad),
    "need_dx": lambda bad: [made := model(), made.forward(X), made.backward(Y, need_dx=bad)],
    "return_dict": lambda bad: model().evaluate(X, Y, verbose=0, return_dict=bad),
}

NAME = {
    "padding": lambda bad: Conv2D(2, 3, padding=bad),
    "activation": lambda bad: Dense(2, activation=bad),
    "initializer": lambda bad: Dense(2, kernel_initializer=bad),
    "dtype": lambda bad: Dense(2, dtype=bad),
    "optimizer": lambda bad: model().compile(bad, "mse"),
    "loss": lambda bad: model().compile("adam", bad),
    "metrics": lambda bad: model().compile("adam", "mse", metrics=[bad]),
    "use_backend": minicnn.use_backend,
    "use_device": minicnn.use_device,
    "set_floatx": minicnn.config.set_floatx,
    "mode": lambda bad: callbacks.EarlyStopping(mode=bad),
    "method": lambda bad: gradcheck.check_layer(Dense(2), (3, 4), method=bad),
    "verbose": lambda bad: model().fit(X, Y, verbose=bad),
    "get_layer": lambda bad: model().get_layer(bad),
}


def fit_with(**attributes):
    made = model()
    vars(made).update(attributes)
    made.fit(X, Y, verbose=0)


class TestNumbersAndNames:
    """One bad value of every kind for every argument."""

    @pytest.mark.parametrize(
        ("argument", "call", "bad"),
        [
            pytest.param(argument, call, bad, id=f"{argument}-{bad!r:.12}")
            for table, values in ((WHOLE, NO_WHOLE), (NUMBER, NO_NUMBER), (FLAG, NO_FLAG), (NAME, NO_NAME))
            for argument, call in table.items()
            for bad in values
        ],
    )
    def test_is_refused_by_name(self, argument, call, bad):
        with pytest.raises((ValueError, TypeError), match=f"(?s){argument.split()[-1]}.*expected .*found"):
            call(bad)

    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (lambda: BatchNormalization(momentum=2), "momentum.*up to, but not including, 1.*found 2"),
            (lambda: model().fit(X, Y, validation_split=1.0), "validation_split.*1.0"),
            (lambda: model().fit(X, Y, epochs=2, initial_epoch=3), "initial_epoch.*found 3.*0 to 2"),
            (lambda: model().fit(X, Y, shuffle="batch"), "shuffle.*'batch'"),
            (lambda: model().fit(X, Y, callbacks=[callbacks.Callback]), "callbacks.*Callback objects"),
            (lambda: Softmax(axis=(0, 1)), "axis"),
            (lambda: Dense(10**5000), "units: expected a positive whole number, found an unprintable int"),
            (lambda: model().fit(X, Y, verbose=np.timedelta64(1)), "verbose"),
            (lambda: initializers.HeNormal()(10**30), "HeNormal shape: expected a tuple of positive lengths"),
            (lambda: initializers.Zeros()((2.5,)), "Zeros shape: expected a tuple of positive lengths"),
            (lambda: plots.plot_history({"loss": [1, 2]}, title=3), "title: expected a string, found 3"),
            (lambda: plots.plot_samples(np.ones((3, 0, 8)), LABELS[:3], ["a", "b", "c"]), "plot_samples: images"),
            (lambda: setattr(model().weights[0], "value", None), "dense/kernel: expected a value that is an array"),
            (lambda: setattr(model().weights[0], "value", [[1.0]]), "dense/kernel: expected a value that is an array"),
            (lambda: plots.save_figure(3, "figure.png"), "save_figure: expected a figure, found 3"),
            (lambda: optimizers.Adam().set_state(1, [], 3), "Adam set_state: expected a list of parameters, found 3"),
            (lambda: fit_with(optimizer=5), "optimizer: expected the name of an optimiser, found 5"),
            (lambda: fit_with(loss=None), "loss: expected the name of a loss, found None"),
            (lambda: model().get_layer("dance"), "'dance'.*dense"),
            (lambda: model().summary(print_fn=3), "print_fn"),
            (lambda: initializers.get({"class": "Zeros"}), "initializer.*config"),
            (lambda: callbacks.LearningRateScheduler(lambda: 1), "schedule: expected a function of epoch"),
            (lambda: (made := model()).add(made.layers[0]), "every layer once"),
        ],
    )
    def test_special_cases(self, call, words):
        with pytest.raises((ValueError, TypeError), match=words):
            call()

    def test_numpys_numbers_are_numbers(self):
        made = Sequential([Input((np.int64(4),)), Dense(np.uint8(3)), Dropout(np.float32(0.5))])
        made.compile(optimizers.SGD(np.float64(0.1)), "mse")
        made.fit(X, Y, batch_size=np.int64(3), epochs=np.int16(1), shuffle=np.True_, verbose=np.int64(0))

    @pytest.mark.parametrize("bad", [3, None, [], "", "a\0b", 1.5, object()])
    def test_paths(self, bad):
        for call in (model().save, model().save_weights, Sequential.load, model().load_weights):
            with pytest.raises((ValueError, TypeError), match="expected a path, found"):
                call(bad)
        for call in (callbacks.ModelCheckpoint, callbacks.CSVLogger):
            with pytest.raises((ValueError, TypeError), match=r"file(path|name): expected a path, found"):
                call(bad)


class Foreign:
    """An array of another library, as NumPy sees it."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)


class OnAnotherGpu:
    """A CUDA array of another library than CuPy, such as PyTorch."""

    def __init__(self, array):
        self.shape, self.dtype = array.shape, array.dtype
        self.__cuda_array_interface__ = {"shape": self.shape, "typestr": "<f4", "data": (0, False), "version": 3}

    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu()")


class Broken:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("this tensor cannot be read")


TAKEN = {
    "float64": lambda a: a.astype(np.float64),
    "float16": lambda a: a.astype(np.float16),
    "long double": lambda a: a.astype(np.longdouble),
    "big-endian": lambda a: a.astype(">f4"),
    "uint8": lambda a: (9 * a).astype(np.uint8),
    "int64": lambda a: (9 * a).astype(np.int64),
    "bool": lambda a: a > 0.5,
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "Fortran order": np.asfortranarray,
    "backwards": lambda a: a[::-1].copy()[::-1],
    "list": lambda a: a.tolist(),
    "list of arrays": list,
    "matrix": np.asmatrix,
    "memoryview": memoryview,
    "__array__": Foreign,
    "nothing masked": np.ma.array,
}

REFUSED = {
    "object": lambda a: a.astype(object),
    "string": lambda a: a.astype(str),
    "bytes": lambda a: a.astype("S8"),
    "complex": lambda a: a.astype(complex),
    "datetime": lambda a: np.full(a.shape, "2020-01-01", "M8[D]"),
    "timedelta": lambda a: np.full(a.shape, 3, "m8[D]"),
    "structured": lambda a: np.zeros(a.shape, "f4,i4"),
    "masked": lambda a: np.ma.array(a, mask=a > np.median(a)),
    "list of masked": lambda a: [np.ma.array(row, mask=row > row.min()) for row in a],
    "ragged": lambda a: [[1.0], [1.0, 2.0]],
    "generator": lambda a: (row for row in a),
    "None in it": lambda a: [None] * len(a),
    "dict": lambda a: {"a": a},
    "number": lambda a: 3.0,
    "empty": lambda a: a[:0],
    "broken": lambda a: Broken(),
    "on another GPU": OnAnotherGpu,
    "text": lambda a: "abc",
}

CALLS = {
    "fit x": lambda x: model().fit(x, Y, batch_size=4, verbose=0).history["loss"],
    "fit y": lambda y: model().fit(X, y, batch_size=4, verbose=0).history["loss"],
    "validation x": lambda x: model().fit(X, Y, validation_data=(x, Y), verbose=0).history["val_loss"],
    "evaluate x": lambda x: model().evaluate(x, Y, verbose=0),
    "evaluate y": lambda y: model().evaluate(X, y, verbose=0),
    "predict x": lambda x: model().predict(x),
    "predict_on_batch x": lambda x: model().predict_on_batch(x),
    "train_on_batch x": lambda x: model().train_on_batch(x, Y),
    "train_step x": lambda x: model().train_step(x, Y)[0],
    "train_step y": lambda y: model().train_step(X, y)[0],
    "forward x": lambda x: model().forward(x),
    "infer x": lambda x: model().infer(x),
    "loss y_true": lambda y: losses.MeanSquaredError().forward(y, Y),
    "cross-entropy y_true": lambda y: losses.CategoricalCrossentropy(from_logits=True).forward(y, Y),
    "accuracy y_true": lambda y: [accuracy := metrics.get("accuracy"), accuracy.update_state(y, Y), accuracy.result()][
        -1
    ],
    "set_weights": lambda y: [made := model(Dense(6)), made.layers[1].set_weights([y, Y[0]]), made.predict(X)][-1],
    "check_layer x": lambda x: gradcheck.check_layer(Dense(2), x, samples=3).findings[0].error < 1e-6,
}


def outcome(call, array):
    """The numbers that come out, or the error's class and message."""
    try:
        return np.asarray(minicnn.to_host(call(array)), np.float64)
    except (TypeError, ValueError) as error:
        return type(error), str(error)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(CALLS)), st.sampled_from(sorted(TAKEN | REFUSED)))
def test_every_kind_of_array_has_one_outcome_on_all_backends(name_of_call, kind):
    array = X if name_of_call.split()[-1] == "x" else Y
    outcomes = []
    for backend in ("numpy", "numba"):
        with minicnn.use_backend(backend):
            outcomes.append(outcome(CALLS[name_of_call], (TAKEN | REFUSED)[kind](array)))
    assert isinstance(outcomes[0], tuple) == (kind in REFUSED), outcomes[0]
    if kind in REFUSED:
        assert outcomes[0] == outcomes[1]
        assert "expected" in outcomes[0][1]
    else:
        np.testing.assert_allclose(outcomes[0], outcomes[1], rtol=1e-3, atol=1e-5)


def test_data_frames_and_series(backend):
    sparse = model(loss=losses.SparseCategoricalCrossentropy(from_logits=True))
    expected, frame, series = sparse.predict(X), pandas.DataFrame(X), pandas.Series(LABELS, index=list("abcdef"))
    np.testing.assert_array_equal(sparse.predict(frame), expected)
    np.testing.assert_array_equal(sparse.predict_on_batch(frame), expected)
    assert sparse.evaluate(frame, series, verbose=0) == sparse.evaluate(X, LABELS, verbose=0)
    np.testing.assert_array_equal(to_categorical(series), to_categorical(LABELS))
    sparse.set_weights([pandas.DataFrame(w) if w.ndim == 2 else pandas.Series(w) for w in sparse.get_weights()])
    sparse.train_step(frame, series)
    sparse.fit(frame, series, verbose=0)
    with pytest.raises(TypeError, match="x of numbers, found .*DataFrame of dtype object"):
        sparse.predict(frame.assign(name="shoe"))


def test_numbers_that_float32_cannot_hold(backend):
    huge = np.where(X.max() == X, 1e300, X.astype(np.float64))
    for call in (model().predict, lambda x: model().fit(x, Y, verbose=0), lambda x: model().evaluate(x, Y, verbose=0)):
        with pytest.raises(ValueError, match="finite x.*float32"):
            call(huge)


class Doubling(Layer):
    """A custom layer without a mistake."""

    def build(self, input_shape):
        self.scale = self.add_weight("scale", input_shape[-1:], "ones")

    def call(self, x, training):
        self.saved = x
        return 2 * x * self.scale.value

    def call_backward(self, dy, need_dx):
        self.scale.grad = (2 * dy * self.saved).sum(axis=0)
        return 2 * dy * self.scale.value


def keep(self, x):
    self.saved = ()
    return x


MISTAKES = {
    "call(self, x)": ({"call": lambda self, x: x}, "call.*a function of x, training"),
    "call_backward(self, dy)": ({"call_backward": lambda self, dy: dy}, "call_backward.*a function of dy, need_dx"),
    "build(self)": ({"build": lambda self: None}, "build.*a function of input_shape"),
    "no super().__init__": ({"__init__": lambda self: None}, r"Mine __init__.*super\(\).__init__"),
    "no saved": ({"call": lambda self, x, training: x}, "self.saved"),
    "call returns None": ({"call": lambda self, x, training: keep(self, None)}, "call: expected y.*found NoneType"),
    "y of float64": ({"call": lambda self, x, training: keep(self, x.astype("f8"))}, "call: expected y.*found float64"),
    "y of another shape": (
        {"call": lambda self, x, training: keep(self, x[:, :1])},
        r"'mine' call: expected y.*found .*, 1\)",
    ),
    "shape that is none": ({"compute_output_shape": lambda self, shape: 3}, "compute_output_shape.*found 3"),
    "build forgotten": ({"build": lambda self, input_shape: None}, "no scale.*build.*add_weight"),
    "grad forgotten": ({"call_backward": lambda self, dy, need_dx: dy}, "scale.grad.*found NoneType"),
    "no call": ({"call": Layer.call}, r"a method call\(self, x, training\)"),
}


def backward_with(dx=lambda dy: dy, grad=lambda product: product.sum(axis=0)):
    def call_backward(self, dy, need_dx):
        self.scale.grad = grad(dy * self.saved)
        return dx(dy)

    return {"call_backward": call_backward}


MISTAKES |= {
    "dx None": (backward_with(dx=lambda dy: None), "call_backward: expected dx.*found NoneType"),
    "dx of another shape": (backward_with(dx=lambda dy: dy[:, :1]), r"call_backward: expected dx.*\(6, 1\)"),
    "dx of float64": (backward_with(dx=lambda dy: dy.astype("f8")), "call_backward: expected dx.*found float64"),
    "grad without sum": (backward_with(grad=lambda product: product), r"scale.grad.*\(4,\).*\(6, 4\)"),
    "grad a list": (backward_with(grad=lambda product: product.sum(0).tolist()), "scale.grad.*found list"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_custom_layers(backend, mistake):
    methods, words = MISTAKES[mistake]
    mine = type("Mine", (Doubling,), methods)
    errors = (TypeError, ValueError, RuntimeError, AttributeError)
    with pytest.raises(errors, match=words):
        model(Dense(4), mine()).fit(X, Y, verbose=0)


@pytest.mark.parametrize("mistake", ["call(self, x)", "no super().__init__", "call returns None", "build forgotten"])
def test_gradcheck_names_mistakes_too(mistake):
    methods, words = MISTAKES[mistake]
    mine = type("Mine", (Doubling,), methods)
    with pytest.raises((TypeError, AttributeError), match=words):
        gradcheck.check_layer(mine(), (6, 4))


def test_a_custom_layer_without_a_mistake_is_accepted(backend):
    model(Dense(4), Doubling()).fit(X, Y, verbose=0)
    gradcheck.check_layer(Doubling(), (6, 4)).raise_if_wrong()


class TestCallbacks:
    def test_wrong_signature(self):
        mine = type("Mine", (callbacks.Callback,), {"on_epoch_end": lambda self: None})
        with pytest.raises(TypeError, match="Mine on_epoch_end: expected a function of epoch, logs"):
            model().fit(X, Y, callbacks=[mine()], verbose=0)

    @pytest.mark.parametrize("path", ["{nonsense}", "{epoch:zz}", "{", "{}"])
    def test_wrong_fields_in_a_path(self, tmp_path, path):
        with pytest.raises(ValueError, match="filepath.*Known: {epoch}, {loss}"):
            model().fit(X, Y, callbacks=callbacks.ModelCheckpoint(f"{tmp_path}/{path}"), verbose=0)
