"""The explorer's page in a real browser: the sums of its products, keyboard, colours, widths, networks of all sorts."""

from __future__ import annotations

import base64

import numpy as np
import pytest

import minicnn
from minicnn import explorer, regularizers
from minicnn.layers import (
    ELU,
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    Layer,
    LeakyReLU,
    MaxPooling1D,
    MaxPooling2D,
    ReLU,
    Reshape,
    Softmax,
)
from minicnn.losses import CategoricalCrossentropy

rng = np.random.default_rng(0)


class Doubling(Layer):
    """A layer of the reader's own, which the page cannot open."""

    def call(self, x, training):
        self.saved = ()
        return 2 * x

    def call_backward(self, dy, need_dx):
        return 2 * dy


def compiled(shape, *layers, loss="sparse_categorical_crossentropy"):
    model = minicnn.Sequential([minicnn.Input(shape), *layers])
    for weight in model.weights:  # biases and gammas that are not all equal
        if weight.value.ndim == 1:
            weight.value = weight.value + rng.uniform(0, 0.4, weight.value.shape).astype("float32")
    model.compile("adam", loss)
    return model


def images():
    """Convolution with strides and padding, pooling with overlap, batch norm, ReLU with a leak, dropout, penalties."""
    model = compiled(
        (9, 7, 2),
        Conv2D(5, (3, 2), strides=(2, 1), padding="same", activation="tanh", kernel_regularizer=regularizers.L2(0.01)),
        BatchNormalization(beta_regularizer="l1"),
        ReLU(negative_slope=0.1, max_value=2.0),
        MaxPooling2D(2, strides=1, padding="same"),
        AveragePooling2D((2, 3), strides=(1, 2), padding="same"),
        Dropout(0.3),
        Conv2D(4, 2, activation="relu"),
        Flatten(),
        Dense(6, activation="sigmoid"),
        Dense(3, activation="softmax"),
        loss=CategoricalCrossentropy(label_smoothing=0.1),
    )
    return model, rng.standard_normal((3, 9, 7, 2)), np.eye(3)[[2, 0, 1]]


def sequences():
    """The same in one dimension; softmax inside the network; a loss on numbers."""
    model = compiled(
        (11, 3),
        *(Conv1D(4, 3, strides=2, padding="same"), BatchNormalization(axis=1), Activation("relu")),
        *(
            MaxPooling1D(2, strides=1),
            Dense(5, activation="softmax"),
            Conv1D(2, 2, use_bias=False),
            Flatten(),
            Dense(2),
        ),
        loss="mean_squared_error",
    )
    return model, rng.standard_normal((2, 11, 3)), rng.standard_normal((2, 2))


def probabilities():
    """Cross-entropy on numbers that are no softmax; fixed statistics; images of one pixel; curves and reshaping."""
    model = compiled(
        (4, 4, 1),
        *(Conv2D(3, 4, activation="relu"), BatchNormalization(trainable=False), GlobalAveragePooling2D()),
        *(Dense(4, activation="gelu"), Reshape((2, 2)), LeakyReLU(0.2), ELU(), GlobalMaxPooling1D()),
        *(Dense(3, activation="sigmoid"), Softmax(), Activation("sigmoid")),
    )
    return model, rng.random((2, 4, 4, 1)), np.array([2, 0])


def many_layers():
    """A hundred layers, among them one that the page cannot open."""
    model = compiled((4, 4, 1), *(Conv2D(2, 3, padding="same") for _ in range(97)), Doubling(), Flatten(), Dense(3))
    return model, rng.random((1, 4, 4, 1)), np.array([1])


NETWORKS = {network.__name__: network for network in (images, sequences, probabilities)}

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
    backward = {"dx", "dz", "dkernel", "dbias", "dgamma", "dbeta"}
    for number, step in enumerate(description["steps"]):
        for name in step["arrays"]:
            is_target = name in ({"loss", "p", "dz"} if step["name"] == "loss" else {"y", "dx"} | backward)
            if is_target and step["kind"] != "unknown":
                yield number, name, ["backward" if name in backward else "forward", name]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_products_add_up_to_the_stored_number_to_its_last_digit(name, opened, tmp_path):
    """Random elements of every array of every operation."""
    model, x, y = NETWORKS[name]()
    page = opened(explorer.write(tmp_path / "page.html", model, x, y))
    description = page.evaluate("JSON.parse(document.getElementById('network').textContent)")
    seen = []
    for number, array, target in targets_of(description):
        shape = description["arrays"][description["steps"][number]["arrays"][array]]["shape"]
        indices = [[int(rng.integers(length)) for length in shape] for _ in range(5)]
        for index, read in zip(indices, page.evaluate(READ, [number, target, indices]), strict=True):
            assert read["added"] == read["stored"], (target, index, read)
            seen.append(read["added"])
    assert len(seen) > 60
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


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """A page with a recorded training, made once."""
    minicnn.set_random_seed(0)
    model, x, y = images()
    recording = explorer.record(x, y, every=1)
    model.fit(x, y, epochs=3, verbose=0, callbacks=[recording])
    path = tmp_path_factory.mktemp("page") / "page.html"
    return explorer.write(path, model, x, y, class_names=["cat", "dog", "mouse"], recording=recording)


def focused(page):
    return page.evaluate("document.activeElement.getAttribute('aria-label')")


def opened_title(page):
    return page.text_content(".opened h2")


def test_the_keyboard_plays_steps_and_chooses(page_file, opened):
    page = opened(page_file)
    page.focus(".strip")
    page.keyboard.press("Home")
    assert "The input of the network" in page.text_content(".caption")
    assert page.locator(".cell.later").count() > 20
    page.keyboard.press("ArrowRight")
    assert opened_title(page) == "conv2d: convolution"
    assert page.text_content(".overview .caption").startswith("Forward, 1 of 14: conv2d")
    for _ in range(14):
        page.keyboard.press("ArrowRight")
    assert page.text_content(".overview .caption").startswith("Backward, 1 of 14: loss")
    page.keyboard.press("ArrowLeft")
    assert page.text_content(".overview .caption").startswith("Forward, 14 of 14: loss")
    page.keyboard.press("End")
    assert page.locator(".cell.later").count() == 0
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    page.locator(".overview .caption", has_text="Forward, 2 of 14").wait_for()
    page.keyboard.press(" ")
    assert page.text_content(".player button:nth-child(3)") == "▶ Play"

    page.locator(".overview button.head").nth(0).focus()
    page.keyboard.press("Enter")
    page.locator(".opened figure.target canvas").focus()
    assert focused(page) == "z: choose an element with the arrow keys"
    before = page.text_content(".formula")
    row = int(page.input_value(".index input >> nth=1"))
    page.keyboard.press("ArrowUp" if row else "ArrowDown")
    assert page.text_content(".formula") != before
    assert focused(page) == "z: choose an element with the arrow keys"  # the focus stays
    page.locator(".terms tr").nth(2).focus()
    page.keyboard.press("Enter")
    assert page.get_attribute(".terms tr >> nth=2", "aria-current") == "true"


def test_the_mouse_chooses_reads_and_follows(page_file, opened):
    page = opened(page_file)
    page.click(".overview .column:nth-child(6) canvas >> nth=1")  # the gradient of ReLU's output, by max pooling
    assert opened_title(page) == "max_pooling2d: max pooling"
    assert page.get_attribute(".directions button >> nth=1", "aria-pressed") == "true"
    page.click(".opened figure.target canvas", position={"x": 3, "y": 3})
    assert page.input_value(".index input >> nth=1") == page.input_value(".index input >> nth=2") == "0"
    page.hover(".opened figure.target canvas", position={"x": 3, "y": 3})
    assert page.text_content(".tooltip").startswith("dx[0, 0, 0, ")
    page.click(".follow button")
    assert opened_title(page) == "average_pooling2d: average pooling"
    assert page.text_content(".opened output.added") == page.text_content(".opened output.stored")


NAMELESS = """() => [...document.querySelectorAll("button, input, select, canvas, svg[role]")].filter((element) => {
    const name = element.textContent.trim() || element.getAttribute("aria-label") || element.closest("label");
    return !name;
}).length"""

CONTRAST = """() => {
    const luminance = (colour) => {
        const linear = colour.match(/[\\d.]+/g).slice(0, 3).map((value) => value / 255)
            .map((share) => (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4));
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const background = (element) => {
        const colours = [];
        for (; element; element = element.parentElement) colours.push(getComputedStyle(element).backgroundColor);
        return colours.find((colour) => !colour.endsWith(", 0)")) ?? "rgb(255, 255, 255)";
    };
    const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const ratios = [...document.querySelectorAll(".minicnn-explorer *")]
        .filter((element) => hasText(element) && element.checkVisibility() && element.tagName !== "OPTION")
        .map((element) => {
            const [a, b] = [getComputedStyle(element).color, background(element)].map(luminance).sort((p, q) => q - p);
            return [(a + 0.05) / (b + 0.05), element.className, element.textContent.slice(0, 40)];
        });
    return ratios.sort((a, b) => a[0] - b[0])[0];
}"""
"""The lowest contrast of a text with its background (WCAG asks for 4.5), and which text it is."""


def test_every_control_has_a_name(page_file, opened):
    assert opened(page_file).evaluate(NAMELESS) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_text_is_legible_and_nothing_is_wider_than_the_window(page_file, opened, scheme, width, tmp_path):
    page = opened(page_file, color_scheme=scheme, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST)[0] >= 4.5
    paper = page.evaluate("getComputedStyle(document.querySelector('.minicnn-explorer')).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    pictures = [f"{part} canvas" for part in (".column", ".opened", ".training")]
    before = [page.eval_on_selector(picture, "(canvas) => canvas.toDataURL()") for picture in pictures]
    page.emulate_media(color_scheme="dark" if scheme == "light" else "light")
    for picture, was in zip(pictures, before, strict=True):
        assert page.eval_on_selector(picture, "(canvas) => canvas.toDataURL()") != was, picture


def test_nothing_moves_where_motion_is_unwanted(page_file, opened):
    page = opened(page_file, reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.querySelector('.cell > *')).transitionDuration") == "0s"


def test_the_slider_goes_through_the_training(page_file, opened):
    page = opened(page_file)
    assert page.text_content(".training .caption").startswith("Before step 0: loss ")
    page.focus(".training input[type=range]")
    page.keyboard.press("End")
    assert page.text_content(".training .caption").startswith("Before step 2: loss ")
    assert "conv2d/kernel" in page.text_content(".training .names >> nth=1")
    page.select_option(".training select", "dense/kernel")
    assert page.locator(".training canvas").count() == 2


def test_a_number_that_is_none_is_shown_as_such(opened, tmp_path):
    model, x, y = images()
    model.layers[0].kernel.value[0, 0, 0, 0] = np.nan
    page = opened(explorer.write(tmp_path / "page.html", model, x, y))
    assert "first layer with one is conv2d" in page.text_content(".warning")
    read = page.evaluate(READ, [0, ["forward", "y"], [[0, 2, 3, 0], [0, 2, 3, 1]]])
    assert read[0]["added"] == read[0]["stored"] == "NaN"
    assert read[1]["added"] == read[1]["stored"] != "NaN"
    for number in range(14):
        page.locator(".overview button.head").nth(number).click()


def test_a_hundred_layers_and_a_layer_that_cannot_be_opened(opened, tmp_path):
    model, x, y = many_layers()
    page = opened(explorer.write(tmp_path / "page.html", model, x, y))
    assert page.locator(".overview button.head").count() == 101
    page.locator(".overview button.head").nth(97).click()
    assert opened_title(page) == "doubling: Doubling"
    assert "cannot open this operation" in page.text_content(".opened")
    page.locator(".overview button.head").nth(96).click()
    assert page.text_content(".opened output.added") == page.text_content(".opened output.stored")


def test_the_module_runs_in_a_notebook_s_cell(browser):
    """As anywidget calls it: with a DataView at any offset, and a function that cleans up."""
    from minicnn.explorer.description import describe
    from minicnn.explorer.bundle import bundle

    def as_text(data):
        return base64.b64encode(data).decode()

    network, numbers = describe("show", *images())
    page = browser.new_page()
    left = page.evaluate(
        """async ([code, network, numbers]) => {
            const module = await import(`data:text/javascript;base64,${code}`);
            const bytes = Uint8Array.from(atob(numbers), (letter) => letter.charCodeAt(0));
            const shifted = new Uint8Array(bytes.length + 3);
            shifted.set(bytes, 3);
            const values = { network, numbers: new DataView(shifted.buffer, 3) };
            const el = document.body.appendChild(document.createElement("div"));
            const remove = module.default.render({ model: { get: (name) => values[name] }, el });
            const sums = ["added", "stored"].map((name) => el.querySelector(`output.${name}`).textContent);
            remove();
            return [...sums, el.children.length];
        }""",
        [as_text(bundle().encode()), network, as_text(numbers)],
    )
    page.close()
    assert left[0] == left[1] != "0"
    assert left[2] == 0
