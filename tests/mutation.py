"""The mutation score of minicnn's gradient tests: python -m tests.mutation [NAME …]

Every entry of the catalogue of mistakes is planted into the textbook's backward; then the gradient checks of the layers
and losses that use it, those of tests/test_gradients.py, run until one fails. A mistake that none notices is a gap in
the tests. Entries that cannot be made in the textbook, such as those of a hinge loss, are counted apart.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import test_gradients as tests

import minicnn
from minicnn import layers, losses
from minicnn.backends import textbook
from minicnn.backends.geometry import pad_amounts
from minicnn.gradcheck import check_layer, check_loss
from minicnn.gradcheck.known import activations, convolution, dense, dropout, normalization, pooling
from minicnn.gradcheck.known import losses as known_losses
from minicnn.gradcheck.known.windows import Windows
from minicnn.gradcheck.mistakes import CATALOGUE, of_operation


def windows_of(x, size, strides, padding, outputs):
    amounts = [pad_amounts(n, k, s, padding) for n, k, s in zip(x.shape[1:3], size, strides, strict=True)]
    return Windows(tuple(size), tuple(strides), tuple(top for top, _ in amounts), tuple(outputs))


def dense_of(inputs, y):
    x, kernel, bias, activation = inputs
    arrays = {"x": x.reshape(-1, x.shape[-1]), "kernel": kernel, **({} if bias is None else {"bias": bias})}
    return dense.Dense(arrays, activation), ("x", "kernel", "bias")


def convolution_of(inputs, y):
    x, kernel, bias, strides, padding, activation = inputs
    arrays = {"x": x, "kernel": kernel, **({} if bias is None else {"bias": bias})}
    windows = windows_of(x, kernel.shape[:2], strides, padding, y.shape[1:3])
    return convolution.Convolution(arrays, windows, activation), ("x", "kernel", "bias")


def max_pooling_of(inputs, y):
    x, size, strides, padding = inputs
    return pooling.MaxPooling({"x": x}, windows_of(x, size, strides, padding, y.shape[1:3])), ("x",)


def average_pooling_of(inputs, y):
    x, size, strides, padding = inputs
    return pooling.AveragePooling({"x": x}, windows_of(x, size, strides, padding, y.shape[1:3])), ("x",)


def normalization_of(inputs, y):
    x, gamma, beta, mean, variance, _, epsilon, training, activation = inputs
    rows = x.reshape(-1, x.shape[-1]).T
    index = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)
    arrays = {"x": rows, "gamma": gamma, "beta": beta}
    if training:
        return normalization.Normalization(arrays, index, epsilon, activation=activation), ("x", "gamma", "beta")
    if activation != "linear":
        return None
    factors = (1 / np.sqrt(variance + epsilon))[index]
    return normalization.FixedNormalization(arrays, index, factors, -mean[index] * factors), ("x", "gamma", "beta")


def activation_of(inputs, y):
    x, name = inputs
    if name == "softmax":
        return activations.Softmax({"x": x.reshape(-1, x.shape[-1])}), ("x",)
    name = "identity" if name == "linear" else name
    return activations.Elementwise({"x": x}, name, *activations.FUNCTIONS[name]), ("x",)


def relu_of(inputs, y):
    x, slope, most, threshold = inputs
    if most is not None or threshold:
        return None
    if not slope:
        return activation_of((x, "relu"), y)
    functions = partial(activations._leaky, a=slope), partial(activations._leaky_slope, a=slope)
    return activations.Elementwise({"x": x}, f"leaky ReLU with slope {slope}", *functions), ("x",)


def dropout_of(inputs, y):
    ratio = np.divide(y, inputs[0], out=np.zeros_like(y), where=inputs[0] != 0)
    return dropout.Dropout({"x": inputs[0]}, ratio, float(ratio.max())), ("x",)


def loss_of(formula, per_entry=False):
    def make(inputs, y):
        x, target = inputs[:2]
        rows = x.reshape(-1, x.shape[-1])
        weight = 1 / x.size if per_entry else 1 / len(rows)
        return known_losses.Loss({"x": rows}, formula, target.reshape(rows.shape), 0, weight), ("x",)

    return make


PLACES = {
    "dense": (dense_of, [layers.Dense]),
    "conv2d": (convolution_of, [layers.Conv2D, layers.Conv1D]),
    "max_pool2d": (max_pooling_of, [layers.MaxPooling2D, layers.MaxPooling1D]),
    "average_pool2d": (average_pooling_of, [layers.AveragePooling2D, layers.AveragePooling1D]),
    "batch_norm": (normalization_of, [layers.BatchNormalization]),
    "activation": (activation_of, [layers.Activation, layers.Softmax]),
    "general_relu": (relu_of, [layers.ReLU]),
    "dropout": (dropout_of, [layers.Dropout]),
    "softmax_crossentropy": (loss_of(known_losses.logits_crossentropy), losses.CategoricalCrossentropy),
    "crossentropy": (loss_of(known_losses.normalized_crossentropy), losses.CategoricalCrossentropy),
    "mean_squared_error": (loss_of(known_losses.squared, per_entry=True), losses.MeanSquaredError),
}
"""For each pair of the textbook: the known operation on its inputs, and the layers or the loss that use it."""

OPERATIONS = {
    "dense": [dense.Dense],
    "conv2d": [convolution.Convolution],
    "max_pool2d": [pooling.MaxPooling],
    "average_pool2d": [pooling.AveragePooling],
    "batch_norm": [normalization.Normalization, normalization.FixedNormalization],
    "activation": [activations.Elementwise, activations.Softmax],
    "general_relu": [activations.Elementwise],
    "dropout": [dropout.Dropout],
    "softmax_crossentropy": [known_losses.Loss],
    "crossentropy": [known_losses.Loss],
    "mean_squared_error": [known_losses.Loss],
}
"""The known operations of each pair."""


@contextmanager
def planted(pair, mistake):
    """The textbook with this mistake in one backward; yields a list that is not empty once it made a difference."""
    make = PLACES[pair][0]
    forward, backward = getattr(textbook, pair), getattr(textbook, f"{pair}_backward")
    differed: list[bool] = []
    latest: list = []

    def remembering(*inputs, **options):
        result = forward(*inputs, **options)
        latest[:] = [inputs, result[0]]
        return result

    def wrong(*given, **options):
        right = backward(*given, **options)
        dy = given[0] if len(given) > 1 else np.ones(())
        made = make(*latest)
        if made is None or np.iscomplexobj(latest[1]):
            return right
        operation, roles = made
        gradients = list(right) if isinstance(right, tuple) else [right]
        if not isinstance(operation, mistake.of) or mistake.role not in roles:
            return right
        place = roles.index(mistake.role)
        if gradients[place] is None:
            return right
        canonical = dy.reshape(-1, dy.shape[-1]).T if "normal" in operation.family else dy.reshape(operation.y.shape)
        try:
            gradient = np.asarray(of_operation(mistake, operation, canonical), dtype=dy.dtype)
            shape = gradients[place].shape
            turned = gradient.T if "normal" in operation.family and mistake.role == "x" else gradient
            gradient = np.ascontiguousarray(turned.reshape(shape))
        except (ValueError, IndexError, KeyError, TypeError):
            return right
        if not np.allclose(gradient, gradients[place], rtol=1e-4, atol=1e-7, equal_nan=True):
            differed.append(True)
        gradients[place] = gradient
        return tuple(gradients) if isinstance(right, tuple) else gradient

    setattr(textbook, pair, remembering)
    setattr(textbook, f"{pair}_backward", wrong)
    try:
        yield differed
    finally:
        setattr(textbook, pair, forward)
        setattr(textbook, f"{pair}_backward", backward)


def checks_of(pair):
    """The gradient checks that use a pair, as functions that return a report."""
    users = PLACES[pair][1]
    if not isinstance(users, list):
        for loss, y_true, y_pred in tests.LOSSES[users]:
            yield lambda loss=loss, y_true=y_true, y_pred=y_pred: check_loss(loss, y_true, y_pred)
        return
    for cls in users:
        for layer, shape in tests.LAYERS[cls]:
            yield lambda layer=layer, shape=shape: check_layer(layer, shape, samples=60)


def outcome(mistake):
    """ "caught"; "missed" if it made a difference that no check noticed; "not in the textbook" if it made none."""
    differs = False
    with np.errstate(all="ignore"):
        for pair in (pair for pair in PLACES if set(OPERATIONS[pair]) & set(mistake.of)):
            for check in checks_of(pair):
                with planted(pair, mistake) as differed:
                    try:
                        right = check().ok
                    except Exception:  # a wrong shape or dtype, which the layer refuses
                        right = False
                    if differed and not right:
                        return "caught"
                    differs |= bool(differed)
    return "missed" if differs else "not in the textbook"


def families(mistake):
    """Whether the mistake may be planted: it belongs to a known operation."""
    return bool(mistake.of) and mistake.acts_on == "operation"


def main(names):
    counts: Counter[str] = Counter()
    with minicnn.use_backend("numpy"):
        for mistake in filter(families, CATALOGUE):
            if names and not any(name in mistake.name for name in names):
                continue
            result = outcome(mistake)
            counts[result] += 1
            if result == "missed":
                print(f"missed: {mistake.name}")
    planted_ones = counts["caught"] + counts["missed"]
    print(
        f"{counts['caught']} of {planted_ones} planted mistakes caught, {counts['not in the textbook']} not plantable"
    )
    return 1 if counts["missed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
