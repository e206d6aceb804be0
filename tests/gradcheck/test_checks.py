"""Gradient checks: right gradients pass, whatever the scale; nothing is changed; errors say what to do."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
from wrong_layers import mean_over_batch, planted

import minicnn
from minicnn.backends.textbook import dense, dense_backward
from minicnn.gradcheck import GradientError, check_layer, check_loss, check_model, check_operation
from minicnn.layers import (
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


@pytest.fixture(autouse=True)
def _textbook():
    with minicnn.use_backend("numpy"):
        yield


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


@pytest.mark.parametrize("method", ["central", "complex"])
def test_kinks_within_reach_of_the_step_are_no_mistakes(method):
    assert check_layer(ReLU(), np.array([[-1e-7, 1e-7, 2.0]]), method=method)
    tied = np.array([1.0, 1 + 1e-7, 1 - 1e-7, 0.0]).reshape(1, 2, 2, 1)
    assert check_layer(MaxPooling2D(), tied, method=method)


@pytest.mark.parametrize("method", ["central", "complex"])
def test_where_there_is_no_derivative_nothing_is_compared(method):
    x = np.random.default_rng(0).integers(0, 3, (2, 6, 6, 1)).astype(float)
    finding = check_layer(MaxPooling2D(2), x, training=True, method=method).findings[0]
    assert finding.ok
    if method == "central":  # the complex step agrees with one of the sides
        assert finding.no_derivative > 5
        assert f"{72 - finding.no_derivative} of 72" == finding.entries
    finding = check_layer(ReLU(), np.zeros((2, 3)), training=True).findings[0]
    assert finding.verdict == "no derivative here"


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


class Varies(Layer):
    """np.var of complex numbers is the variance of their absolute values: not analytic."""

    def call(self, x, training):
        self.saved = x
        return x / np.sqrt(np.var(x, axis=0) + 1)

    def call_backward(self, dy, need_dx):
        x, N = self.saved, len(self.saved)
        std = np.sqrt(np.var(x, axis=0) + 1)
        return dy / std - (x - x.mean(axis=0)) * (dy * x).sum(axis=0) / std**3 / N


@pytest.mark.parametrize("layer", [Absolute(), CastToReal(), Varies()], ids=lambda layer: layer.name)
@pytest.mark.parametrize("method", ["central", "complex"])
def test_differences_replace_the_complex_step_where_it_is_wrong(layer, method):
    check_layer(layer, (3, 4), method=method).raise_if_wrong()


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
    layer = PositiveOnly()
    with pytest.raises(ValueError, match="finite"):
        check_layer(layer, (3, 4))
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


@pytest.mark.parametrize("x", [np.ones((2, 3)), np.linspace(0.1, 0.9, 6).reshape(2, 3), np.zeros((2, 3))])
def test_the_cause_does_not_depend_on_the_input(x):
    """Neither positive numbers nor zeros make another mistake of a forgotten derivative."""
    report = check_operation(lambda x: (x * x, x), lambda dy, x: dy, x)
    assert report.causes == ("shapes.derivative-forgotten",)


class NothingSaved(Layer):
    """Its call should set self.saved."""

    def call(self, x, training):
        return x * x

    def call_backward(self, dy, need_dx):
        return 2 * self.saved[0] * dy


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: check_layer(NothingSaved(), (2, 3)), TypeError, "expected self.saved, set by call"),
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
    ids=[
        "nothing saved",
        "a class",
        "method",
        "NaN",
        "NaN in y",
        "empty",
        "rank",
        "loss name",
        "not compiled",
        "gradients missing",
    ],
)
def test_errors_say_what_to_do(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_report_prints_a_table_and_wraps_its_diagnosis():
    layer = planted(Dense(3, name="mine"), mean_over_batch("kernel"))
    lines = str(check_layer(layer, (2, 4))).splitlines()
    assert lines[0] == "Dense 'mine': (2, 4) -> (2, 3), differences, backend numpy"
    assert lines[2].split() == ["entries", "error", "tolerance", "verdict"]
    assert lines[3].split()[:4] == ["dx", "8", "of", "8"]
    assert lines[3].endswith("right")
    assert lines[4].split()[:5] == ["kernel.grad", "12", "of", "12", "5e-01"]
    assert lines[4].endswith("WRONG")
    assert "kernel.grad: the forward is a dense layer, x · kernel. It is 1/N times" in "\n".join(lines)
    assert max(map(len, lines)) <= 100


def test_a_report_is_plain_data_and_html():
    report = check_layer(planted(Dense(3), mean_over_batch("kernel")), (2, 4))
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert (data["ok"], data["points"], data["of"]) == (False, 2, 3)
    assert data["causes"] == ["shapes.mean-over-batch"]
    assert data["findings"][1]["verdict"] == "WRONG"
    assert "<table>" in report._repr_html_()
    assert "shapes.mean-over-batch" in report._repr_html_()


def test_both_modes_are_checked():
    class TrainingFormula(BatchNormalization):
        def call_backward(self, dy, need_dx):
            dx = super().call_backward(dy, True)
            return dx - dx.mean(axis=0)

    report = check_layer(TrainingFormula(), (6, 4))
    assert [found.quantity for found in report.findings if not found.ok] == ["dx in inference"]
    assert check_layer(TrainingFormula(), (6, 4), training=True)


class InFloat32(Layer):
    def call(self, x, training):
        self.saved = np.tanh(x.astype(np.float32))
        return self.saved.astype(x.dtype)

    def call_backward(self, dy, need_dx):
        return (np.float32(dy) * (1 - self.saved**2)).astype(dy.dtype)


def test_float32_inside_is_no_mistake():
    report = check_layer(InFloat32(), (3, 4))
    assert report
    assert report.findings[0].note == "computed in float32"


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("layer", [Dense(3, activation="tanh"), BatchNormalization(), Softmax()], ids=lambda v: v.name)
def test_the_size_of_x_does_not_matter(layer, scale):
    check_layer(layer, scale * np.random.default_rng(3).standard_normal((4, 5))).raise_if_wrong()


def test_the_seed_is_that_of_fresh_weights_too():
    for seed in range(6):
        check_layer(Conv2D(6, 3, activation="relu"), (4, 8, 8, 3), samples=40, seed=seed).raise_if_wrong()
    weights = []
    for _ in range(2):
        layer = Conv2D(2, 3)
        check_layer(layer, (1, 4, 4, 1), seed=3)
        weights.append(layer.get_weights()[0])
    np.testing.assert_array_equal(*weights)


def test_plain_functions_of_a_course():
    def conv_forward(x, w, b, param):
        return x @ w + b * param["scale"], (x, w, param)

    def conv_backward(dout, cache):
        x, w, _param = cache
        return {"dx": dout @ w.T, "dw": x.T @ dout, "db": dout.sum(0)}

    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in ((4, 3), (3, 2), (2,))]
    assert check_operation(conv_forward, conv_backward, *arrays, {"scale": 1.0})
    report = check_operation(conv_forward, conv_backward, *arrays, {"scale": 2.0})
    assert [found.quantity for found in report.findings if not found.ok] == ["db"]


@pytest.mark.parametrize(
    ("backward", "message"),
    [
        (lambda: None, r"expected backward\(dy, cache\)"),
        (lambda dy, cache: {"a": dy}, "Name them like the arguments: dx, dw"),
        (lambda dy, cache: (dy,), "expected 2 gradients, of x, w, found 1"),
    ],
    ids=["no arguments", "other names", "too few"],
)
def test_a_backward_of_another_signature_is_explained(backward, message):
    with pytest.raises((TypeError, ValueError), match=message):
        check_operation(lambda x, w: (x * w, None), backward, np.ones(3), np.ones(3))


def test_a_gradient_of_another_shape_does_not_hide_the_cause_of_another_one():
    def backward(dy, saved):
        x, kernel = saved
        return dy @ kernel.T, dy.T @ x, dy.mean(axis=0)

    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in ((5, 3), (3, 4), (4,))]
    report = check_operation(lambda x, kernel, bias: (x @ kernel + bias, (x, kernel)), backward, *arrays)
    assert report.causes == ("shapes.transposed", "shapes.mean-over-batch")


def test_numpys_own_random_numbers_are_left_alone():
    np.random.seed(3)
    check_operation(lambda x: (2 * x, None), lambda dy, _: 2 * dy, np.arange(3.0))
    drawn = np.random.random()
    np.random.seed(3)
    assert np.random.random() == drawn
