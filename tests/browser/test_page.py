"""The explorer's page in a real browser: the sums of its products, keyboard, colours, widths, networks of all sorts."""

from __future__ import annotations

import base64

import numpy as np
import pytest

import minicnn
from minicnn import explorer

from .networks import branches, images, many_layers
from .test_sums import READ


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
    assert page.locator(".later").count() > 20
    page.keyboard.press("ArrowRight")
    assert opened_title(page) == "conv2d: convolution"
    assert page.text_content(".overview .caption").startswith("Forward, 1 of 14: conv2d")
    for _ in range(14):
        page.keyboard.press("ArrowRight")
    assert page.text_content(".overview .caption").startswith("Backward, 1 of 14: loss")
    page.keyboard.press("ArrowLeft")
    assert page.text_content(".overview .caption").startswith("Forward, 14 of 14: loss")
    page.keyboard.press("End")
    assert page.locator(".later").count() == 0
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
        page.wait_for_function("([part, was]) => document.querySelector(part).toDataURL() !== was", arg=[picture, was])


def test_the_theme_of_a_notebook_is_followed(page_file, opened):
    page = opened(page_file, color_scheme="light")
    was = page.eval_on_selector(".column canvas", "(canvas) => canvas.toDataURL()")
    page.evaluate("document.body.dataset.jpThemeLight = false")  # as JupyterLab does for a dark theme
    page.wait_for_function("(was) => document.querySelector('.column canvas').toDataURL() !== was", arg=was)
    assert page.evaluate(CONTRAST)[0] >= 4.5


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
    assert "first layer with one is conv2d, in kernel" in page.text_content(".warning")
    inside, on_the_padding, other_kernel = [0, 2, 3, 0], [0, 0, 3, 0], [0, 2, 3, 1]
    read = page.evaluate(READ, [0, ["forward", "y"], [inside, on_the_padding, other_kernel]])
    assert [one["added"] for one in read] == [one["stored"] for one in read]
    assert [one["added"] == "NaN" for one in read] == [True, True, False]
    for number in range(14):
        page.locator(".overview button.head").nth(number).click()


def test_branches_are_drawn_and_gradients_of_a_fork_stand_side_by_side(opened, tmp_path):
    page = opened(explorer.write(tmp_path / "page.html", *branches()))
    heads = page.locator(".overview button.head")
    titles = page.locator(".overview .head b").all_text_contents()
    assert titles[:5] == ["input", "fork", "convolution", "concatenation", "fork"]
    assert page.locator(".column >> nth=1 >> .part").count() == 3  # the input goes to three places
    assert page.locator(".arc").count() > 5
    assert "concatenate, concatenation, gets input and conv2d and input" in heads.nth(2).get_attribute("aria-label")

    page.locator(".column >> nth=1 >> .part >> nth=2 >> canvas").click()
    assert opened_title(page) == "concatenate: concatenation"
    assert page.text_content(".formula").startswith("dx3[")
    assert page.get_attribute(".column >> nth=1 >> .part >> nth=2", "class") == "part current"
    assert page.locator(".arc.backward").count() == 2
    page.click(".follow button")
    assert opened_title(page) == "concatenate: fork"
    assert page.text_content(".formula").startswith("dx[")
    added = [float(text.replace("−", "-")) for text in page.locator(".terms .number").all_text_contents()]
    assert sum(added) == pytest.approx(float(page.text_content("output.stored").replace("−", "-")), rel=1e-4)


@pytest.mark.parametrize(
    ("loss", "headings", "right"),
    [
        ("sparse_categorical_crossentropy", ["p, the probabilities", "(p − y) / 2"], [2]),
        ("binary_crossentropy", ["p, the probabilities", "(p − y) / 6"], [0, 2]),
        ("mean_absolute_error", ["output", "gradient"], []),
    ],
)
def test_the_end_compares_the_outputs_with_the_targets(loss, headings, right, opened, tmp_path):
    activation = {"sparse_categorical_crossentropy": "softmax", "binary_crossentropy": "sigmoid"}.get(loss)
    model = minicnn.Sequential([minicnn.Input((4,)), minicnn.layers.Dense(3, activation=activation)])
    model.compile("sgd", loss)
    y = np.array([2, 0]) if activation == "softmax" else np.array([[1, 0, 1], [0, 1, 0]])
    page = opened(explorer.write(tmp_path / "page.html", model, np.ones((2, 4)), y))
    assert page.locator(".loss caption").all_text_contents() == headings
    rows = page.locator(".loss .forward tr")
    assert [number for number in range(3) if rows.nth(number).get_attribute("class") == "right"] == right


def test_a_sum_of_very_many_products(opened, tmp_path):
    """More numbers than a function of JavaScript takes as arguments."""
    layers = minicnn.layers.Conv2D(1, 1), minicnn.layers.GlobalAveragePooling2D()
    model = minicnn.Sequential([minicnn.Input((400, 400, 1)), *layers])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).random((1, 400, 400, 1))
    page = opened(explorer.write(tmp_path / "page.html", model, x, np.zeros((1, 1))))
    page.click('.choices button[value="backward"]')
    page.click('.choices button[value="dkernel"]')
    assert page.text_content("output.added") == page.text_content("output.stored") != "0"


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
    from minicnn.explorer.bundle import bundle
    from minicnn.explorer.description import describe

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
