"""Models with several outputs: the outputs of layers by name, lists of arrays, gradients that add up, and files."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import minicnn
from minicnn import Input, Model, Sequential, load_model
from minicnn.layers import Conv2D, Dense, Flatten, MaxPooling2D, ReLU

rng = np.random.default_rng(0)
X = rng.normal(size=(7, 6, 5, 2)).astype("float32")


def stack():
    return Sequential([Input((6, 5, 2)), Conv2D(3, 2), ReLU(), MaxPooling2D(2), Flatten(), Dense(4)])


def all_outputs(model):
    return Model(inputs=model.inputs, outputs=[layer.output for layer in model.layers])


# the feature maps of all layers


def test_the_outputs_of_all_layers(backend):
    model = stack()
    found = all_outputs(model).predict(X, batch_size=3)
    assert type(found) is list
    assert all(map(np.array_equal, found, map(minicnn.to_host, model.values(X)[1:])))
    maps = all_outputs(model)
    for each in (maps.predict_on_batch(X), maps(X), maps.forward(X), maps.infer(X)):
        assert type(each) is list
        assert all(map(np.array_equal, found, map(minicnn.to_host, each)))


def test_the_output_of_a_layer_by_its_name(backend):
    model = stack()
    part = Model(model.inputs, model.get_layer("conv2d").output)
    np.testing.assert_array_equal(part.predict(X), minicnn.to_host(model.values(X)[1]))
    assert part.layers[0] is model.layers[0]


def test_input_and_output_of_layers_and_models():
    inputs = Input((6, 5, 2))
    x = Conv2D(3, 2)(inputs)
    y = Flatten()(x)
    model = Model(inputs, y)
    assert model.inputs == [model.input] == [inputs]
    assert model.outputs == [model.output] == [y]
    assert model.layers[0].output is model.layers[1].input is x
    assert model.output_names == ["flatten"]
    both = Model(inputs, [y, x])
    assert both.outputs == both.output == [y, x]
    assert both.output_names == ["flatten", "conv2d"]
    assert both.output_shape == [(None, 60), (None, 5, 4, 3)]


def test_a_given_input_begins_a_sequential():
    inputs = Input((3,))
    model = Sequential([inputs, Dense(2)])
    assert model.inputs == [inputs]
    assert Model(inputs, model.layers[0].output).layers == model.layers
    model.add(Dense(4))
    assert model.outputs == [model.layers[1].output]
    model.pop()
    assert model.outputs == [model.layers[0].output]


def test_a_model_built_by_its_first_batch_has_inputs(backend):
    model = Sequential([Flatten(), Dense(2)])
    with pytest.raises(AttributeError, match="Sequential has no inputs yet.*Input"):
        _ = model.inputs
    with pytest.raises(AttributeError, match="Dense has no output yet.*Input"):
        _ = model.layers[1].output
    model.predict(X)
    assert [one.shape for one in all_outputs(model).predict(X)] == [(7, 60), (7, 2)]


@pytest.mark.parametrize("way", ["deepcopy", "pickle", "file", "keras", "json"])
def test_the_layers_of_a_copy_have_outputs(way, tmp_path):
    model = all_outputs(stack())
    if way in ("file", "keras"):
        if way == "keras":
            pytest.importorskip("h5py", reason="h5py is not installed")
        path = tmp_path / ("model.keras" if way == "keras" else "model.safetensors")
        model.save(path)
        twin = load_model(path)
    elif way == "json":
        twin = minicnn.models.model_from_json(model.to_json())
        twin.set_weights(model.get_weights())
    else:
        twin = copy.deepcopy(model) if way == "deepcopy" else pickle.loads(pickle.dumps(model))
    assert type(twin) is Model
    assert twin.outputs == [layer.output for layer in twin.layers]
    assert all(
        twin_layer.output is not layer.output for twin_layer, layer in zip(twin.layers, model.layers, strict=True)
    )
    assert all(map(np.array_equal, twin.predict(X), model.predict(X)))
    assert all(map(np.array_equal, all_outputs(twin).predict(X), model.predict(X)))


def test_the_output_of_a_layer_is_of_its_first_call_that_still_exists():
    base = stack()
    inputs = Input((6, 5, 2))
    larger = Model(inputs, Dense(2)(base(inputs)))
    assert base.outputs == [base.layers[-1].output]
    with pytest.raises(ValueError, match="computed from the inputs.*first call"):
        Model(larger.inputs, larger.layers[0].output)
    del base
    gc.collect()
    assert all_outputs(larger).layers == larger.layers


def test_a_model_that_nobody_holds_is_freed_at_once():
    gc.disable()
    try:
        model = stack()
        model.predict(X)
        freed = weakref.ref(model.layers[0])
        del model
        assert freed() is None
    finally:
        gc.enable()


# gradients


def test_backward_adds_the_gradients_of_all_outputs(backend):
    """a = 3x, b = 5a, outputs a and b: da = g0 + 5 g1, dx = 3 da."""
    inputs = Input((1,))

    def times(factor):
        return Dense(1, use_bias=False, kernel_initializer=minicnn.initializers.Constant(factor))

    a = times(3)(inputs)
    model = Model(inputs, [a, times(5)(a)])
    x, *gradients = (np.array([[number]], "float32") for number in (2, 1, 10))
    assert [y.item() for y in model.forward(x)] == [6, 30]
    assert model.backward(gradients).item() == 3 * (1 + 50)
    assert [parameter.grad.item() for parameter in model.parameters()] == [2 * 51, 6 * 10]


def test_the_gradient_needs_one_array_for_each_output():
    model = all_outputs(stack())
    ys = model.forward(X)
    with pytest.raises(ValueError, match="dy.*a list of 5 arrays.*found 2"):
        model.backward(ys[:2])
    with pytest.raises(TypeError, match="dy.*a list of 5 arrays"):
        model.backward(ys[0])
    with pytest.raises(TypeError, match="dy.*an array.*list"):
        stack().backward(ys)


# errors, and what does not work with several outputs


def test_several_outputs_are_not_compiled_into_one_function(backend):
    """Inference of a chain of layers is one function, which returns the last value only."""
    model = stack()
    inner = Model(model.inputs, [model.layers[1].output, model.layers[-1].output])
    assert [y.shape for y in inner.predict(X)] == [(7, 5, 4, 3), (7, 4)]


@pytest.mark.parametrize(
    ("outputs", "error", "words"),
    [
        ([], ValueError, "at least one"),
        ({"a": 1}, TypeError, "a Value of a layer, or a list of them, found {'a': 1}.*named after their layers"),
        ([Dense(2)], TypeError, "a Value of a layer, or a list of them"),
        ([(a := ReLU()(Input((3,)))), a], ValueError, "different ones.*re_lu.* twice"),
    ],
)
def test_wrong_outputs(outputs, error, words):
    with pytest.raises(error, match=words):
        Model(Input((3,)), outputs)


def test_a_model_of_several_outputs_inside_a_sequential_is_refused():
    with pytest.raises(ValueError, match="one input and one output, found 1 and 5.*Model"):
        Sequential([all_outputs(stack()), Dense(2)])


def test_a_model_of_several_outputs_is_called_on_a_value(backend):
    maps = all_outputs(stack())
    inputs = Input((6, 5, 2))
    values = maps(inputs)
    assert [value.layer for value in values] == maps.layers
    model = Model(inputs, Dense(2)(Flatten()(values[0])))
    assert model.predict(X).shape == (7, 2)


def test_pictures_of_several_outputs(tmp_path):
    model = all_outputs(stack())
    lines: list[str] = []
    model.summary(print_fn=lambda text: lines.extend(text.splitlines()))
    assert lines[4].endswith("input")
    assert minicnn.utils.plot_model(model, tmp_path / "model.svg").exists()
