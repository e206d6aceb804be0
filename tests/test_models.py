"""Sequential: building, summary, weights, explicit forward and backward."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import minicnn
from minicnn import Input, Sequential
from minicnn.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Softmax

rng = np.random.default_rng(0)


def small_model(**dense):
    return Sequential(
        [
            Input((6, 5, 2)),
            Conv2D(3, 3, padding="same", activation="relu"),
            MaxPooling2D(2),
            BatchNormalization(),
            Flatten(),
            Dense(4, **dense),
        ]
    )


def test_input_builds_all_layers_at_once():
    model = small_model()
    assert model.built
    assert [layer.output_shape for layer in model.layers][-2:] == [(None, 18), (None, 4)]
    assert model.output_shape == (None, 4)


def test_the_first_batch_builds_a_model_without_input(backend):
    model = Sequential([Conv2D(3, 3), Flatten(), Dense(2)])
    assert not model.built
    assert model.forward(np.ones((2, 5, 6, 1), np.float32)).shape == (2, 2)
    assert model.built
    assert model.count_params() == 3 * 9 + 3 + 3 * 4 * 3 * 2 + 2


def test_input_shape_on_the_first_layer_stands_for_an_input():
    assert Sequential([Flatten(input_shape=(4, 3)), Dense(2)]).count_params() == 26


def test_a_model_in_a_model_shares_its_weights(backend):
    inner = small_model()
    outer = Sequential([inner, Softmax()])
    x = rng.normal(size=(3, 6, 5, 2)).astype(np.float32)
    y = outer.predict(x)
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-5)
    inner.set_weights([np.zeros_like(weight) for weight in inner.get_weights()])
    np.testing.assert_allclose(outer.predict(x), 0.25)


def test_summary_has_keras_columns_and_totals():
    lines: list[str] = []
    small_model().summary(print_fn=lambda text: lines.extend(text.splitlines()))
    text = "\n".join(lines)
    assert all(heading in text for heading in ("Layer (type)", "Output Shape", "Param #"))
    assert "conv2d (Conv2D)" in text
    assert "(None, 6, 5, 3)" in text
    assert "Total params: 145" in text  # 57 + 12 + 76
    assert "Trainable params: 139" in text
    assert "Non-trainable params: 6" in text


def test_summary_before_the_shapes_are_known(capsys):
    Sequential([Dense(3)]).summary()
    assert "0 (unbuilt)" in capsys.readouterr().out


def test_layers_of_a_kind_are_numbered():
    model = Sequential([Dense(2), Dense(2), Dense(2, name="last")])
    assert [layer.name for layer in model.layers] == ["dense", "dense_1", "last"]
    assert model.get_layer("dense_1") is model.layers[1]
    assert model.get_layer(index=-1).name == "last"
    with pytest.raises(ValueError, match=r"dense, dense_1, last"):
        model.get_layer("conv")


def test_weights_have_keras_order_and_shapes():
    shapes = [weight.shape for weight in small_model().get_weights()]
    assert shapes == [(3, 3, 2, 3), (3,), (3,), (3,), (3,), (3,), (18, 4), (4,)]
    names = [weight.name for weight in small_model().weights]
    assert names[2:6] == [f"batch_normalization/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")]


def test_set_weights_makes_a_twin_or_changes_nothing(backend):
    one, other = small_model(), small_model()
    x = rng.normal(size=(3, 6, 5, 2)).astype(np.float32)
    other.set_weights(one.get_weights())
    np.testing.assert_array_equal(one.predict(x), other.predict(x))
    wrong = [np.zeros_like(weight) for weight in one.get_weights()]
    wrong[-1] = np.zeros(5)
    with pytest.raises(ValueError, match=r"dense/bias.*\(4,\).*\(5,\)"):
        other.set_weights(wrong)
    np.testing.assert_array_equal(one.predict(x), other.predict(x))


def test_parameters_are_named_and_ordered_and_get_gradients(backend):
    model = small_model()
    parameters = model.parameters()
    assert [p.name for p in parameters][:3] == ["conv2d/kernel", "conv2d/bias", "batch_normalization/gamma"]
    assert all(p.grad is None for p in parameters)
    y = model.forward(rng.normal(size=(2, 6, 5, 2)), training=True)
    dx = model.backward(np.ones_like(y))
    assert dx.shape == (2, 6, 5, 2)
    assert all(p.grad.shape == p.value.shape and p.grad.dtype == np.float32 for p in parameters)


def test_stopping_before_the_input_gradient_changes_no_other(backend):
    model = small_model()
    x = rng.normal(size=(2, 6, 5, 2))
    y = model.forward(x, training=True)
    dy = rng.normal(size=y.shape).astype(np.float32)
    model.backward(dy)
    expected = [p.grad.copy() for p in model.parameters()]
    assert model.backward(dy, need_dx=False) is None
    for p, grad in zip(model.parameters(), expected, strict=True):
        np.testing.assert_array_equal(p.grad, grad)


def test_frozen_layers_are_left_alone(backend):
    model = small_model()
    model.layers[0].trainable = model.layers[2].trainable = False
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.train_on_batch(rng.normal(size=(8, 6, 5, 2)), rng.normal(size=(8, 4)))
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False] * 6 + [True, True]


def test_freezing_a_model_freezes_its_layers(backend):
    model = small_model()
    model.trainable = False
    assert model.parameters() == []
    model.trainable = True
    assert len(model.parameters()) == 6


def test_float64_throughout(backend):
    minicnn.config.set_floatx("float64")
    try:
        model = small_model(activation="softmax")
    finally:
        minicnn.config.set_floatx("float32")
    y = model.forward(rng.normal(size=(2, 6, 5, 2)), training=True)
    dx = model.backward(np.ones_like(y))
    assert {y.dtype, dx.dtype, *(p.grad.dtype for p in model.parameters())} == {np.dtype("float64")}


def test_float32_stays_float32_whatever_the_data(backend):
    model = small_model(activation="softmax")
    for dtype in (np.uint8, np.int64, np.float64):
        y = model.forward(np.ones((2, 6, 5, 2), dtype), training=True)
        assert y.dtype == np.float32
        assert model.backward(y).dtype == np.float32


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Sequential([Flatten]), TypeError, ["a layer", "Flatten()"]),
        (lambda: Sequential([Input((4, 4)), Conv2D(3, 3)]), ValueError, ["conv2d", "4 axes", "numpy.newaxis"]),
        (lambda: Sequential([Input((4, 4, 1)), Conv2D(3, 5)]), ValueError, ["window, (5, 5)"]),
        (lambda: Sequential([Input((4,)), Input((5,))]), ValueError, ["(None, 4)", "(5,)"]),
        (lambda: Sequential([Dense(2), Dense(2, dtype="float64")]), TypeError, ["float32", "float64", "set_floatx"]),
        (lambda: Sequential([Dense(2, name="a"), Dense(2, name="a")]), ValueError, ["two named 'a'"]),
        (lambda: Sequential().forward(np.ones((1, 2))), RuntimeError, ["no layers"]),
        (lambda: small_model().forward(np.ones((1, 6, 5))), ValueError, ["(batch, 6, 5, 2)", "(1, 6, 5)"]),
        (lambda: small_model().forward(np.ones((1, 7, 5, 2))), ValueError, ["(batch, 6, 5, 2)", "(1, 7, 5, 2)"]),
        (lambda: small_model().forward([["1"]]), TypeError, ["numbers", "list"]),
        (lambda: small_model().set_weights([np.ones(3)]), ValueError, ["8 arrays", "1 arrays", "conv2d/kernel"]),
    ],
)
def test_errors(make, error, words):
    with pytest.raises(error) as raised:
        make()
    assert all(word in str(raised.value) for word in words), raised.value


@pytest.mark.parametrize("shape", [(1,), (5, 1), (6, 5, 1)], ids=str)
def test_a_last_axis_of_length_1_is_added_or_removed_as_in_keras(backend, shape):
    model = Sequential([Input(shape), Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    x, y = rng.normal(size=(4, *shape)), np.zeros((4, 1))
    expected = model.predict(x)
    for same in (x[..., 0], x[..., np.newaxis]):
        np.testing.assert_array_equal(model.predict(same), expected)
        np.testing.assert_array_equal(model.forward(same), model.forward(x))
        np.testing.assert_array_equal(model.predict_on_batch(same), model.predict_on_batch(x))
        assert model.evaluate(same, y, verbose=0) == model.evaluate(x, y, verbose=0)
        assert np.isfinite(model.fit(same, y, verbose=0).history["loss"]).all()
        model.train_on_batch(same, y)
        expected = model.predict(x)


def test_other_axes_are_not_guessed():
    model = Sequential([Input((6, 5, 1)), Flatten()])
    for shape in ((2, 5, 6), (6, 5), (2, 6, 5, 1, 2), (0, 6, 5)):
        with pytest.raises(ValueError, match=r"expected"):
            model.predict(np.ones(shape))


def test_one_sample_without_a_batch_axis_gets_its_own_remedy():
    with pytest.raises(ValueError, match=r"This is one sample\. Add the batch axis: x\[numpy\.newaxis\]"):
        small_model().predict(np.ones((6, 5, 2)))


def test_one_sample_without_batch_and_channel_axis_gets_the_same_remedy():
    with pytest.raises(ValueError, match=r"This is one sample"):
        Sequential([Input((6, 5, 1)), Flatten()]).predict(np.ones((6, 5)))


def test_channels_first_images_get_their_own_remedy():
    with pytest.raises(ValueError, match=r"numpy\.moveaxis\(x, 1, -1\)"):
        small_model().predict(np.ones((3, 2, 6, 5)))


def test_a_model_made_for_channels_first_gets_its_own_remedy():
    with pytest.raises(ValueError, match=r"give the model the input shape \(6, 5, 2\)"):
        Sequential([Input((2, 6, 5)), Flatten()]).predict(np.ones((3, 6, 5, 2)))


def test_samples_of_another_shape_get_their_own_remedy():
    model = Sequential([Input((30,)), Dense(2)])
    with pytest.raises(ValueError, match=r"x\.reshape\(-1, 30\)"):
        model.predict(np.ones((3, 6, 5)))
    with pytest.raises(ValueError, match=r"give the model their shape, \(7,\), as its input shape"):
        model.predict(np.ones((3, 7)))


def test_parameters_have_keras_s_shape_and_numpy(backend):
    kernel = small_model().trainable_variables[0]
    assert kernel.shape == kernel.numpy().shape == (3, 3, 2, 3)
    kernel.numpy()[:] = 0
    assert kernel.numpy().any()  # it was a copy


def test_the_list_of_layers_is_not_replaced():
    with pytest.raises(TypeError, match="layers: expected no replacement of the list, found 3"):
        small_model().layers = 3


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "categorical_crossentropy"])
def test_dense_on_images_without_flatten(loss):
    model = Sequential([Input((4, 4, 1)), Dense(3, activation="softmax")])
    model.compile("adam", loss)
    y = np.arange(5) % 3
    with pytest.raises(ValueError, match=r"Put Flatten\(\) before the last Dense"):
        model.fit(np.ones((5, 4, 4, 1)), y if loss.startswith("sparse") else np.eye(3)[y])


@pytest.mark.parametrize("misfit", [Conv2D(2, 3), Sequential([Dense(2), Conv2D(2, 3)])], ids=["layer", "model"])
def test_a_layer_that_does_not_fit_is_not_added(misfit):
    model = small_model()
    config = model.get_config()
    with pytest.raises(ValueError, match="expected 4 axes"):
        model.add(misfit)
    assert model.get_config() == config
    model.add(Dense(2))
    assert model.output_shape == (None, 2)


def test_an_input_that_does_not_fit_is_not_added():
    model = Sequential([Conv2D(2, 3)])
    with pytest.raises(ValueError, match="expected 4 axes"):
        model.add(Input((4,)))
    assert model.input_shape is None


def test_pop_removes_the_last_layer(backend):
    model = small_model()
    last = model.pop()
    assert isinstance(last, Dense)
    assert model.output_shape == (None, 18)
    model.add(Dense(2))
    assert model.predict(np.ones((1, 6, 5, 2))).shape == (1, 2)
    with pytest.raises(ValueError, match="at least one layer, found none"):
        Sequential().pop()


@pytest.mark.parametrize("shape", [(6, 5, 2), (None, 5, 2), None])
def test_a_model_is_made_again_from_its_json(shape):
    model = small_model() if shape == (6, 5, 2) else Sequential([*([Input(shape)] if shape else []), Conv2D(3, 2)])
    twin = minicnn.models.model_from_json(model.to_json())
    assert type(twin) is Sequential
    assert twin.get_config() == model.get_config()
    assert [weight.name for weight in twin.weights] == [weight.name for weight in model.weights]


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda model: pickle.loads(pickle.dumps(model))}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_of_a_trained_model_trains_on_its_own_and_bit_for_bit(backend, copied):
    model = Sequential([*small_model(activation="relu").layers, Dropout(0.5), Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = rng.standard_normal((20, 6, 5, 2)), rng.integers(0, 3, 20)
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    model.train_on_batch(x, y)
    model.loss.forward(y, model.forward(x, training=True))  # a backward could follow

    twin, before = copied(model), model.get_weights()
    found = twin.fit(x, y, batch_size=8, epochs=3, initial_epoch=1, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), before))
    expected = model.fit(x, y, batch_size=8, epochs=3, initial_epoch=1, verbose=0)
    assert found.history == expected.history
    assert all(map(np.array_equal, twin.get_weights(), model.get_weights()))
    np.testing.assert_array_equal(twin.predict(x), model.predict(x))


def test_a_copy_has_no_forward_to_go_back_from(backend):
    model, loss = small_model(), minicnn.losses.MeanSquaredError()
    y = model.forward(rng.standard_normal((3, 6, 5, 2)), training=True)
    loss.forward(np.zeros((3, 4)), y)
    for backward in (copy.deepcopy(loss).backward, lambda: copy.deepcopy(model).backward(y)):
        with pytest.raises(RuntimeError, match="needs a forward before it"):
            backward()


TAMPERING = {
    "append a layer": (lambda model: model.layers.append(3), r"layers: expected no change .* found append\. .*add"),
    "replace a layer": (lambda model: model.layers.__setitem__(0, 3), "layers: expected no change .*__setitem__"),
    "delete a layer": (lambda model: model.layers.__delitem__(0), "layers: expected no change .*__delitem__"),
    "clear weights": (
        lambda model: model.layers[0].weights.clear(),
        "weights: expected no change .*clear.*set_weights",
    ),
    "append a weight": (lambda model: model.layers[0].weights.append(3), "weights: expected no change .*append"),
}


@pytest.mark.parametrize(("tamper", "words"), TAMPERING.values(), ids=TAMPERING)
def test_lists_of_layers_and_weights_refuse_changes(tamper, words):
    model = small_model()
    with pytest.raises(TypeError, match=words):
        tamper(model)
    assert model.predict(rng.standard_normal((3, 6, 5, 2))).shape == (3, 4)
    assert len(copy.deepcopy(model).weights) == 8


def test_dropout_is_off_in_predict_and_evaluate(backend):
    model = Sequential([Input((4,)), Dropout(0.9), Dense(2, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    x = np.ones((50, 4))
    np.testing.assert_array_equal(model.predict(x), 4)
    assert model.evaluate(x, np.full((50, 2), 4), verbose=0) == 0


@pytest.mark.parametrize("batch_size", [1, 7, 32, 100])
def test_predictions_do_not_depend_on_the_batch_size(backend, batch_size):
    model = small_model(activation="softmax")
    x = rng.normal(size=(23, 6, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(model.predict(x, batch_size), model.forward(x), rtol=1e-4, atol=1e-6)


def test_summary_says_what_is_trained(capsys):
    model = small_model()
    model.layers[0].trainable = False
    model.summary(line_length=80, show_trainable=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].endswith("Trainable")
    assert [line.split()[-1] for line in lines[4:6]] == ["N", "Y"]


def test_keras_arguments_of_files(tmp_path):
    model = small_model()
    minicnn.models.save_model(model, tmp_path / "model.safetensors", overwrite=True)
    model.save_weights(tmp_path / "weights.safetensors", overwrite=True)
    for save in (model.save, model.save_weights):
        with pytest.raises(FileExistsError, match="overwrite=False"):
            save(tmp_path / "model.safetensors", overwrite=False)
    with pytest.raises(TypeError, match="custom_objects: .*a dict of classes by name"):
        minicnn.load_model(tmp_path / "model.safetensors", custom_objects={"mine": 1})
    with pytest.raises(ValueError, match="skip_mismatch"):
        model.load_weights(tmp_path / "weights.safetensors", skip_mismatch=True)
    assert minicnn.models.model_from_json(json_string=model.to_json()).count_params() == model.count_params()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fit_generator", "fit takes generators"),
        ("predict_classes", "argmax"),
        ("pridict", "Did you mean 'predict'"),
    ],
)
def test_missing_attributes_of_a_model_have_a_remedy(name, words):
    with pytest.raises(AttributeError, match=words):
        getattr(small_model(), name)
    with pytest.raises(AttributeError, match="Dense has no output yet. Give the model an Input"):
        _ = Dense(2).output
