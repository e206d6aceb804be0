"""JSONLogger, TensorBoard and plot_model: what is in the files."""

from __future__ import annotations

import importlib.util
import json
import struct
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import minicnn
from minicnn import Input, Sequential, layers
from minicnn.callbacks import JSONLogger, TensorBoard
from minicnn.utils import plot_model

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 3)), RNG.normal(size=(12, 2))


def fitted(callback, rate=0.1, **options):
    model = Sequential([Input((3,)), layers.Dense(2, name="only")])
    model.compile(minicnn.optimizers.SGD(rate), "mse")
    before = model.get_weights()[0]
    model.fit(X, Y, batch_size=12, verbose=0, callbacks=callback, shuffle=False, **options)
    return before


def test_json_lines(tmp_path):
    path = tmp_path / "logs" / "run.jsonl"
    kernel = fitted(JSONLogger(path, histogram_freq=2), epochs=3, validation_data=(X, Y))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert all({"loss", "val_loss"} <= line.keys() for line in lines)
    assert ["parameters" in line for line in lines] == [True, False, True]
    of_kernel, of_bias = (lines[0]["parameters"][f"only/{name}"] for name in ("kernel", "bias"))
    grad = X.T @ (X @ kernel - Y) / 12  # of the mean square over 12 · 2 numbers
    assert sum(of_kernel["gradient"]["counts"]) == 6
    edges = of_kernel["gradient"]["edges"]
    np.testing.assert_allclose([edges[0], edges[-1]], [grad.min(), grad.max()], rtol=1e-4)
    expected = 0.1 * np.linalg.norm(grad) / np.linalg.norm(kernel)
    assert of_kernel["update_ratio"] == pytest.approx(expected, rel=1e-4)
    assert of_bias["update_ratio"] is None  # it was zero


def test_json_lines_are_appended_and_standard_json(tmp_path):
    path = tmp_path / "run.jsonl"
    for _ in range(2):
        fitted(JSONLogger(path, append=True))
    assert len(path.read_text().splitlines()) == 2
    logger = JSONLogger(path)
    logger.on_train_begin()
    logger.on_epoch_begin(0)
    logger.on_epoch_end(0, {"loss": np.float32("nan"), "table": np.ones((2, 2))})
    logger.on_train_end()
    assert json.loads(path.read_text()) == {"epoch": 0, "loss": None, "table": [[1, 1], [1, 1]]}


def events(folder):
    """The values in an event file: records of length, checksum, message, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.iterdir()
    content, found = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        event = Event.FromString(content[12 : 12 + length])
        found += [(value.tag, event.step, value) for value in event.summary.value]
        content = content[16 + length :]
    return found


needs_tensorboard = pytest.mark.skipif(
    not importlib.util.find_spec("tensorboardX"), reason="tensorboardX is not installed"
)


@needs_tensorboard
def test_tensorboard(tmp_path):
    callback = TensorBoard(tmp_path, histogram_freq=1, update_freq="batch")
    fitted(callback, epochs=2, validation_data=(X, Y))
    train, validation = events(tmp_path / "train"), events(tmp_path / "validation")
    assert [(tag, step) for tag, step, _ in validation if tag == "epoch_loss"] == [("epoch_loss", 0), ("epoch_loss", 1)]
    assert [step for tag, step, _ in validation if tag == "evaluation_loss_vs_iterations"] == [1, 2]
    rates = [value.simple_value for tag, _, value in train if tag == "epoch_learning_rate"]
    assert rates == pytest.approx([0.1, 0.1])
    assert [step for tag, step, _ in train if tag == "batch_loss"] == [1, 2]
    ratios = [value.simple_value for tag, _, value in train if tag == "only/kernel/update_ratio"]
    assert len(ratios) == 2
    assert min(ratios) > 0
    histograms = [value.histo.num for tag, _, value in train if tag == "only/kernel/gradient"]
    assert histograms == [6, 6]


@needs_tensorboard
def test_tensorboard_of_an_evaluation(tmp_path):
    model = Sequential([Input((3,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    loss = model.evaluate(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path)])
    [(tag, step, value)] = events(tmp_path / "validation")
    assert (tag, step, value.simple_value) == ("evaluation_loss_vs_iterations", 0, pytest.approx(loss))


@needs_tensorboard
def test_wrong_arguments_of_tensorboard():
    with pytest.raises(ValueError, match=r'"epoch", "batch" or a number'):
        TensorBoard(update_freq="step")
    with pytest.raises(ValueError, match="write_images.*does not write this"):
        TensorBoard(write_images=True)


def test_without_tensorboardx(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r'pip install "minicnn-edu\[tensorboard\]"'):
        TensorBoard()


def texts(path):
    return [node.text for node in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def arrows(path):
    paths = ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}path")
    return [node for node in paths if node.get("class") == "arrow"]


def test_a_plot_of_a_stack(tmp_path):
    model = Sequential([Input((6, None, 2)), layers.Conv2D(3, 2, activation="relu"), layers.GlobalAveragePooling2D()])
    assert plot_model(model, tmp_path / "model.svg") == tmp_path / "model.svg"
    assert texts(tmp_path / "model.svg")[:4] == ["input", "output (N, 6, ?, 2)", "conv2d", "Conv2D, relu"]
    assert {"output (N, 5, ?, 3)", "27 weights"} <= set(texts(tmp_path / "model.svg"))
    plot_model(model, tmp_path / "small.svg", show_shapes=False, show_layer_names=False)
    assert texts(tmp_path / "small.svg") == ["input", "Conv2D, relu", "GlobalAveragePooling2D"]
    assert len(arrows(tmp_path / "small.svg")) == 2


def test_a_plot_of_branches(tmp_path):
    inputs = Input((4,))
    a = layers.Dense(4, name="<a & b>")(inputs)
    b = layers.Dense(4)(a)
    model = minicnn.Model(inputs, layers.Concatenate()([layers.Add()([a, b]), inputs]))
    plot_model(model, tmp_path / "model.svg")
    assert "<a & b>" in texts(tmp_path / "model.svg")
    around = [node.get("d") for node in arrows(tmp_path / "model.svg") if "H" in node.get("d")]
    assert len(around) == 2
    assert len({path.split("H")[1].split("V")[0] for path in around}) == 2  # beside each other, not on each other


def test_a_plot_of_another_format_is_svg_too(tmp_path):
    with pytest.warns(UserWarning, match="draws SVG.*model.svg"):
        path = plot_model(Sequential([layers.Flatten()]), tmp_path / "model.png", rankdir="LR", dpi=96)
    assert texts(path)[0] == "input"
    assert [file.name for file in tmp_path.iterdir()] == ["model.svg"]


def test_what_cannot_be_plotted(tmp_path):
    with pytest.raises(ValueError, match="a model with layers"):
        plot_model(Sequential(), tmp_path / "model.svg")
    with pytest.raises(TypeError, match="then the path"):
        plot_model(3, tmp_path / "model.svg")
