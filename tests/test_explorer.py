"""The explorer's data: the file that is written, its numbers, recordings, and errors. tests/browser shows them."""

from __future__ import annotations

import base64
import gzip
import json
import re
import sys
from itertools import pairwise

import numpy as np
import pytest

import minicnn
from minicnn import explorer, losses
from minicnn.explorer.bundle import bundle
from minicnn.explorer.operations import LOSSES, OPERATIONS, PAGES
from minicnn.layers import CLASSES, Add, BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D, ReLU


def small_model(*layers):
    layers = layers or (Conv2D(3, 3, activation="relu"), BatchNormalization(), MaxPooling2D(2), Flatten(), Dropout(0.5))
    model = minicnn.Sequential([minicnn.Input((6, 5, 1)), *layers, Dense(3, activation="softmax", name="last")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


@pytest.fixture
def batch():
    return np.random.default_rng(0).random((2, 6, 5, 1)).astype("float32"), np.array([2, 0])


def read(path):
    """The description and the arrays of a page; an array by the step's name, the operation's kind, and its own name."""
    text = path.read_text(encoding="utf-8")

    def script(name):
        return re.search(rf'<script type="[a-z/]+" id="{name}">(.*?)</script>', text, re.DOTALL)[1]

    description, numbers = json.loads(script("network")), gzip.decompress(base64.b64decode(script("numbers")))
    arrays = [
        np.frombuffer(numbers, entry["type"], int(np.prod(entry["shape"])), entry["at"]).reshape(entry["shape"])
        for entry in description["arrays"]
    ]
    found = {
        (step["name"], step["kind"], name): arrays[at]
        for step in description["steps"]
        for name, at in step["arrays"].items()
    }
    return description, found, arrays


def test_a_page_has_the_numbers_of_a_training_step(batch, tmp_path):
    model, (x, y) = small_model(), batch
    before = [np.array(weight) for weight in model.get_weights()]
    path = explorer.write(tmp_path / "new" / "page.html", model, x, y, class_names=["<b>", "cat", "dog"])
    description, found, _ = read(path)
    for was, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)
    assert description["classes"] == ["<b>", "cat", "dog"]
    kinds = [step["kind"] for step in description["steps"]]
    assert kinds == [
        "conv",
        "activation",
        "normalization",
        "max_pool",
        "reshape",
        "scaling",
        "dense",
        "softmax_crossentropy",
    ]

    step = minicnn.trace(model, x, y)
    conv = step["conv2d"]
    for array, expected in {
        ("conv2d", "conv", "x"): x,
        ("conv2d", "conv", "y"): conv.z,
        ("conv2d", "conv", "dy"): conv.dz,
        ("conv2d", "conv", "dkernel"): conv.gradients["kernel"],
        ("conv2d", "activation", "y"): conv.y,
        ("dropout", "scaling", "y"): step["dropout"].y,
        ("loss", "softmax_crossentropy", "p"): step.loss.probabilities,
        ("loss", "softmax_crossentropy", "loss"): step.loss.value,
    }.items():
        np.testing.assert_allclose(found[array], expected, rtol=1e-4, atol=1e-6, err_msg=str(array))
    np.testing.assert_array_equal(found["conv2d", "conv", "kernel"], conv.weights["kernel"])
    np.testing.assert_allclose(found["dropout", "scaling", "mask"] * step["dropout"].x, step["dropout"].y, rtol=1e-5)


def test_a_layer_with_a_curve_is_two_operations(batch, tmp_path):
    model = small_model(Conv2D(2, 3, activation="gelu"), Flatten())
    description, found, _ = read(explorer.write(tmp_path / "page.html", model, *batch))
    conv, curve = description["steps"][:2]
    assert (conv["kind"], curve["kind"], curve["options"]) == ("conv", "curve", {"curve": "gelu"})
    assert conv["symbols"]["y"] == curve["symbols"]["x"] == "z"
    dz = found["conv2d", "curve", "dy"] * found["conv2d", "curve", "slope"]
    np.testing.assert_allclose(found["conv2d", "conv", "dy"], dz)


def test_layers_with_a_replaced_method_are_not_opened_and_stay_as_they_are(batch, tmp_path):
    model = small_model()
    conv, norm, *_, dropout, _ = model.layers
    for layer in (conv, norm, dropout):
        layer.call = lambda x, training, call=layer.call: 2 * call(x, training)
    before = [dict(vars(thing)) for layer in model.layers for thing in (layer, *layer.weights)]
    description, *_ = read(explorer.write(tmp_path / "page.html", model, *batch))
    assert [step["kind"] for step in description["steps"]].count("unknown") == 3
    after = [dict(vars(thing)) for layer in model.layers for thing in (layer, *layer.weights)]
    for was, now in zip(before, after, strict=True):
        assert was.keys() == now.keys()
        assert all(now[name] is value for name, value in was.items() if name in ("value", "grad", "dtype", "call"))


def test_gradients_of_a_fork_add_up(tmp_path):
    inputs = minicnn.Input((6, 5, 2))
    x = Conv2D(2, 3, padding="same")(inputs)
    x = Add()([x, inputs, Conv2D(2, 3, padding="same")(x)])
    model = minicnn.Model(inputs, Dense(2)(Flatten()(x)))
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 6, 5, 2)), rng.random((2, 2))
    recording = explorer.record(x, y, every=1)
    model.fit(x, y, verbose=0, callbacks=[recording])
    description, found, _ = read(explorer.write(tmp_path / "page.html", model, x, y, recording=recording))
    steps = description["steps"]
    assert [step["kind"] for step in steps[:5]] == ["fork", "conv", "fork", "conv", "sum"]
    assert steps[4]["inputs"] == {"x1": 2, "x2": 0, "x3": 3}
    assert steps[0]["uses"] == [[1, "dx"], [4, "dx2"]]
    assert steps[2]["uses"] == [[3, "dx"], [4, "dx1"]]
    for name in ("input", "conv2d"):
        total = found[name, "fork", "dy1"] + found[name, "fork", "dy2"]
        np.testing.assert_allclose(found[name, "fork", "dx"], total, rtol=1e-12)
    np.testing.assert_allclose(found["conv2d", "fork", "dx"], minicnn.trace(model, x, y)["conv2d"].dy, rtol=1e-4)
    names = [parameter["name"] for parameter in description["training"]["parameters"]]
    assert names == ["conv2d/kernel", "conv2d_1/kernel", "dense/kernel"]


def test_a_page_needs_nothing_but_itself(batch, tmp_path):
    path = explorer.write(tmp_path / "page.html", small_model(), *batch, class_names=["</script>", "cat", "dog"])
    text = path.read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\"'\s]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of SVG, not an address that is loaded
    assert "default-src 'none'" in text
    assert text.count("</script>") == 3
    assert explorer.write(tmp_path / "again.html", small_model(), *batch).stat().st_size < 200_000


def test_every_operation_of_the_step_is_in_the_module():
    """A kind of operation that Python writes is one that the module can show."""
    known = re.search(r"const OPERATIONS = \{(.*?)\};", bundle(), re.DOTALL)[1]
    assert set(re.findall(r"(\w+)(?:: \w+)?,", known)) == {*PAGES, "unknown"}
    assert set(OPERATIONS) == set(CLASSES.values())
    assert set(LOSSES) == set(losses.CLASSES.values())


def test_a_page_is_written_completely_or_not_at_all(batch, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("earlier")
    with pytest.raises(ValueError, match="expected 3 names, found 1"):
        explorer.write(path, small_model(), *batch, class_names=["cat"])
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": "model5"}, TypeError, "expected a Sequential or a Model, found str"),
        ({"x": np.zeros((17, 6, 5, 1))}, ValueError, "expected a batch of 1 to 16 samples"),
        ({"x": np.zeros((2, 5, 5, 1))}, ValueError, "expected input of shape"),
        ({"y": np.array([2, 3])}, ValueError, "labels"),
        ({"recording": explorer.record(np.zeros((1, 6, 5, 1)), [0])}, ValueError, "at least one recorded step"),
    ],
)
def test_errors_say_what_to_do(change, error, message, batch, tmp_path):
    given = {"model": small_model(), "x": batch[0], "y": batch[1]} | change
    with pytest.raises(error, match=message):
        explorer.write(tmp_path / "page.html", **given)


def test_a_model_has_to_be_compiled(batch, tmp_path):
    with pytest.raises(RuntimeError, match="compile"):
        explorer.write(tmp_path / "page.html", minicnn.Sequential([Flatten(), Dense(3)]), *batch)


def test_a_network_that_is_not_built_yet_keeps_the_weights_that_the_page_shows(batch, tmp_path):
    model = minicnn.Sequential([Flatten(), Dense(3, name="last")])
    model.compile("sgd", "mse")
    _, found, _ = read(explorer.write(tmp_path / "page.html", model, batch[0], np.zeros((2, 3))))
    np.testing.assert_array_equal(found["last", "dense", "kernel"], model.get_weights()[0])


def test_a_recording_keeps_every_second_step_and_changes_nothing(backend, batch, tmp_path):
    x, y = np.repeat(batch[0], 6, axis=0), np.repeat(batch[1], 6)
    runs = []
    for every in (None, 2):
        minicnn.set_random_seed(1)
        model = small_model()
        recording = None if every is None else explorer.record(*batch, every=every)
        model.fit(x, y, batch_size=3, epochs=2, verbose=0, callbacks=[recording] if recording else None)
        runs.append(model.get_weights())
    for alone, watched in zip(*runs, strict=True):
        np.testing.assert_array_equal(alone, watched)

    assert [moment.step for moment in recording.moments] == [0, 2, 4, 6]
    description, _, arrays = read(explorer.write(tmp_path / "page.html", model, *batch, recording=recording))
    training = description["training"]
    assert training["steps"] == [0, 2, 4, 6]
    assert training["probes"] == 2
    (conv, last) = training["parameters"]
    assert conv["name"] == "conv2d/kernel"
    assert arrays[conv["arrays"]["values"]].shape == (4, 3, 3, 1, 3)
    np.testing.assert_array_equal(arrays[conv["arrays"]["values"]][0], recording.moments[0].weights["conv2d/kernel"])
    assert (arrays[last["arrays"]["ratios"]] > 0).all()
    assert training["units"][0]["name"] == "conv2d"


def test_the_ratio_is_the_update_that_training_made(batch):
    model = small_model(Flatten())
    recording = explorer.record(*batch, every=1)
    weights = [model.get_weights()[0]]
    remember = type("Remember", (minicnn.callbacks.Callback,), {})()
    remember.on_train_batch_end = lambda batch, logs: weights.append(model.get_weights()[0])
    model.fit(*batch, batch_size=1, epochs=1, shuffle=False, verbose=0, callbacks=[recording, remember])
    ratios = [moment.ratios["last/kernel"] for moment in recording.moments]
    expected = [np.linalg.norm(now - was) / np.linalg.norm(was) for was, now in pairwise(weights)]
    np.testing.assert_allclose(ratios, expected, rtol=1e-5)


def test_silent_units_are_those_that_no_probe_wakes(batch):
    model = small_model()
    kernel, bias = model.layers[0].weights
    kernel.value, bias.value = np.abs(kernel.value), np.array([1, -100, 1], "float32")
    recording = explorer.record(*batch, every=1)
    model.fit(*batch, verbose=0, callbacks=[recording])
    assert recording.moments[0].silent["conv2d"].tolist() == [False, True, False]


def test_units_of_a_leaky_relu_are_never_silent(batch):
    model = small_model(Flatten(), ReLU(negative_slope=0.1), Dense(2), ReLU())
    model.layers[2].bias.value[1] = -100
    recording = explorer.record(-batch[0], batch[1], every=1)
    model.fit(*batch, verbose=0, callbacks=[recording])
    ((name, silent),) = recording.moments[0].silent.items()
    assert name == model.layers[3].name
    assert silent[1]


def test_a_long_recording_keeps_every_second_moment(batch, monkeypatch):
    monkeypatch.setattr(explorer.recording, "MOST_MOMENTS", 4)
    recording = explorer.record(*batch, every=1)
    small_model(Flatten()).fit(*batch, batch_size=1, epochs=10, verbose=0, callbacks=[recording])
    steps = [moment.step for moment in recording.moments]
    assert len(steps) <= 4
    assert len({b - a for a, b in pairwise(steps)}) == 1
    assert steps[-1] >= 12


def test_a_recording_of_large_kernels_stays_small(batch, monkeypatch, tmp_path):
    monkeypatch.setattr(explorer.recording, "MOST_NUMBERS", 200)
    recording = explorer.record(*batch, every=1)
    model = small_model()
    model.fit(*batch, verbose=0, callbacks=[recording])
    description, _, arrays = read(explorer.write(tmp_path / "page.html", model, *batch, recording=recording))
    for parameter in description["training"]["parameters"]:
        values = arrays[parameter["arrays"]["values"]]
        assert values.size <= 50
        name = parameter["name"]
        whole = recording.moments[0].weights[name]
        np.testing.assert_array_equal(values[0], whole[tuple(map(slice, values.shape[1:]))])


def test_show_without_anywidget_says_what_to_install(batch, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'minicnn-edu\[explorer\]'"):
        explorer.show(small_model(), *batch)


def test_show_gives_a_widget_with_the_same_numbers(batch, tmp_path):
    pytest.importorskip("anywidget")
    model = small_model()
    widget = explorer.show(model, *batch)
    description, _, arrays = read(explorer.write(tmp_path / "page.html", model, *batch))
    assert widget.network["arrays"] == description["arrays"]
    entry = widget.network["arrays"][0]
    first = np.frombuffer(widget.numbers, entry["type"], arrays[0].size, entry["at"]).reshape(entry["shape"])
    np.testing.assert_array_equal(first, arrays[0])
