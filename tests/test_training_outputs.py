"""Training of models with several outputs: losses, weights, metrics and targets for each of them, files, errors."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import minicnn
from minicnn import Input, Model, load_model
from minicnn.gradcheck import check_model
from minicnn.layers import Conv2D, Dense, Dropout, Flatten

rng = np.random.default_rng(0)
N = 20
X = rng.normal(size=(N, 5, 4, 2)).astype("float32")
KINDS, SIZES = np.arange(N) % 3, rng.normal(size=(N, 1)).astype("float32")
W = rng.uniform(0.5, 2, size=N)


def two_outputs():
    """A class and a number; the number is computed from the values that the class is computed from, and the class."""
    inputs = Input((5, 4, 2))
    x = Flatten()(Conv2D(3, 2, activation="tanh")(inputs))
    kind = Dense(3, activation="softmax", name="kind")(x)
    size = Dense(1, name="size")(minicnn.layers.Concatenate()([x, kind]))
    return Model(inputs, [kind, size])


LOSSES = {"kind": "sparse_categorical_crossentropy", "size": "mse"}


def compiled(model, **options):
    usual = {"loss": LOSSES, "loss_weights": {"size": 0.25}, "metrics": {"kind": ["accuracy"], "size": "mae"}}
    model.compile(minicnn.optimizers.SGD(0.125, momentum=0.5), **(usual | options))
    return model


def by_hand(model, x, kinds, sizes, weights=(1, 0.25)):
    """The loss and one step, from the losses of the outputs alone."""
    losses = minicnn.losses.SparseCategoricalCrossentropy(), minicnn.losses.MeanSquaredError()
    ys = model.forward(x, training=True)
    values = [loss.forward(y, p) for loss, y, p in zip(losses, (kinds, sizes), ys, strict=True)]
    model.backward([loss.backward() * w for loss, w in zip(losses, weights, strict=True)], need_dx=False)
    model.optimizer.step(model.parameters())
    return [sum(value * w for value, w in zip(values, weights, strict=True)), *values]


def test_the_loss_is_the_weighted_sum(backend):
    model = compiled(two_outputs())
    twin = copy.deepcopy(model)
    found = model.train_on_batch(X, [KINDS, SIZES])
    expected = [float(minicnn.to_host(value)) for value in by_hand(twin, X, KINDS, SIZES)]
    np.testing.assert_allclose(found[:3], expected, rtol=1e-5)
    assert all(map(np.allclose, model.get_weights(), twin.get_weights()))


def test_names_and_order_of_what_is_measured(backend):
    model = compiled(two_outputs())
    assert model.metrics_names == ["loss", "kind_loss", "size_loss", "kind_accuracy", "size_mae"]
    found = model.evaluate(X, [KINDS, SIZES], batch_size=8)
    assert list(model.evaluate(X, [KINDS, SIZES], return_dict=True)) == model.metrics_names
    kind, size = model.predict(X)
    assert found[3] == pytest.approx((kind.argmax(axis=1) == KINDS).mean())
    assert found[4] == pytest.approx(abs(size - SIZES).mean(), rel=1e-5)
    assert found[2] == pytest.approx(((size - SIZES) ** 2).mean(), rel=1e-5)
    assert found[0] == pytest.approx(found[1] + 0.25 * found[2], rel=1e-5)


def test_gradients(backend):
    model = compiled(two_outputs())
    check_model(model, X[:3], [KINDS[:3], SIZES[:3]], samples=20).raise_if_wrong()


def test_a_wrong_loss_of_an_output_is_found():
    class Wrong(minicnn.losses.MeanSquaredError):
        def call_backward(self):
            return 2 * super().call_backward()

    model = compiled(two_outputs(), loss={"kind": LOSSES["kind"], "size": Wrong()})
    assert "the mistake is in the loss" in str(check_model(model, X[:3], [KINDS[:3], SIZES[:3]]))


FORMS = {"list": [KINDS, SIZES], "tuple": (KINDS, SIZES), "dict": {"size": SIZES, "kind": KINDS}}


@pytest.mark.parametrize("y", FORMS.values(), ids=FORMS)
def test_forms_of_targets(backend, y):
    model, twin = compiled(two_outputs()), compiled(two_outputs())
    twin.set_weights(model.get_weights())
    model.seed = twin.seed = 1
    model.fit(X, y, batch_size=8, epochs=2, verbose=0, validation_data=(X, y))
    twin.fit(X, FORMS["list"], batch_size=8, epochs=2, verbose=0, validation_data=(X, FORMS["list"]))
    assert model.history.history == twin.history.history
    assert list(model.history.history)[:2] == ["loss", "kind_loss"]
    assert "val_size_loss" in model.history.history
    assert model.test_on_batch(X, y) == twin.test_on_batch(X, FORMS["list"])


@pytest.mark.parametrize("form", ["list", "dict"])
def test_generators(backend, form):
    model, twin = compiled(two_outputs()), compiled(two_outputs())
    twin.set_weights(model.get_weights())

    def batches():
        for start in range(0, N, 5):
            rows = slice(start, start + 5)
            y = {"kind": KINDS[rows], "size": SIZES[rows]}
            yield X[rows], y if form == "dict" else list(y.values())

    model.fit(batches(), verbose=0)
    twin.fit(X, [KINDS, SIZES], batch_size=5, shuffle=False, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), twin.get_weights()))


@pytest.mark.parametrize("weights", [W, [W, None], {"size": None, "kind": W}], ids=["one", "list", "dict"])
def test_sample_weights(backend, weights):
    model = compiled(two_outputs(), weighted_metrics=[None, "mse"])
    found = model.evaluate(X, [KINDS, SIZES], sample_weight=weights, return_dict=True)
    kind, size = model.predict(X)
    own = W if weights is W else np.ones(N)
    assert found["kind_loss"] == pytest.approx((-np.log(kind[np.arange(N), KINDS]) * W).mean(), rel=1e-4)
    assert found["size_loss"] == pytest.approx(((size - SIZES)[:, 0] ** 2 * own).mean(), rel=1e-4)


def test_the_split_and_the_order_keep_rows_together(backend):
    inputs = Input((1,))
    same = {"use_bias": False, "kernel_initializer": "ones"}
    model = Model(inputs, [Dense(1, name="a", **same)(inputs), Dense(1, name="b", **same)(inputs)])
    model.compile("sgd", "mse")
    x = np.arange(10, dtype="float32")[:, None]
    history = model.fit(x, [x, x], batch_size=3, epochs=2, validation_split=0.3, verbose=0).history
    assert set(history) == {"loss", "a_loss", "b_loss", "val_loss", "val_a_loss", "val_b_loss"}
    assert not np.any(list(history.values()))


@pytest.mark.parametrize("y", [SIZES, [SIZES], [KINDS, SIZES], {"size": SIZES}], ids=["array", "list", "all", "dict"])
def test_an_output_without_a_loss_is_not_trained(backend, y):
    inputs = Input((5, 4, 2))
    x = Flatten()(inputs)
    model = Model(inputs, [Dense(3, name="kind")(x), Dense(1, name="size")(Dropout(0.1)(x))])
    model.compile("sgd", {"size": "mse"}, metrics=[None, "mae"])
    before = model.get_layer("kind").get_weights()
    history = model.fit(X, y, verbose=0).history
    assert set(history) == {"loss", "size_loss", "size_mae"}
    assert all(map(np.array_equal, before, model.get_layer("kind").get_weights()))


@pytest.mark.parametrize("way", ["deepcopy", "pickle", "safetensors", "keras"])
def test_copies_train_on(backend, way, tmp_path):
    if way == "keras":
        pytest.importorskip("h5py", reason="h5py is not installed")
    model = compiled(two_outputs(), weighted_metrics={"size": "mse"})
    y = [KINDS, SIZES]
    model.fit(X, y, verbose=0, batch_size=8)
    if way in ("safetensors", "keras"):
        model.save(tmp_path / f"model.{way}")
        twin = load_model(tmp_path / f"model.{way}")
        twin.seed = model.seed
    else:
        twin = copy.deepcopy(model) if way == "deepcopy" else pickle.loads(pickle.dumps(model))
    assert twin.metrics_names == model.metrics_names
    assert twin.evaluate(X, y) == model.evaluate(X, y)
    for each in (model, twin):
        each.epochs_trained = 1
        each.fit(X, y, verbose=0, batch_size=8)
    assert all(map(np.array_equal, twin.get_weights(), model.get_weights()))


def test_callbacks_see_the_losses_of_the_outputs(tmp_path):
    model = compiled(two_outputs())
    log = minicnn.callbacks.CSVLogger(tmp_path / "log.csv")
    stop = minicnn.callbacks.EarlyStopping("val_kind_accuracy", patience=1)
    model.fit(X, [KINDS, SIZES], epochs=3, verbose=0, validation_split=0.2, callbacks=[log, stop])
    columns = (tmp_path / "log.csv").read_text().splitlines()[0].split(",")
    assert {"kind_loss", "size_loss", "val_kind_loss", "val_kind_accuracy"} <= set(columns)


# errors


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"loss": ["mse"]}, ValueError, "loss: expected one for each of the outputs kind, size, found 1"),
        ({"loss": {"sort": "mse"}}, ValueError, "'sort'.*kind, size"),
        ({"loss": {"kind": None}}, ValueError, "a loss for an output, found none.*kind, size"),
        ({"loss_weights": [1]}, ValueError, "loss_weights: expected one for each of the outputs"),
        ({"loss_weights": [1, "a"]}, ValueError, "loss_weights"),
        ({"metrics": ["accuracy"]}, ValueError, "metrics: expected one for each of the outputs .*found 1.*dict"),
        ({"metrics": {"knd": "accuracy"}}, ValueError, "knd"),
        ({"loss": ["mse", None], "metrics": [None, "mae"]}, ValueError, "outputs with a loss, found one of size"),
        ({"loss": minicnn.losses.MeanSquaredError(reduction="none")}, ValueError, "one number for a batch"),
    ],
)
def test_wrong_arguments_of_compile(options, error, words):
    with pytest.raises(error, match=words):
        compiled(two_outputs(), **{"loss_weights": None, "metrics": None} | options)


@pytest.mark.parametrize(
    ("y", "options", "error", "words"),
    [
        (KINDS, {}, TypeError, r"targets: expected a list of 2 arrays, for kind, size, found one of shape \(20,\)"),
        ([KINDS], {}, ValueError, "targets: expected a list of 2 arrays, for kind, size, found 1"),
        ({"kind": KINDS}, {}, ValueError, "targets: expected a dict with 'kind', 'size', found one with 'kind'"),
        ([KINDS, SIZES[:7]], {}, ValueError, r"output 'size': expected as many targets as samples, 20.*\(7, 1\)"),
        ([SIZES, KINDS], {}, (ValueError, TypeError), "SparseCategoricalCrossentropy"),
        ([KINDS, SIZES], {"class_weight": {0: 1.0}}, ValueError, "class_weight: expected None, for several outputs"),
        ([KINDS, SIZES], {"sample_weight": [W, W, W]}, ValueError, "sample_weight: expected a list of 2 arrays"),
    ],
)
def test_wrong_targets(y, options, error, words):
    with pytest.raises(error, match=words):
        compiled(two_outputs()).fit(X, y, verbose=0, **options)


def test_what_needs_one_output_says_so():
    with pytest.raises(ValueError, match="one input and one output, found 1 and 2"):
        minicnn.trace(compiled(two_outputs()), X, [KINDS, SIZES])


@pytest.mark.parametrize("loss", ["mse", ["mse"], {"size": "mse"}, {"size": ["mse"]}], ids=str)
def test_the_loss_and_metrics_of_the_only_output_by_its_name(loss, tmp_path):
    inputs = Input((5, 4, 2))
    model = Model(inputs, Dense(1, name="size")(Flatten()(inputs)))
    model.compile("sgd", loss, metrics={"size": ["mse", "mae"]}, weighted_metrics={"size": "mse"})
    found = model.evaluate(X, SIZES, sample_weight=W, return_dict=True)
    assert list(found) == ["loss", "mse", "mae", "weighted_mse"]
    assert found["weighted_mse"] != found["mse"]
    model.save(tmp_path / "model.safetensors")
    assert load_model(tmp_path / "model.safetensors").evaluate(X, SIZES, sample_weight=W, return_dict=True) == found


def test_metrics_with_and_without_weights(tmp_path):
    model = compiled(two_outputs(), metrics={"size": "mae"}, weighted_metrics={"size": "mae", "kind": "accuracy"})
    assert model.metrics_names[3:] == ["size_mae", "kind_accuracy", "size_weighted_mae"]
    model.save(tmp_path / "model.safetensors")
    assert load_model(tmp_path / "model.safetensors").metrics_names == model.metrics_names
    with pytest.raises(ValueError, match="'sort'.*size"):
        Model(model.inputs, model.outputs[1]).compile("sgd", {"sort": "mse"})
