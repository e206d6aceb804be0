"""Models with several inputs: forms of x, gradients, training, files, and errors."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import minicnn
from minicnn import Input, Model, Sequential, load_model
from minicnn.gradcheck import check_model
from minicnn.layers import Add, Concatenate, Conv2D, Dense, Dropout, Flatten, Multiply, ReLU

rng = np.random.default_rng(0)
N = 20
IMAGES = rng.normal(size=(N, 6, 5, 2)).astype("float32")
NUMBERS = rng.normal(size=(N, 3)).astype("float32")
Y = (NUMBERS.sum(axis=1) > 0).astype(int) + (IMAGES.mean(axis=(1, 2, 3)) > 0)


def two_inputs():
    """Images and numbers; both branches end in the last dense layer, one number of features also goes around it."""
    images, numbers = Input((6, 5, 2), name="images"), Input((3,), name="numbers")
    x = Flatten()(Conv2D(4, 3, activation="relu")(images))
    y = Dense(4)(numbers)
    outputs = Dense(3, activation="softmax")(Concatenate()([x, ReLU()(y), numbers]))
    return Model([images, numbers], outputs)


def compiled(model):
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize("form", [lambda x: [x], lambda x: (x,)])
def test_a_list_of_one_array_is_the_array(form):
    """As in Keras, for a model of one input; a list of one sample stays a batch of one sample."""
    model = compiled(Sequential([Input((3,)), Dense(3, activation="softmax")]))
    np.testing.assert_array_equal(model.predict(form(NUMBERS)), model.predict(NUMBERS))
    assert model.evaluate(form(NUMBERS), Y, verbose=0) == model.evaluate(NUMBERS, Y, verbose=0)
    model.fit(form(NUMBERS), Y, validation_data=(form(NUMBERS), Y), verbose=0)
    assert model.optimizer.iterations == 1
    assert model.predict(form(NUMBERS[0])).shape == (1, 3)


FORMS = {
    "list": [IMAGES, NUMBERS],
    "tuple": (IMAGES, NUMBERS),
    "dict": {"numbers": NUMBERS, "images": IMAGES, "more": None},
}


def of_batches(form):
    """The same in a generator of batches (x, y)."""
    for start in range(0, N, 5):
        rows = slice(start, start + 5)
        if isinstance(form, dict):
            yield {name: array[rows] for name, array in form.items() if array is not None}, Y[rows]
        else:
            yield type(form)(array[rows] for array in form), Y[rows]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_forms_of_x(backend, form):
    model, twin = compiled(two_inputs()), compiled(two_inputs())
    twin.set_weights(model.get_weights())
    for each, x in ((model, form), (twin, [IMAGES, NUMBERS])):
        each.seed = 1
        each.fit(x, Y, batch_size=8, epochs=2, verbose=0, validation_data=(x, Y))
        each.train_on_batch(x, Y)
    assert all(map(np.array_equal, model.get_weights(), twin.get_weights()))
    assert model.history.history == twin.history.history
    assert model.evaluate(form, Y, batch_size=8) == twin.evaluate([IMAGES, NUMBERS], Y, batch_size=8)
    y = model.predict(form, batch_size=8)
    assert y.shape == (N, 3)
    for call in (model, model.forward, model.predict_on_batch, model.infer):
        np.testing.assert_allclose(minicnn.to_host(call(form)), y, rtol=1e-5)
    np.testing.assert_array_equal(model.test_on_batch(form, Y), model.test_on_batch([IMAGES, NUMBERS], Y))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_generators(backend, form):
    model, twin = compiled(two_inputs()), compiled(two_inputs())
    twin.set_weights(model.get_weights())
    model.fit(of_batches(form), verbose=0, validation_data=of_batches(form))
    twin.fit([IMAGES, NUMBERS], Y, batch_size=5, shuffle=False, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), twin.get_weights()))
    np.testing.assert_array_equal(
        model.predict((x,) for x, _ in of_batches(form)), model.predict([IMAGES, NUMBERS], batch_size=5)
    )


def test_the_split_and_the_order_of_samples(backend):
    """Rows of both inputs stay together: y = a · b is learnt by nothing, but the loss of each sample shows its row."""
    a, b = Input((1,)), Input((1,))
    model = Model([a, b], Multiply()([a, b]))
    x = [np.arange(1, 11, dtype="float32")[:, None], np.arange(10, 0, -1, dtype="float32")[:, None]]
    assert model.input_names == ("input_1", "input_2")
    model.compile("sgd", "mse")
    history = model.fit(x, x[0] * x[1], batch_size=3, validation_split=0.3, verbose=0).history
    assert history == {"loss": [0.0], "val_loss": [0.0]}


# gradients


def test_the_gradient_of_each_input(backend):
    """y = a · b + a: da = (b + 1) dy, db = a dy."""
    a, b = Input((2,)), Input((2,))
    model = Model([a, b], Add()([Multiply()([a, b]), a]))
    x = [np.array([row], "float32") for row in ([2, -3], [5, 7])]
    np.testing.assert_array_equal(model.forward(x), [[12, -24]])
    da, db = model.backward(np.array([[1, 10]], "float32"))
    np.testing.assert_array_equal(da, [[6, 80]])
    np.testing.assert_array_equal(db, [[2, -30]])
    assert model.backward(np.array([[1, 10]], "float32"), need_dx=False) is None


def test_gradients_against_numerical_ones(backend):
    model = compiled(two_inputs())
    report = check_model(model, [IMAGES[:3], NUMBERS[:3]], Y[:3], samples=20)
    report.raise_if_wrong()
    assert {"dx[0]", "dx[1]"} <= {finding.quantity for finding in report.findings}


def test_a_wrong_layer_behind_several_inputs_is_found():
    class Wrong(ReLU):
        def call_backward(self, dy, need_dx):
            return 2 * super().call_backward(dy, need_dx)

    a, b = Input((3,)), Input((2,))
    model = Model([a, b], Dense(2)(Concatenate()([Wrong()(Dense(4)(a)), b])))
    model.compile("sgd", "mse")
    report = check_model(model, [NUMBERS, NUMBERS[:, :2]], NUMBERS[:, :2])
    assert "the mistake is in Wrong" in str(report)


def test_an_activation_behind_an_input_is_not_fused(backend):
    a, b = Input((3,)), Input((3,))
    model = Model([a, b], Add()([ReLU()(a), ReLU()(Dense(3)(b))]))
    model.compile("sgd", "mse")
    network, _ = model.objective()
    assert [(type(layer).__name__, layer.activation) for layer in network.layers] == [
        ("Dense", "relu"),
        ("ReLU", "linear"),
        ("Add", "linear"),
    ]
    x = [NUMBERS, -NUMBERS]
    np.testing.assert_allclose(network.forward(x), model.forward(x), rtol=1e-6)


# graphs


def test_inputs_of_the_model_and_of_a_part():
    model = two_inputs()
    assert [value.name for value in model.inputs] == ["images", "numbers"]
    assert model.input == model.inputs
    assert model.input_shape == [(None, 6, 5, 2), (None, 3)]
    part = Model(model.inputs[1], model.get_layer("re_lu").output)
    assert part.predict(NUMBERS).shape == (N, 4)
    assert part.predict({"numbers": NUMBERS}).shape == (N, 4)


def test_inputs_by_name_in_a_dict():
    a, b = Input((3,)), Input((3,))
    model = Model({"left": a, "right": b}, Add()([a, b]))
    np.testing.assert_array_equal(model.predict({"right": NUMBERS, "left": NUMBERS}), 2 * NUMBERS)


def test_a_model_of_several_inputs_in_a_larger_one(backend):
    model = two_inputs()
    images, numbers = Input((6, 5, 2)), Input((6,))
    larger = Model([images, numbers], Dense(2)(model([images, Dense(3)(numbers)])))
    assert larger.predict([IMAGES, np.hstack([NUMBERS, NUMBERS])]).shape == (N, 2)
    by_name = model({"numbers": Input((3,)), "images": images})
    assert by_name.shape == (None, 3)


# files and copies


@pytest.mark.parametrize("way", ["deepcopy", "pickle", "safetensors", "keras", "h5", "json"])
def test_copies(backend, way, tmp_path):
    if way in ("keras", "h5"):
        pytest.importorskip("h5py", reason="h5py is not installed")
    model = compiled(two_inputs())
    x = [IMAGES, NUMBERS]
    model.fit(x, Y, verbose=0)
    if way == "deepcopy":
        twin = copy.deepcopy(model)
    elif way == "pickle":
        twin = pickle.loads(pickle.dumps(model))
    elif way == "json":
        twin = minicnn.models.model_from_json(json.dumps(json.loads(model.to_json())))
        twin.set_weights(model.get_weights())
    else:
        model.save(tmp_path / f"model.{way}")
        twin = load_model(tmp_path / f"model.{way}")
    assert type(twin) is Model
    assert twin.input_names == ("images", "numbers")
    assert twin.input_shape == model.input_shape
    np.testing.assert_array_equal(twin.predict(x), model.predict(x))
    if way in ("deepcopy", "pickle", "safetensors"):
        for each in (model, twin):
            each.fit(x, Y, epochs=2, initial_epoch=1, batch_size=8, verbose=0)
        assert all(map(np.array_equal, twin.get_weights(), model.get_weights()))


def test_summary_and_picture(tmp_path):
    model = two_inputs()
    lines: list[str] = []
    model.summary(print_fn=lambda text: lines.extend(text.splitlines()))
    assert any(line.endswith("flatten, re_lu, numbers") for line in lines)
    picture = minicnn.utils.plot_model(model, tmp_path / "model.svg").read_text()
    assert ">images</text>" in picture
    assert ">numbers</text>" in picture


# errors


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (IMAGES, TypeError, r"a list of 2 arrays, for images, numbers, found one of shape \(20, 6, 5, 2\).*dict"),
        ([IMAGES], ValueError, "a list of 2 arrays, for images, numbers, found 1"),
        ([IMAGES, NUMBERS, NUMBERS], ValueError, "a list of 2 arrays, for images, numbers, found 3"),
        ({"images": IMAGES}, ValueError, "a dict with 'images', 'numbers', found one with 'images'.*name="),
        (
            [NUMBERS, IMAGES],
            ValueError,
            r"input 'images': expected input of shape \(batch, 6, 5, 2\), found .*\(20, 3\)",
        ),
        (
            [IMAGES, NUMBERS[:7]],
            ValueError,
            r"input 'numbers': expected 20 samples, as for input 'images', found .*\(7, 3",
        ),
        ([IMAGES, [["a"] * 3] * N], TypeError, "input 'numbers': expected x of numbers"),
        ([IMAGES[0], NUMBERS[0]], ValueError, "input '(images|numbers)'.*samples|batch axis"),
    ],
)
def test_wrong_x(x, error, words):
    model = compiled(two_inputs())
    for call in (model.predict, model.predict_on_batch, model.forward, lambda x: model.fit(x, Y, verbose=0)):
        with pytest.raises(error, match=words):
            call(x)


def test_numbers_that_are_not_finite_name_their_input():
    numbers = NUMBERS.copy()
    numbers[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"fit, input 'numbers': expected finite x, found 1 NaN.*\(3, 1\)"):
        compiled(two_inputs()).fit([IMAGES, numbers], Y)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (
            lambda a, b: Model([a, b], Dense(2)(a)),
            ValueError,
            r"the outputs are computed from, found Input\(\(4,\)\), un",
        ),
        (lambda a, b: Model(a, Concatenate()([a, b])), ValueError, r"from Input\(\(4,\)\).*Model\(\[a, b\], outputs\)"),
        (lambda a, b: Model([a, a], Dense(2)(a)), ValueError, "different Inputs"),
        (lambda a, b: Model([], Dense(2)(a)), TypeError, "an Input, or a list of them"),
        (lambda a, b: Model([a, 3], Dense(2)(a)), TypeError, "an Input, or a list of them"),
        (lambda a, b: Sequential([two_inputs(), Dense(2)]), ValueError, "one input and one output, found 2 and 1"),
        (lambda a, b: two_inputs()([a, b, a]), ValueError, "a list of 2 arrays.*found 3"),
        (lambda a, b: Sequential([a, Dense(2)])([a, b]), ValueError, "1 inputs, found 2"),
    ],
)
def test_wrong_graphs(make, error, words):
    with pytest.raises(error, match=words):
        make(Input((3,)), Input((4,)))


def test_two_inputs_of_one_name():
    a, b = Input((3,), name="x"), Input((3,), name="x")
    with pytest.raises(ValueError, match="different names, found 'x', 'x'.*name=…"):
        Model([a, b], Add()([a, b]))


def test_what_needs_one_input_says_so():
    model = compiled(two_inputs())
    with pytest.raises(ValueError, match=r"one input and one output, found 2 and 1.*model\.values"):
        minicnn.trace(model, [IMAGES, NUMBERS], Y)


def test_dropout_and_a_frozen_branch(backend):
    a, b = Input((3,)), Input((3,))
    frozen = Dense(3, trainable=False)
    model = Model([a, b], Dense(2)(Dropout(0.5)(Concatenate()([frozen(a), Dense(3)(b)]))))
    model.compile("sgd", "mse")
    before = frozen.get_weights()
    model.fit([NUMBERS, NUMBERS], NUMBERS[:, :2], verbose=0)
    assert all(map(np.array_equal, before, frozen.get_weights()))
