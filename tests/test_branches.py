"""Models with branches: order, gradients that add up, training, files, and errors."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minicnn
from minicnn import Input, Model, Sequential, load_model
from minicnn.gradcheck import check_model
from minicnn.layers import (
    Activation,
    Add,
    Average,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Maximum,
    MaxPooling2D,
    Minimum,
    Multiply,
    ReLU,
    Softmax,
    Subtract,
    add,
    concatenate,
)

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(20, 6, 5, 2)), np.arange(20) % 3


def f32(values):
    return np.array(values, np.float32)


def residual():
    """A shortcut, two kinds of pooling side by side, batch norm and dropout."""
    inputs = Input((6, 5, 2))
    x = ReLU()(BatchNormalization()(Conv2D(4, 3, padding="same", use_bias=False)(inputs)))
    y = Conv2D(4, 3, padding="same")(x)
    x = ReLU()(Add()([x, y]))
    x = Concatenate()([MaxPooling2D(2)(x), AveragePooling2D(2)(x)])
    outputs = Dense(3, activation="softmax")(Dropout(0.3)(Flatten()(x)))
    return Model(inputs, outputs)


def compiled(model):
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def dense(units, kernel, **options):
    """A dense layer with a constant kernel and no bias."""
    return Dense(units, use_bias=False, kernel_initializer=minicnn.initializers.Constant(kernel), **options)


# by hand


@pytest.mark.parametrize(
    ("layer", "x", "y", "dx"),
    [
        (Add(), [[1, -2], [3, 2], [4, 2]], [8, 2], [[1, 10], [1, 10], [1, 10]]),
        (Multiply(), [[2, -2], [3, 1], [2, 2]], [12, -4], [[6, 20], [4, -40], [6, -20]]),
        (Average(), [[1, -2], [3, 2], [5, 3]], [3, 1], [[1 / 3, 10 / 3]] * 3),
        (Maximum(), [[2, -2], [3, 2], [6, 2]], [6, 2], [[0, 0], [0, 10], [1, 0]]),
        (Minimum(), [[2, 5], [3, 2], [6, 2]], [2, 2], [[1, 0], [0, 10], [0, 0]]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layers_that_join_three_values(backend, layer, x, y, dx):
    np.testing.assert_allclose(layer.forward([f32([one]) for one in x]), [y], rtol=1e-6)
    np.testing.assert_allclose(layer.backward(f32([[1, 10]])), [[one] for one in dx], rtol=1e-6)


def test_subtraction_and_concatenation(backend):
    layer = Subtract()
    np.testing.assert_array_equal(layer.forward([f32([[5, 1]]), f32([[2, 4]])]), [[3, -3]])
    np.testing.assert_array_equal(layer.backward(f32([[1, 10]])), [[[1, 10]], [[-1, -10]]])
    layer = Concatenate(axis=1)
    np.testing.assert_array_equal(layer.forward([f32([[[1], [2]]]), f32([[[3]]])]), [[[1], [2], [3]]])
    da, db = layer.backward(f32([[[1], [10], [100]]]))
    np.testing.assert_array_equal(da, [[[1], [10]]])
    np.testing.assert_array_equal(db, [[[100]]])


def test_the_gradient_of_a_value_that_was_used_twice_is_a_sum(backend):
    """y = 3x + 5x + x, so dx = 9 dy."""
    inputs = Input((1,))
    model = Model(inputs, Add()([dense(1, 3)(inputs), dense(1, 5)(inputs), inputs]))
    np.testing.assert_array_equal(model.forward(f32([[2]])), [[18]])
    np.testing.assert_array_equal(model.backward(f32([[10]])), [[90]])
    assert [parameter.grad.tolist() for parameter in model.parameters()] == [[[20]], [[20]]]  # x · dy


def test_a_value_may_go_twice_into_one_layer(backend):
    """y = x · x, so dx = 2 x dy."""
    inputs = Input((2,))
    model = Model(inputs, Multiply()([inputs, inputs]))
    model.forward(f32([[3, -4]]))
    np.testing.assert_array_equal(model.backward(f32([[1, 10]])), [[6, -80]])


# the order, and all gradients


@st.composite
def graphs(draw):
    """A model of dense layers and joins, each of values before it; the last one joins all that are left over."""
    inputs = Input((3,))
    values, used = [inputs], set()
    for _ in range(draw(st.integers(1, 6))):
        one, other = (draw(st.sampled_from(range(len(values)))) for _ in range(2))
        if draw(st.booleans()):
            values.append(Dense(3, activation=draw(st.sampled_from([None, "tanh"])), dtype="float64")(values[one]))
            used.add(one)
        else:
            join = draw(st.sampled_from([Add, Multiply, Average, Subtract]))
            values.append(join(dtype="float64")([values[one], values[other]]))
            used |= {one, other}
    left = [value for number, value in enumerate(values) if number not in used]
    return inputs, (Add(dtype="float64")(left) if len(left) > 1 else left[0])


def computed(value, x, known):
    """The value for x, from the definitions alone."""
    if value.layer is None:
        return x
    if value not in known:
        got = [computed(source, x, known) for source in value.sources]
        known[value] = value.layer.forward(got if len(got) > 1 else got[0])
    return known[value]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graphs())
def test_any_graph(backend, graph):
    inputs, outputs = graph
    model = Model(inputs, outputs)
    for number, sources in enumerate(model.sources):
        assert max(sources) <= number  # of the values before this layer's
    x = rng.normal(size=(2, 3))
    np.testing.assert_allclose(model.forward(x), computed(outputs, x, {}), rtol=1e-12)
    model.compile("sgd", "mse")
    check_model(model, x, rng.normal(size=(2, 3)), samples=4).raise_if_wrong()


def test_the_gradients_of_a_model_with_everything(backend):
    check_model(compiled(residual()), X[:3], Y[:3], samples=20).raise_if_wrong()


def test_layers_are_in_the_order_of_keras():
    """By the longest path to the output; among equal ones, that of the first argument comes first."""
    inputs = Input((4,))
    short = Dense(4, name="short")(inputs)
    long = Dense(4, name="long_2")(Dense(4, name="long_1")(inputs))
    model = Model(inputs, Add(name="sum")([short, long, Dense(4, name="other")(inputs)]))
    assert [layer.name for layer in model.layers] == ["long_1", "short", "long_2", "other", "sum"]
    assert model.sources == ((0,), (0,), (1,), (0,), (2, 3, 4))


def test_stopping_before_the_input_gradient_changes_no_other(backend):
    model = residual()
    dy = f32(rng.normal(size=(20, 3)))
    model.layers[0].trainable = False
    for _ in range(2):
        model.forward(X, training=False)
        model.backward(dy)
        expected = [parameter.grad for parameter in model.parameters()]
        assert model.backward(dy, need_dx=False) is None
        for parameter, grad in zip(model.parameters(), expected, strict=True):
            np.testing.assert_array_equal(parameter.grad, grad)
        model.layers[3].trainable = False  # one branch learns, the other does not


def test_a_frozen_branch_is_not_passed_backwards(backend):
    inputs = Input((3,))
    frozen = Dense(3, trainable=False)
    model = Model(inputs, Dense(2)(Add()([frozen(inputs), inputs])))
    model.forward(np.ones((2, 3)))
    frozen.backward = None  # it would fail
    model.backward(np.ones((2, 2), np.float32), need_dx=False)


def test_an_activation_is_fused_only_with_a_layer_whose_output_it_alone_gets(backend):
    inputs = Input((4,))
    x, y = Dense(3)(inputs), Dense(3)(inputs)
    outputs = Softmax()(Add()([Activation("relu")(x), Activation("tanh")(y), y]))
    model = Model(inputs, outputs)
    model.compile("adam", "mse")
    network, _ = model.objective()
    assert [layer.activation for layer in network.layers] == ["relu", "linear", "tanh", "linear", "softmax"]
    assert network.sources == ((0,), (0,), (2,), (1, 3, 2), (4,))
    x = rng.normal(size=(5, 4))
    np.testing.assert_allclose(network.forward(x), model.forward(x), rtol=1e-5)


# training, files, copies


def test_a_model_learns(backend):
    model = compiled(residual())
    history = model.fit(X, Y, epochs=15, verbose=0)
    assert history.history["loss"][-1] < 0.8 * history.history["loss"][0]
    assert model.predict(X).shape == (20, 3)


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda model: pickle.loads(pickle.dumps(model))}


@pytest.mark.parametrize("way", [*COPIES, "file"])
def test_a_copy_trains_on_bit_for_bit(backend, way, tmp_path):
    model = compiled(residual())
    model.fit(X, Y, batch_size=8, verbose=0)
    if way == "file":
        model.save(tmp_path / "model.safetensors")
        twin = load_model(tmp_path / "model.safetensors")
    else:
        twin = COPIES[way](model)
    assert type(twin) is Model
    assert twin.sources == model.sources
    assert len(twin.get_weights()) == len(model.get_weights())
    found = twin.fit(X, Y, batch_size=8, epochs=3, initial_epoch=1, verbose=0)
    expected = model.fit(X, Y, batch_size=8, epochs=3, initial_epoch=1, verbose=0)
    assert found.history == expected.history
    assert all(map(np.array_equal, twin.get_weights(), model.get_weights()))


def test_a_model_is_made_again_from_its_json():
    model = residual()
    twin = minicnn.models.model_from_json(model.to_json())
    assert type(twin) is Model
    assert twin.get_config() == model.get_config()
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))


def test_a_graph_that_is_a_line_is_a_sequential(backend, tmp_path):
    layers = [Conv2D(3, 2, activation="relu"), Flatten(), Dense(3)]
    inputs = x = Input((6, 5, 2))
    for layer in layers:
        x = layer(x)
    model, stack = Model(inputs, x), Sequential([inputs, *layers])
    np.testing.assert_array_equal(model.predict(X), stack.predict(X))
    model.save(tmp_path / "line.safetensors")
    assert type(load_model(tmp_path / "line.safetensors")) is Sequential


def test_models_share_layers(backend):
    model = residual()
    inputs = Input((6, 5, 2))
    twice = Model(inputs, Dense(2)(model(inputs)))
    stack = Sequential([model, Dense(2)])
    assert stack.layers[:-1] == model.layers == twice.layers[:-1]
    stack.set_weights(twice.get_weights())
    np.testing.assert_array_equal(stack.predict(X), twice.predict(X))


def test_a_model_of_unknown_lengths(backend):
    inputs = Input((None, None, 2))
    x = Conv2D(2, 3, padding="same")(inputs)
    assert x.shape == (None, None, None, 2)
    model = Model(inputs, Add()([x, inputs]))
    assert model.built
    assert model.predict(X).shape == (20, 6, 5, 2)
    assert model.predict(X[:, :4]).shape == (20, 4, 5, 2)


def test_summary_shows_what_each_layer_gets():
    lines: list[str] = []
    residual().summary(print_fn=lambda text: lines.extend(text.splitlines()))
    assert lines[2].split() == ["Layer", "(type)", "Output", "Shape", "Param", "#", "Connected", "to"]
    joins = [line for line in lines if line.startswith(("add ", "concatenate "))]
    assert [line.split("  ")[-1] for line in joins] == ["re_lu, conv2d_1", "max_pooling2d, average_pooling2d"]


def test_weights_are_named_after_their_layer():
    """Layers of a graph are built, which names their weights, before the model numbers them."""
    inputs = Input((6, 5, 2))
    model = compiled(Model(inputs, Dense(3)(Flatten()(Conv2D(3, 2)(Conv2D(2, 3)(inputs))))))
    assert [weight.name for weight in model.weights[::2]] == ["conv2d/kernel", "conv2d_1/kernel", "dense/kernel"]
    found = minicnn.explain(model, X, Y, model.layers[1].kernel, (0, 0, 1, 2))
    assert found.stored == minicnn.trace(model, X, Y)["conv2d_1"].gradients["kernel"][0, 0, 1, 2]


def test_functions_of_lower_case_are_keras_s():
    a, b = Input((3,)), Input((3,))
    assert type(add([a, b]).layer) is Add
    assert concatenate([a, b], axis=1, name="both").shape == (None, 6)


# errors


def values():
    a = Input((4, 3))
    return a, Flatten()(a), Dense(12)(Flatten()(a))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Add()(Input((3,))), ValueError, ["two inputs or more", "[a, b]"]),
        (lambda: Dense(2)([Input((3,)), Input((3,))]), ValueError, ["one input, found 2", "Concatenate"]),
        (lambda: Add()([Input((3,)), Input((4,))]), ValueError, ["one shape", "3", "4"]),
        (lambda: Concatenate()([Input((3, 2)), Input((4, 2))]), ValueError, ["differ only on axis -1"]),
        (lambda: Concatenate(axis=3)([Input((3,)), Input((3,))]), ValueError, ["axis=3"]),
        (lambda: Concatenate()([Input((3, 2)), Input((4,))]), ValueError, ["differ only on axis"]),
        (lambda: Subtract()([Input((3,))] * 3), ValueError, ["two inputs in a list, found 3"]),
        (lambda: Add().forward(np.ones((2, 3))), TypeError, ["a list of arrays", "ndarray"]),
        (lambda: Add()([Input((3,)), np.ones((2, 3))]), TypeError, ["only values of a graph", "predict"]),
        (lambda: Conv2D(2, 3)(Input((3,))), ValueError, ["4 axes"]),
        (lambda: Model(), TypeError, ["inputs and outputs"]),
        (lambda: Model(Input((3,)), Dense(2)), TypeError, ["a Value of a layer", "Dense"]),
        (lambda: Model(np.ones(3), values()[1]), TypeError, ["an Input", "array"]),
        (lambda: Model(Input((3,)), values()[1]), ValueError, ["outputs computed from the inputs"]),
        (lambda: Model(values()[0], values()[1]), ValueError, ["outputs computed from the inputs"]),
        (lambda: Model((a := Input((3,))), add([a, Input((3,))])), ValueError, ["from Input((3,))", "Give all inputs"]),
        (lambda: Model((a := Input((3,))), a), TypeError, ["a Value of a layer", "Input((3,))"]),
    ],
)
def test_errors(make, error, words):
    with pytest.raises(error) as raised:
        make()
    assert all(word in str(raised.value) for word in words), raised.value


def test_a_layer_called_twice_in_one_model_is_refused():
    inputs, layer = Input((3,)), Dense(3)
    with pytest.raises(ValueError, match="every layer once, found Dense 'dense' twice.*make a second layer"):
        Model(inputs, Add()([layer(inputs), layer(layer(inputs))]))


def test_figures_of_layers_refuse_branches():
    passage = pytest.importorskip("minicnn.plots.passage", reason="matplotlib is not installed")
    model = compiled(Sequential([residual()]))
    with pytest.raises(TypeError, match="a sequence of layers, found a model with branches"):
        passage.forward("plot", model, X[:1])


def test_a_file_with_wrong_sources_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    residual().save(path)
    content = minicnn.tensor_file.read(path)
    for wrong in ([], [[0]], [[0], [1], [2], [3], [9, 4], *content["sources"][5:]], [[0, 0], *content["sources"][1:]]):
        minicnn.tensor_file.write(path, {**content, "sources": wrong})
        with pytest.raises(minicnn.ModelFileError):
            load_model(path)


def test_signs_join_values():
    inputs = Input((3,))
    a, b = Dense(4, name="a")(inputs), Dense(4, name="b")(inputs)
    for value, layer in ((a + b, Add), (a - b, minicnn.layers.Subtract), (a * b, Multiply)):
        assert type(value.layer) is layer
        assert value.sources == (a, b)
    with pytest.raises(TypeError, match="Rescaling"):
        a * 2


def test_a_shared_layer_is_not_called_on_other_shapes():
    layer = Dense(2)
    layer(Input((3,)))
    with pytest.raises(ValueError, match="expected 3 channels on axis -1, as it was built with"):
        layer(Input((4,)))
