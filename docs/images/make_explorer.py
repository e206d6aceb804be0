"""Makes explorer.png: the explorer's page about the network of docs/explorer.md, as Chromium shows it.

python docs/images/make_explorer.py     (needs the extra browser-test and Chromium)
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import minicnn
from minicnn.datasets import CLASS_NAMES, load_fashion_mnist
from minicnn.layers import Conv2D, Dense, Flatten, MaxPooling2D


def write_page(path: Path) -> None:
    minicnn.set_random_seed(0)
    (x, y), _ = load_fashion_mnist()
    x, y = x[:4000, :, :, None] / 255, y[:4000]
    model = minicnn.Sequential([minicnn.Input((28, 28, 1)), Conv2D(8, 3, activation="relu"), MaxPooling2D(2)])
    for layer in Conv2D(16, 3, activation="relu"), Flatten(), Dense(10, activation="softmax"):
        model.add(layer)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=3, verbose=0)
    minicnn.explorer.write(path, model, x[:1], y[:1], class_names=CLASS_NAMES)


def photograph(path: Path, picture: Path) -> None:
    """The page with the gradient of the second convolution's input opened."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1240, "height": 1450})
        page.goto(path.as_uri())
        page.locator(".overview button.head").nth(3).click()
        page.click('.choices button[value="backward"]')
        page.mouse.move(0, 0)
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write_page(Path(folder, "explorer.html"))
        photograph(Path(folder, "explorer.html"), Path(__file__).with_name("explorer.png"))
