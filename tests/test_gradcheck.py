"""Gradient checks find planted mistakes, name them, and change nothing."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import minicnn
from minicnn.backends.textbook import dense, dense_backward
from minicnn.backends.textbook.windows import im2col
from minicnn.gradcheck import GradientError, check_layer, check_loss, check_model, check_operation
from minicnn.layers import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    Layer,
    MaxPooling2D,
    ReLU,
    Softmax,
)
from minicnn.losses import CategoricalCrossentropy, MeanSquaredError


@pytest.fixture(autouse=True)
def _textbook():
    with minicnn.use_backend("numpy"):
        yield


def planted(layer, mistake):
    """The layer with a mistake in its backward, which returns mistake(layer, dy, dx) for the correct dx."""
    right = layer.call_backward

    def call_backward(dy, need_dx):
        return mistake(layer, dy, right(dy, True))

    layer.call_backward = call_backward
    return layer


def grad_of(name, change):
    """A mistake in one parameter's gradient."""

    def mistake(layer, dy, dx):
        parameter = getattr(layer, name)
        parameter.grad = change(parameter.grad)
        return dx

    return mistake


def batch_norm_without(*paths):
    """Batch norm's dx without the gradient through these paths."""

    def mistake(layer, dy, dx):
        axes, M = tuple(range(dy.ndim - 1)), dy.size // dy.shape[-1]
        x = layer.x_seen
        std = np.sqrt(x.var(axis=axes) + layer.epsilon)
        normalized = (x - x.mean(axis=axes)) / std
        dcentred = dy.copy()
        if "mean" not in paths:
            dcentred -= dy.sum(axis=axes) / M
        if "variance" not in paths:
            dcentred -= normalized * (dy * normalized).sum(axis=axes) / M
        return layer.gamma.value / std * dcentred

    layer = planted(BatchNormalization(), mistake)
    call = layer.call

    def remembering(x, training):
        layer.x_seen = x
        return call(x, training)

    layer.call = remembering
    return layer


def border_spoilt(dx):
    dx = dx.copy()
    dx[:, -1] = 0
    return dx


def one_sample_wrong(dx):
    dx = dx.copy()
    dx[1] *= 1.5
    return dx


class LoopedDense(Layer):
    """A dense layer whose loop over the samples overwrites the kernel's gradient instead of adding to it."""

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 3)

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], 3), "glorot_uniform")

    def call(self, x, training):
        self.saved = x
        return x @ self.kernel.value

    def call_backward(self, dy, need_dx):
        for n in range(len(dy)):
            self.kernel.grad = np.outer(self.saved[n], dy[n])
        return dy @ self.kernel.value.T


class UntransposedDense(LoopedDense):
    """dx = dy · kernel: with as many inputs as outputs, no shape shows the mistake."""

    def call_backward(self, dy, need_dx):
        self.kernel.grad = self.saved.T @ dy
        return dy @ self.kernel.value


class UnturnedConv(Layer):
    """A 3×3 convolution whose dx slides the kernel over dy without turning it by 180°."""

    axes = ("batch", "height", "width", "channels")

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2)

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (3, 3, input_shape[-1], 2), "glorot_uniform")

    def call(self, x, training):
        self.saved = im2col(x, (3, 3), (1, 1), "same")
        return np.tensordot(self.saved, self.kernel.value, 3)

    def call_backward(self, dy, need_dx):
        self.kernel.grad = np.tensordot(self.saved, dy, ((0, 1, 2), (0, 1, 2)))
        return np.tensordot(im2col(dy, (3, 3), (1, 1), "same"), self.kernel.value.swapaxes(-1, -2), 3)


class AccumulatingDense(LoopedDense):
    def call_backward(self, dy, need_dx):
        dkernel = self.saved.T @ dy
        self.kernel.grad = dkernel if self.kernel.grad is None else self.kernel.grad + dkernel
        return dy @ self.kernel.value.T


class Square(Layer):
    """y = x², with an optional mistake: it changes an array that it must not change, for example."""

    def __init__(self, mistake, **options):
        super().__init__(**options)
        self.mistake, self.buffer, self.count = mistake, None, 0

    def call(self, x, training):
        self.saved = x if self.mistake == "writes into x" else x.copy()
        self.count += 1
        y = x * x + (self.count if self.mistake == "remembers" else 0)
        if self.mistake == "reuses y":
            self.buffer = y if self.buffer is None else self.buffer
            self.buffer[:] = y
            return self.buffer
        return y

    def call_backward(self, dy, need_dx):
        dx = 2 * self.saved * dy
        if self.mistake == "writes into dy":
            dy *= 2 * self.saved
            return dy
        if self.mistake == "writes into x":
            self.saved *= 2 * dy
            return self.saved
        if self.mistake == "conditions on dy":
            return np.where(dy > 0, dx, 0)
        return dx


CONV = (3, 6, 5, 2)

WRONG_GRADIENTS = {
    # what a check with an all-ones upstream gradient cannot see
    "softmax backward of zeros": (planted(Softmax(), lambda _, dy, dx: 0 * dx), (3, 4), "dx", "all zeros"),
    "batch norm backward of zeros": (planted(BatchNormalization(), lambda _, dy, dx: 0 * dx), CONV, "dx", "all zeros"),
    # not a gradient
    "no dx": (planted(ReLU(), lambda *_: None), CONV, "dx", "dx is None: backward must return it"),
    "no kernel gradient": (planted(Dense(3), grad_of("kernel", lambda g: None)), (3, 4), "kernel.grad", "must set it"),
    "transposed shape": (
        planted(Dense(3), grad_of("kernel", np.transpose)),
        (3, 4),
        "kernel.grad",
        "it has shape (3, 4), but kernel has shape (4, 3). It is transposed",
    ),
    "samples apart": (
        planted(Dense(3), grad_of("bias", lambda g: np.stack([g, g]))),
        (2, 4),
        "bias.grad",
        "sum over the first axis",
    ),
    "not reshaped": (planted(Flatten(), lambda _, dy, dx: dy), CONV, "dx", "only .reshape((3, 6, 5, 2)) is missing"),
    "NaN": (planted(ReLU(), lambda _, dy, dx: np.where(dx == 0, np.nan, dx)), CONV, "dx", "NaN or infinite"),
    # factors
    "sign flipped": (planted(Dense(3), grad_of("bias", np.negative)), (3, 4), "bias.grad", "sign is flipped"),
    "mean over the batch": (
        planted(Conv2D(3, 3), grad_of("kernel", lambda g: g / 3)),
        CONV,
        "kernel.grad",
        "0.3333 times the true gradient, everywhere. 3 is the batch size: the mean over the batch is taken once too",
    ),
    "mean over positions": (
        planted(Conv2D(3, 3), grad_of("bias", lambda g: g / 36)),
        CONV,
        "bias.grad",
        "36 is the number of rows",
    ),
    "average pooling without its mean": (
        planted(AveragePooling2D(2), lambda _, dy, dx: 4 * dx),
        (2, 4, 8, 3),
        "dx",
        "4 is the number of inputs to each output",
    ),
    "counted twice": (planted(ReLU(), lambda _, dy, dx: 2 * dx), (3, 4), "dx", "counted twice"),
    "a strange factor": (planted(ReLU(), lambda _, dy, dx: 1.7 * dx), (3, 4), "dx", "1.7 times"),
    "dropout not scaled": (planted(Dropout(0.4), lambda _, dy, dx: 0.6 * dx), (5, 8), "dx", "0.6 times"),
    "dy not used": (planted(ReLU(), lambda layer, dy, dx: dx / dy), (3, 4), "dx", "a dy of ones: dy is not used"),
    # wrong positions
    "kernel gradient transposed": (
        planted(Dense(4), grad_of("kernel", np.transpose)),
        (3, 4),
        "kernel.grad",
        "it is transposed",
    ),
    "axes in the wrong order": (
        planted(Conv2D(2, 3), grad_of("kernel", lambda g: g.swapaxes(2, 3))),
        CONV,
        "kernel.grad",
        "transpose(0, 1, 3, 2) corrects it",
    ),
    "kernel gradient turned": (
        planted(Conv2D(3, (3, 2)), grad_of("kernel", lambda g: g[::-1, ::-1])),
        CONV,
        "kernel.grad",
        "turned by 180°: reversed along its rows and columns",
    ),
    "padding cut at the wrong end": (
        planted(Conv2D(3, 3, padding="same"), lambda _, dy, dx: np.roll(dx, 1, axis=1)),
        CONV,
        "dx",
        "shifted by (1, 0) pixels: the padding",
    ),
    # parts of a sum
    "the last sample alone": (LoopedDense(), (3, 4), "kernel.grad", "the contribution of only sample 2 of 3"),
    "softmax's diagonal alone": (
        planted(Softmax(), lambda layer, dy, dx: dy * layer.saved.values[0] * (1 - layer.saved.values[0])),
        (3, 4),
        "dx",
        "only its own output (the Jacobian's diagonal)",
    ),
    "softmax without its sum": (
        planted(Softmax(), lambda layer, dy, dx: dy * layer.saved.values[0]),
        (3, 4),
        "dx",
        "the path through softmax's sum",
    ),
    "batch norm without the mean": (batch_norm_without("mean"), CONV, "dx", "constant for each channel: the path thr"),
    "batch norm without the variance": (
        batch_norm_without("variance"),
        CONV,
        "dx",
        "the path through the variance is missing",
    ),
    "batch norm without both": (batch_norm_without("mean", "variance"), CONV, "dx", "through the mean and through"),
    "batch norm without gamma": (
        planted(BatchNormalization(), lambda layer, dy, dx: dx / layer.gamma.value),
        CONV,
        "dx",
        "It is 1 / gamma: a factor gamma is missing",
    ),
    "a factor for each filter": (
        planted(Conv2D(3, 3), grad_of("kernel", lambda g: g * (2.0, 0.3, 4.0))),
        CONV,
        "kernel.grad",
        "each filter is off by a different factor (2, 0.3, 4)",
    ),
    "a gradient of a constant": (
        planted(ReLU(), lambda _, dy, dx: dy),
        -np.arange(1.0, 7.0).reshape(2, 3),
        "dx",
        "y does not depend on x, but the backward returns another gradient",
    ),
    # another layer's backward
    "kernel not transposed": (UntransposedDense(), (2, 3), "dx", "if the kernel were transposed"),
    "kernel not turned": (UnturnedConv(), CONV, "dx", "if the kernel were turned by 180°"),
    "no activation": (
        planted(Dense(3, activation="tanh"), lambda layer, dy, dx: dy @ layer.kernel.value.T),
        (3, 4),
        "dx",
        "it would be right without the tanh: begin the backward with dz = dy · tanh'(z)",
    ),
    # right at some positions
    "wrong at the border": (
        planted(Conv2D(3, 3, padding="same"), lambda _, dy, dx: border_spoilt(dx)),
        CONV,
        "dx",
        "wrong within 1 of the border (the last row)",
    ),
    "one sample wrong": (
        planted(MaxPooling2D(2), lambda _, dy, dx: one_sample_wrong(dx)),
        CONV,
        "dx",
        "right for 2 of 3 samples and wrong for sample 1",
    ),
    "a channel wrong": (
        planted(Dense(3), grad_of("kernel", lambda g: g * (1, 1.5, 1))),
        (3, 4),
        "kernel.grad",
        "right for 2 of 3 outputs and wrong for output 1",
    ),
    "ReLU without its mask": (planted(ReLU(), lambda _, dy, dx: dy), (4, 5), "dx", "wrong where x < 0, and only there"),
    "noise": (
        planted(ReLU(), lambda _, dy, dx: dx + np.cos(np.arange(dx.size)).reshape(dx.shape)),
        (4, 5),
        "dx",
        "No common mistake explains it",
    ),
}


@pytest.mark.parametrize(("layer", "shape", "quantity", "why"), WRONG_GRADIENTS.values(), ids=WRONG_GRADIENTS)
def test_a_wrong_gradient_is_found_and_explained(layer, shape, quantity, why):
    report = check_layer(layer, shape)
    assert not report
    assert not report.ok
    assert [finding.quantity for finding in report.findings if finding.error is not None and not finding.ok] == [
        quantity
    ], report
    assert f"{quantity}: " in report.diagnosis
    assert why in report.diagnosis


MISBEHAVIOUR = {
    "accumulates": (AccumulatingDense(), "kernel.grad, twice the first: it accumulates"),
    "writes into dy": (Square("writes into dy"), "backward writes into dy"),
    "writes into x": (Square("writes into x"), "backward writes into x"),
    "remembers": (Square("remembers"), "the second forward of the same x gives another y"),
    "conditions on dy": (Square("conditions on dy"), "dx is not linear in dy"),
    "reuses y": (Square("reuses y"), "the next batch overwrites y"),
}


@pytest.mark.parametrize(("layer", "why"), MISBEHAVIOUR.values(), ids=MISBEHAVIOUR)
def test_broken_rules_are_found_and_explained(layer, why):
    assert why in check_layer(layer, (3, 4)).diagnosis


def test_parameters_are_needed_without_dx_too():
    layer = Dense(3)
    right = layer.call_backward

    def call_backward(dy, need_dx):
        if need_dx:
            return right(dy, need_dx)
        layer.kernel.grad = None
        return None

    layer.call_backward = call_backward
    assert "backward(dy, need_dx=False) gives another kernel.grad" in check_layer(layer, (3, 4)).diagnosis


class WrongMean(MeanSquaredError):
    def backward(self):
        return super().backward() * 3


class Unfused(CategoricalCrossentropy):
    def backward(self):
        return super().backward() * 2


def test_a_wrong_loss_is_found_and_explained():
    y_true, y_pred = np.random.default_rng(0).random((2, 3, 4))
    assert "3 is the batch size: a mean over the batch" in check_loss(WrongMean(), y_true, y_pred).diagnosis
    assert check_loss("mse", y_true, y_pred)


def small_model(*layers, loss="sparse_categorical_crossentropy"):
    model = minicnn.Sequential([Input((6, 5, 2)), Conv2D(3, 3, activation="relu"), *layers, Flatten(), Dense(4)])
    model.add(Softmax())
    model.compile("adam", loss)
    return model


X = np.random.default_rng(1).standard_normal((3, 6, 5, 2))
LABELS = np.array([0, 3, 1])


def test_a_wrong_layer_in_a_model_is_found():
    wrong = planted(Dropout(0.3), lambda _, dy, dx: -dx)
    report = check_model(small_model(wrong), X, LABELS)
    assert [found.quantity for found in report.findings if not found.ok] == [
        "dx",
        "conv2d/kernel.grad",
        "conv2d/bias.grad",
    ]
    assert "sign is flipped" in report.diagnosis


@pytest.mark.parametrize("method", ["central", "complex"])
def test_a_right_model_passes(method, backend):
    report = check_model(small_model(Dropout(0.3), BatchNormalization()), X, LABELS, method=method)
    report.raise_if_wrong()
    assert report
    assert "WRONG" not in str(report)


@pytest.mark.parametrize("method", ["central", "complex"])
def test_operations_are_checked_by_the_names_of_their_arrays(method):
    rng = np.random.default_rng(0)
    arrays = {"x": rng.standard_normal((3, 4)), "kernel": rng.standard_normal((4, 2)), "bias": rng.standard_normal(2)}
    forward = partial(dense, activation="sigmoid")
    assert check_operation(forward, dense_backward, arrays, method=method)

    def backward(dy, saved):
        dx, dkernel, dbias = dense_backward(dy, saved)
        return dx, 3 * dkernel, dbias

    report = check_operation(forward, backward, arrays, method=method)
    assert [found.quantity for found in report.findings if not found.ok] == ["dkernel"]


def test_the_error_of_raise_if_wrong_is_the_report():
    report = check_layer(planted(ReLU(), lambda _, dy, dx: -dx), (3, 4))
    with pytest.raises(GradientError, match="sign is flipped") as caught:
        report.raise_if_wrong()
    assert str(caught.value) == str(report) == repr(report)


def test_near_ties_need_the_complex_step():
    """At 10⁻⁷ from a kink a central difference uses points on both sides; the complex step stays on one."""
    x = np.array([[-1e-7, 1e-7, 2.0]])
    assert not check_layer(ReLU(), x, method="central")
    assert check_layer(ReLU(), x, method="complex")
    tied = np.array([1.0, 1 + 1e-7, 1 - 1e-7, 0.0]).reshape(1, 2, 2, 1)
    assert not check_layer(MaxPooling2D(), tied, method="central")
    assert check_layer(MaxPooling2D(), tied, method="complex")


class Absolute(Layer):
    """np.abs makes complex numbers real: the imaginary part, which the complex step reads, is lost."""

    def call(self, x, training):
        self.saved = np.sign(x)
        return np.abs(x)

    def call_backward(self, dy, need_dx):
        return dy * self.saved


class CastToReal(Absolute):
    def call(self, x, training):
        y = np.zeros(x.shape)
        y[:] = x
        self.saved = np.ones(x.shape)
        return y.astype(x.dtype)


class PositiveOnly(Layer):
    def call(self, x, training):
        self.saved = ()
        return np.where(x > 0, x, np.nan)


@pytest.mark.parametrize("layer", [Absolute(), CastToReal()], ids=lambda layer: layer.name)
def test_a_forward_that_takes_no_complex_numbers_is_named(layer):
    assert check_layer(layer, (3, 4))
    with pytest.raises(TypeError, match='use method="central"'):
        check_layer(layer, (3, 4), method="complex")


def test_nothing_is_changed():
    layer = BatchNormalization()
    y = layer.forward(np.float32(X), training=True)
    layer.backward(y)
    weights, grads = layer.get_weights(), [parameter.grad.copy() for parameter in layer.parameters()]
    assert check_layer(layer, X)
    assert layer.dtype == np.float32
    for before, after in zip(weights, layer.get_weights(), strict=True):
        assert after.dtype == np.float32
        np.testing.assert_array_equal(before, after)
    for before, parameter in zip(grads, layer.parameters(), strict=True):
        np.testing.assert_array_equal(before, parameter.grad)
    dropout = Dropout(0.5, seed=3)
    check_layer(dropout, (3, 4))
    assert dropout.get_state() == {"seed": 3, "calls": 0}


def test_an_unbuilt_layer_can_be_used_after_its_check():
    layer = Dense(3)
    assert check_layer(layer, (2, 4))
    assert layer.forward(np.zeros((5, 4), np.float32)).shape == (5, 3)
    assert len(layer.get_weights()) == 2


def test_a_failing_check_changes_nothing():
    layer = CastToReal()
    with pytest.raises(TypeError):
        check_layer(layer, (3, 4), method="complex")
    assert layer.dtype == np.float32


def test_a_dead_layer_has_a_right_gradient():
    assert check_layer(ReLU(), -np.ones((2, 3)))


def test_large_arrays_are_sampled():
    findings = check_layer(Dense(20), (3, 30), samples=7).findings
    assert [finding.entries for finding in findings[:3]] == ["7 of 90", "7 of 600", "7 of 20"]


def test_the_seed_decides_what_is_drawn():
    shape, layer = (3, 40), Dense(3, activation="sigmoid")
    errors = [[found.error for found in check_layer(layer, shape, seed=seed).findings] for seed in (1, 1, 2)]
    assert errors[0] == errors[1] != errors[2]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: check_layer(Dense, (2, 3)), TypeError, "Layers are objects"),
        (lambda: check_layer(Dense(2), (2, 3), method="complexstep"), ValueError, "Did you mean 'complex'"),
        (lambda: check_layer(Dense(2), [[1.0, np.nan]]), ValueError, "finite numbers"),
        (lambda: check_layer(PositiveOnly(), (2, 3)), ValueError, "finite outputs of the forward"),
        (lambda: check_layer(Dense(2), np.zeros((0, 3))), ValueError, "at least one number"),
        (lambda: check_layer(Conv2D(2, 3), (2, 9, 9)), ValueError, "add it: x"),
        (lambda: check_loss("mean_squared", [1.0], [1.0]), ValueError, "Did you mean 'mean_squared_error'"),
        (lambda: check_model(minicnn.Sequential([Dense(2)]), X, LABELS), RuntimeError, "compile"),
        (
            lambda: check_operation(lambda x, k: (x * k, None), lambda dy, saved: dy, {"x": [1.0], "k": [2.0]}),
            ValueError,
            "expected 2 gradients, of x, k, found 1",
        ),
    ],
    ids=["a class", "method", "NaN", "NaN in y", "empty", "rank", "loss name", "not compiled", "gradients missing"],
)
def test_errors_say_what_to_do(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_report_prints_a_table_and_wraps_its_diagnosis():
    layer = planted(Dense(3, name="mine"), grad_of("kernel", lambda g: g / 2))
    lines = str(check_layer(layer, (2, 4))).splitlines()
    assert lines[0] == "Dense 'mine', training=True: (2, 4) -> (2, 3), central differences, backend numpy"
    assert lines[2].split() == ["entries", "error", "tolerance", "verdict"]
    assert lines[3].split()[:4] == ["dx", "8", "of", "8"]
    assert lines[3].endswith("right")
    assert lines[4].split() == ["kernel.grad", "12", "of", "12", "5e-01", "1e-06", "WRONG"]
    assert "kernel.grad: it is 0.5 times the true gradient, everywhere. 2 is the batch size" in "\n".join(lines)
    assert max(map(len, lines)) <= 100
