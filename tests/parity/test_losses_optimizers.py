"""Losses, optimisers and initialisers against Keras's."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import minicnn

from .twins import assert_close

pytestmark = pytest.mark.usefixtures("precision")

backends = pytest.mark.usefixtures("backend")


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def both(kind, name, **config):
    """The same object of minicnn and of Keras."""
    return (getattr(getattr(module, kind), name)(**config) for module in (minicnn, keras))


def check_loss(name, config, y_true, y_pred):
    ours, theirs = both("losses", name, **config)
    value = ours.forward(y_true, y_pred)
    prediction = tf.constant(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(prediction)
        expected = theirs(y_true, prediction)
    assert_close(value, expected.numpy(), "loss")
    assert_close(ours.backward(), tape.gradient(expected, prediction).numpy(), "gradient")


@backends
@pytest.mark.parametrize("shape", [(1, 2), (5, 10), (3, 4, 6)])
@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("name", ["CategoricalCrossentropy", "SparseCategoricalCrossentropy"])
def test_crossentropy(name, from_logits, shape):
    generator = np.random.default_rng(0)
    logits = generator.normal(size=shape) * 3
    labels = generator.integers(shape[-1], size=shape[:-1])
    y_true = labels if name.startswith("Sparse") else np.eye(shape[-1])[labels]
    check_loss(name, {"from_logits": from_logits}, y_true, logits if from_logits else softmax(logits))


@backends
@pytest.mark.parametrize("from_logits", [True, False])
def test_crossentropy_with_soft_targets(from_logits):
    generator = np.random.default_rng(1)
    y_pred = softmax(generator.normal(size=(4, 5)))
    check_loss("CategoricalCrossentropy", {"from_logits": from_logits}, softmax(generator.normal(size=(4, 5))), y_pred)


@backends
@pytest.mark.parametrize("from_logits", [True, False])
def test_label_smoothing(from_logits):
    generator = np.random.default_rng(6)
    y_pred, y_true = softmax(generator.normal(size=(4, 5))), np.eye(5)[[4, 1, 1, 0]]
    check_loss("CategoricalCrossentropy", {"from_logits": from_logits, "label_smoothing": 0.125}, y_true, y_pred)


@backends
@pytest.mark.parametrize("name", ["CategoricalCrossentropy", "SparseCategoricalCrossentropy"])
def test_crossentropy_of_shares_that_do_not_sum_to_one(name):
    generator = np.random.default_rng(2)
    labels = generator.integers(5, size=4)
    y_true = labels if name.startswith("Sparse") else np.eye(5)[labels]
    check_loss(name, {}, y_true, generator.random((4, 5)) / 2 + 0.1)


@backends
def test_crossentropy_of_certain_predictions():
    y_pred = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    check_loss("CategoricalCrossentropy", {}, np.eye(3)[[0, 2]], y_pred)


@backends
@pytest.mark.parametrize("shape", [(1, 1), (6, 3), (2, 3, 4)])
def test_mean_squared_error(shape):
    generator = np.random.default_rng(3)
    check_loss("MeanSquaredError", {}, generator.normal(size=shape), generator.normal(size=shape))


@backends
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", None])
@pytest.mark.parametrize("weights", [None, 2.5, [0.5, 0.0, 3.0, 1.0], [[0.5], [0.0], [3.0], [1.0]]])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("MeanSquaredError", {}),
        ("MeanAbsoluteError", {}),
        ("Huber", {"delta": 0.25}),
        ("BinaryCrossentropy", {"label_smoothing": 0.25}),
        ("BinaryCrossentropy", {"from_logits": True}),
        ("CategoricalCrossentropy", {}),
        ("CategoricalCrossentropy", {"from_logits": True}),
        ("SparseCategoricalCrossentropy", {}),
    ],
)
def test_weights_and_reductions(name, options, weights, reduction):
    generator = np.random.default_rng(7)
    y_pred, y_true = softmax(generator.normal(size=(4, 5))), softmax(generator.normal(size=(4, 5)))
    y_true = np.array([[4], [1], [1], [0]]) if name.startswith("Sparse") else y_true
    ours, theirs = both("losses", name, reduction=reduction, **options)
    prediction = tf.constant(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(prediction)
        expected = theirs(y_true, prediction, sample_weight=weights)
        if reduction == "mean_with_sample_weight" and weights == 2.5:
            expected = expected / len(y_pred)  # Keras divides by the number itself; here it stands for n equal weights
    found = ours(y_true, y_pred, sample_weight=weights)
    assert_close(found, expected.numpy().reshape(found.shape), "loss")  # of weights (N, 1), Keras makes losses (N, 1)
    if reduction is not None:
        assert_close(ours.backward(), tape.gradient(expected, prediction).numpy(), "gradient")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("AUC", {}),
        ("AUC", {"curve": "PR", "num_thresholds": 7}),
        ("AUC", {"curve": "PR", "summation_method": "minoring", "multi_label": True}),
        ("AUC", {"summation_method": "majoring", "thresholds": [0.125, 0.25]}),
        ("Accuracy", {}),
        ("BinaryAccuracy", {"threshold": 0.25}),
        ("BinaryCrossentropy", {}),
        ("CategoricalAccuracy", {}),
        ("CategoricalCrossentropy", {"label_smoothing": 0.25}),
        ("F1Score", {"average": "weighted"}),
        ("FBetaScore", {"beta": 0.5, "threshold": 0.25}),
        ("FBetaScore", {"average": "micro"}),
        ("FalseNegatives", {"thresholds": 0.25}),
        ("FalsePositives", {"thresholds": [0.125, 0.25]}),
        ("MeanAbsoluteError", {}),
        ("MeanSquaredError", {}),
        ("Precision", {"thresholds": 0.25}),
        ("Precision", {"top_k": 2}),
        ("Recall", {"top_k": 2, "class_id": 1}),
        ("Recall", {"thresholds": [0.125, 0.25]}),
        ("RootMeanSquaredError", {}),
        ("SparseCategoricalAccuracy", {}),
        ("SparseCategoricalCrossentropy", {}),
        ("SparseTopKCategoricalAccuracy", {"k": 2}),
        ("TopKCategoricalAccuracy", {"k": 2}),
        ("TrueNegatives", {"thresholds": 0.25}),
        ("TruePositives", {"thresholds": 0.25}),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_metrics(name, options, weighted):
    generator = np.random.default_rng(8)
    keras.utils.clear_session()  # so that Keras starts to count its names from none
    ours, theirs = both("metrics", name, **options)
    assert ours.name == theirs.name
    for samples in (7, 4):
        y_pred, labels = softmax(generator.normal(size=(samples, 5))), generator.integers(5, size=samples)
        y_true = labels if name.startswith("Sparse") else np.eye(5)[labels]
        by_entry = not name.startswith("Sparse") and hasattr(ours, "thresholds")  # Keras wants weights of y_true's rank
        weights = generator.random((samples, 1) if by_entry else samples) if weighted else None
        ours.update_state(y_true, y_pred, weights)
        theirs.update_state(y_true, y_pred.astype("float32") if "TopK" in name else y_pred, weights)
        np.testing.assert_allclose(ours.result(), theirs.result().numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", ["mse", "mean_squared_error", "categorical_crossentropy", "MeanSquaredError"])
def test_string_names_of_losses(name):
    generator = np.random.default_rng(4)
    y_true, y_pred = softmax(generator.normal(size=(4, 5))), softmax(generator.normal(size=(4, 5)))
    value = minicnn.losses.get(name).forward(y_true, y_pred)
    expected = np.mean(keras.losses.get(name)(y_true, y_pred))  # a function that gives one loss per sample, or a Loss
    assert_close(value, expected)


OPTIMIZERS = [
    ("SGD", {}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.875}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.5, "nesterov": True}),
    ("SGD", {"learning_rate": 0.1, "nesterov": True}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.5, "weight_decay": 0.25}),
    ("Adam", {}),
    ("Adam", {"learning_rate": 0.02, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.125}),
    ("Adam", {"weight_decay": 0.25}),
    ("AdamW", {}),
    ("AdamW", {"learning_rate": 0.05, "weight_decay": 0.25, "beta_2": 0.875}),
    ("RMSprop", {}),
    ("RMSprop", {"learning_rate": 0.02, "rho": 0.5, "momentum": 0.25, "epsilon": 0.125, "weight_decay": 0.25}),
    ("RMSprop", {"learning_rate": 0.02, "rho": 0.75, "centered": True, "epsilon": 0.125}),
    ("Adadelta", {"learning_rate": 1.0}),
    ("Adadelta", {"rho": 0.5, "epsilon": 0.125}),
    ("Adagrad", {}),
    ("Adagrad", {"learning_rate": 0.5, "initial_accumulator_value": 0.0, "epsilon": 0.25}),
    ("Adamax", {}),
    ("Nadam", {}),
    ("SGD", {"clipvalue": 0.5}),
    ("SGD", {"clipnorm": 0.5}),
    ("Adam", {"global_clipnorm": 0.5}),
    ("SGD", {"use_ema": True, "ema_momentum": 0.75}),
    ("Adam", {"use_ema": True, "ema_overwrite_frequency": 3, "learning_rate": 0.1}),
    ("Adagrad", {"gradient_accumulation_steps": 3, "weight_decay": 0.25}),
    ("AdamW", {"gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 2, "clipnorm": 0.5}),
]


@backends
@pytest.mark.parametrize(("name", "config"), OPTIMIZERS)
def test_optimizer(name, config):
    ours, theirs = both("optimizers", name, **config)
    for beta in ("beta_1", "beta_2"):  # Keras rounds Python's numbers to float32, even in float64
        if hasattr(theirs, beta):
            setattr(theirs, beta, tf.constant(getattr(theirs, beta), "float64"))
    generator = np.random.default_rng(5)
    starts = [generator.normal(size=shape) for shape in ((3, 4), (4,), (2, 3, 2, 5))]
    parameters = [minicnn.layers.Parameter(f"p{i}", start.copy()) for i, start in enumerate(starts)]
    variables = [keras.Variable(start) for start in starts]
    for _ in range(20):
        grads = [generator.normal(size=start.shape) * generator.choice([1e-9, 1e-3, 1.0]) for start in starts]
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = grad
        ours.step(parameters)
        theirs.apply([tf.constant(grad) for grad in grads], variables)
    for _ in range(2):
        for parameter, variable in zip(parameters, variables, strict=True):
            assert_close(parameter.value, variable.numpy(), parameter.name)
        ours.finalize_variable_values(parameters)
        theirs.finalize_variable_values(variables)


def test_exclusion_from_weight_decay():
    ours, theirs = both("optimizers", "SGD", learning_rate=0.125, weight_decay=0.5)
    starts = {"kernel": np.full((2, 3), 2.0), "bias": np.ones(3), "scale": np.ones(3)}
    parameters = [minicnn.layers.Parameter(name, start.copy()) for name, start in starts.items()]
    variables = [keras.Variable(start, name=name) for name, start in starts.items()]
    ours.exclude_from_weight_decay(parameters[2:], ["bias"])
    theirs.exclude_from_weight_decay(variables[2:], ["bias"])
    for _ in range(3):
        ours.apply([start.copy() for start in starts.values()], parameters)
        theirs.apply([tf.constant(start) for start in starts.values()], variables)
    for parameter, variable in zip(parameters, variables, strict=True):
        assert_close(parameter.value, variable.numpy(), parameter.name)


SCHEDULES = [
    ("CosineDecay", {"initial_learning_rate": 0.5, "decay_steps": 10}),
    ("CosineDecay", {"initial_learning_rate": 0.5, "decay_steps": 10, "alpha": 0.25}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "warmup_target": 0.5, "warmup_steps": 4}),
    ("ExponentialDecay", {"initial_learning_rate": 0.5, "decay_steps": 4, "decay_rate": 0.25}),
    ("ExponentialDecay", {"initial_learning_rate": 0.5, "decay_steps": 4, "decay_rate": 0.25, "staircase": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.5, "decay_steps": 4, "decay_rate": 0.25}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.5, "decay_steps": 4, "decay_rate": 0.25, "staircase": True}),
    ("PolynomialDecay", {"initial_learning_rate": 0.5, "decay_steps": 4, "cycle": True}),
    ("PiecewiseConstantDecay", {"boundaries": [2, 5], "values": [0.5, 0.25, 0.125]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.5, "decay_steps": 10}),
    ("PolynomialDecay", {"initial_learning_rate": 0.5, "decay_steps": 10, "end_learning_rate": 0.1, "power": 2.0}),
]


@pytest.mark.parametrize(("name", "config"), SCHEDULES)
def test_learning_rate_schedule(name, config):
    ours, theirs = (getattr(module.optimizers.schedules, name)(**config) for module in (minicnn, keras))
    steps = range(13)
    expected = [float(theirs(step)) for step in steps]  # Keras computes it in float32
    np.testing.assert_allclose([ours(step) for step in steps], expected, rtol=1e-6, atol=1e-8)
    adams = [module.optimizers.Adam(schedule) for module, schedule in ((minicnn, ours), (keras, theirs))]
    assert adams[0].learning_rate == pytest.approx(float(adams[1].learning_rate), rel=1e-6)


@pytest.mark.parametrize("shape", [(3, 3, 16, 64), (5, 24, 96), (200, 50)])
@pytest.mark.parametrize("name", minicnn.initializers.CLASSES)
def test_initializer(name, shape):
    ours, theirs = (np.ravel(initializer(shape)) for initializer in both("initializers", name))
    spread = max(theirs.std(), 1e-12)
    assert abs(ours.mean() - theirs.mean()) < 6 * spread * (2 / theirs.size) ** 0.5 + 1e-12
    assert ours.std() == pytest.approx(theirs.std(), rel=0.04, abs=1e-12)
    if name != "RandomNormal":  # the others have a sharp limit, and with so many draws both come near it
        assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=0.02)
    grid = np.linspace(0, 1, 21)[1:-1]  # the same distribution, not only the same width
    assert np.abs(np.quantile(ours, grid) - np.quantile(theirs, grid)).max() <= 0.12 * spread + 1e-12
