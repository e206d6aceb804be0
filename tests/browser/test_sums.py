"""The sums of the explorer's page: products, added up in a real browser, give the number that minicnn stored."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn import explorer, layers, losses

from .networks import NETWORKS, images

rng = np.random.default_rng(1)

READ = """([step, target, indices]) => {
    document.querySelectorAll(".overview button.head")[step].click();
    for (const value of target) document.querySelector(`.choices button[value="${value}"]`)?.click();
    const products = () => [...document.querySelectorAll(".terms tr[data-at] .number")].map((cell) => cell.textContent);
    const text = (name) => document.querySelector(`.opened ${name}`).textContent;
    return indices.map((index) => {
        const inputs = document.querySelectorAll(".index input");
        inputs.forEach((input, axis) => (input.value = index[axis]));
        inputs[0]?.dispatchEvent(new Event("change"));
        const [added, stored, formula, title] = [".added", ".stored", ".formula", "h2"].map(text);
        return { added, stored, formula, title, products: products() };
    });
}"""


def targets_of(description):
    """Every array that the page can explain: the step's number, the array's name, and what to press for it."""
    for number, step in enumerate(description["steps"]):
        gradients = {f"d{name}" for name in (*step["inputs"], "kernel", "bias", "gamma", "beta")}
        for name in step["arrays"]:
            if name in {"y", "p", "loss", *gradients}:
                yield number, name, ["backward" if name in gradients else "forward", name]


def test_every_layer_and_loss_is_opened():
    models = [network()[0] for network in NETWORKS.values()]
    assert {type(layer).__name__ for model in models for layer in model.layers} == set(layers.CLASSES)
    assert {type(model.loss).__name__ for model in models} == set(losses.CLASSES)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_products_add_up_to_the_stored_number_to_its_last_digit(name, opened, tmp_path):
    """Random elements of every array of every operation."""
    model, x, y = NETWORKS[name]()
    page = opened(explorer.write(tmp_path / "page.html", model, x, y))
    description = page.evaluate("JSON.parse(document.getElementById('network').textContent)")
    assert "unknown" not in {step["kind"] for step in description["steps"]}
    seen = []
    for number, array, target in targets_of(description):
        shape = description["arrays"][description["steps"][number]["arrays"][array]]["shape"]
        indices = [[int(rng.integers(length)) for length in shape] for _ in range(4)]
        for index, read in zip(indices, page.evaluate(READ, [number, target, indices]), strict=True):
            assert read["added"] == read["stored"], (target, index, read)
            assert index == [] or f"[{', '.join(map(str, index))}] =" in read["formula"]
            seen.append(read["added"])
    assert seen.count("0") < len(seen) / 3


EXPLAINED = {
    "conv2d/dx": ("conv2d", "dx", "conv"),
    "conv2d/z": ("conv2d", "y", "conv"),
    "conv2d_1/kernel": ("conv2d_1", "dkernel", "conv"),
    "average_pooling2d/y": ("average_pooling2d", "y", "average_pool"),
    "conv2d_1/dz": ("conv2d_1", "dx", "activation"),
    "dense/dx": ("dense", "dx", "dense"),
    "dense_1/bias": ("dense_1", "dbias", "dense"),
}
"""Names of `minicnn.explain`; step, array and operation where the page has the same array."""


def test_the_products_are_those_of_minicnn_explain(opened, tmp_path):
    model, x, y = images()
    page = opened(explorer.write(tmp_path / "page.html", model, x, y))
    description = page.evaluate("JSON.parse(document.getElementById('network').textContent)")
    numbers = {(step["name"], step["kind"]): number for number, step in enumerate(description["steps"])}
    targets = {(number, array): target for number, array, target in targets_of(description)}
    for name, (layer, array, kind) in EXPLAINED.items():
        number = numbers[layer, kind]
        shape = description["arrays"][description["steps"][number]["arrays"][array]]["shape"]
        index = [int(rng.integers(length)) for length in shape]
        (read,) = page.evaluate(READ, [number, targets[number, array], [index]])
        expected = minicnn.explain(model, x, y, name, index)
        np.testing.assert_allclose(
            [float(text.replace("−", "-")) for text in read["products"]],
            [term.value for term in expected.largest(len(read["products"]))],
            rtol=1e-3, atol=1e-7, err_msg=f"{name}{index}",
        )  # fmt: skip
        assert read["added"] == "0" or len(read["products"]) == min(len(expected), 12)
