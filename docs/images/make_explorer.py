"""Makes explorer-light.png, explorer-branches-light.png and the same in dark: the explorer as Chromium shows it.

    python docs/images/make_explorer.py     (needs the extra browser-test and Chromium)

The first is the page about the network of docs/explorer.md with a second convolution, the other one that of a network
with a residual connection.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

import minicnn
from minicnn.datasets import CLASS_NAMES, load_fashion_mnist
from minicnn.layers import Add, Conv2D, Dense, Flatten, MaxPooling2D, ReLU

PAGES = {"explorer": (1450, "convolution", 1), "explorer-branches": (1150, "fork", 0)}
"""For each page the height of the picture, and which operation is opened: its title, and which one of these."""


def networks() -> dict[str, minicnn.Model]:
    """One for each page, not trained yet."""
    inputs = minicnn.Input((28, 28, 1))
    x = MaxPooling2D(2)(Conv2D(8, 3, activation="relu")(inputs))
    end = Dense(10, activation="softmax")(Flatten()(Conv2D(16, 3, activation="relu")(x)))
    plain = minicnn.Model(inputs, end, name="model")
    inputs = minicnn.Input((28, 28, 1))
    x = MaxPooling2D(2)(Conv2D(8, 3, activation="relu")(inputs))
    x = ReLU()(Add()([x, Conv2D(8, 3, padding="same")(x)]))
    residual = minicnn.Model(inputs, Dense(10, activation="softmax")(Flatten()(x)), name="residual")
    return dict(zip(PAGES, (plain, residual), strict=True))


def write_pages(folder: Path) -> None:
    (x, y), _ = load_fashion_mnist()
    x, y = x[:4000, :, :, None] / 255, y[:4000]
    minicnn.set_random_seed(0)
    for name, model in networks().items():
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, y, epochs=3, verbose=0)
        minicnn.explorer.write(folder / f"{name}.html", model, x[:1], y[:1], class_names=CLASS_NAMES)


def photograph(browser: Browser, folder: Path, name: str, scheme: str) -> None:
    """A page with the gradient of an operation's input opened."""
    height, title, which = PAGES[name]
    page = browser.new_page(viewport={"width": 1320, "height": height}, color_scheme=scheme)
    page.goto((folder / f"{name}.html").as_uri())
    page.locator(".overview button.head", has_text=title).nth(which).click()
    page.click('.choices button[value="backward"]')
    page.mouse.move(0, 0)
    page.screenshot(path=Path(__file__).with_name(f"{name}-{scheme}.png"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write_pages(Path(folder))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name in PAGES:
            for scheme in ("light", "dark"):
                photograph(browser, Path(folder), name, scheme)
        browser.close()
