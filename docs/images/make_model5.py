"""Draws model5.png: one image on its way through Model 5, and the gradient of its loss on the way back.

    python docs/images/make_model5.py

Trains Model 5 for three epochs on 6,000 images first; needs minicnn-edu[fast,report].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import minicnn
from minicnn.datasets import CLASS_NAMES, load_fashion_mnist
from minicnn.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from minicnn.plots import plot_flow, save_figure

TARGET = Path(__file__).with_name("model5.png")
BOOT = CLASS_NAMES.index("Ankle boot")


def train_model5() -> minicnn.Sequential:
    minicnn.set_random_seed(5)
    model = minicnn.Sequential([minicnn.Input((28, 28, 1))])
    for filters in (32, 64, 128):
        model.add(Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(MaxPooling2D(2))
    for layer in (Flatten(), Dense(128, activation="relu"), Dropout(0.2), Dense(10, activation="softmax")):
        model.add(layer)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    (x, y), _ = load_fashion_mnist()
    model.fit(x[:6000, :, :, None] / 255, y[:6000], batch_size=64, epochs=3)
    return model


def undecided_boot(model: minicnn.Sequential) -> np.ndarray:
    """The ankle boot (1, 28, 28, 1) of the test images that the model is least sure of while still right."""
    _, (x, y) = load_fashion_mnist()
    boots = x[y == BOOT][:, :, :, None] / 255
    probabilities = model.predict(boots)
    right = probabilities.argmax(axis=1) == BOOT
    return boots[np.where(right, probabilities.max(axis=1), 1).argmin()][None]


if __name__ == "__main__":
    model5 = train_model5()
    title = "An ankle boot on its way through Model 5, and the gradient on its way back"
    save_figure(plot_flow(model5, undecided_boot(model5), [BOOT], CLASS_NAMES, title, style="dark"), TARGET)
