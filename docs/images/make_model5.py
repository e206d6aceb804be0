"""Draws model5.png: one image on its way through Model 5, and the gradient of its loss on the way back.

    python docs/images/make_model5.py

Trains Model 5 for three epochs on 6,000 images first; needs minicnn[fast,report].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

import minicnn
from minicnn.datasets import CLASS_NAMES, load_fashion_mnist
from minicnn.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D

TARGET = Path(__file__).with_name("model5.png")

NIGHT, INK, FAINT, WARM, COOL = "#0b0e14", "#e6e9ef", "#8b93a5", "#ff9e64", "#7dcfff"
HEAT = LinearSegmentedColormap.from_list("heat", ["#000000", "#3b1c5a", "#a8325e", WARM, "#fff3d6"])
SIGNS = LinearSegmentedColormap.from_list("signs", ["#e8f8ff", COOL, "#164a66", "#000000", "#7a3a17", WARM, "#fff3d6"])

COLUMNS = (  # what is drawn, its layer (None: the image), how many of its maps a side
    ("image", "28 × 28", None, 1),
    ("convolution", "32 maps of 28 × 28", "conv2d", 4),
    ("max pooling, convolution", "64 maps of 14 × 14", "conv2d_1", 4),
    ("max pooling, convolution", "128 maps of 7 × 7", "conv2d_2", 4),
    ("pool, dense", "128 units", "dense", 0),
)
SIDE, GAP, MARGIN = 2.0, 0.32, 0.3  # inches
ABOVE, BELOW = 3.62, 0.55  # the lower edges of the two rows
SIZE = (14.2, 6.25)


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
    boots = x[y == CLASS_NAMES.index("Ankle boot")][:, :, :, None] / 255
    probabilities = model.predict(boots)
    right = probabilities.argmax(axis=1) == CLASS_NAMES.index("Ankle boot")
    return boots[np.where(right, probabilities.max(axis=1), 1).argmin()][None]


def there_and_back(model: minicnn.Sequential, x: np.ndarray, label: int) -> tuple[dict, dict, np.ndarray]:
    """Each layer's output and the loss's gradient by it, by the layer's name (None: the image); the probabilities."""
    outputs, gradients = {None: x}, {}
    y = x.astype("float32")
    for layer in model.layers:
        y = outputs[layer.name] = layer.forward(y)
    loss = minicnn.losses.SparseCategoricalCrossentropy()
    loss.forward(np.array([label]), y)
    dy = loss.backward()
    for layer in reversed(model.layers):
        gradients[layer.name] = dy
        dy = layer.backward(dy)
    return outputs, gradients | {None: dy}, y[0]


def strongest(maps: np.ndarray, side: int) -> np.ndarray:
    """Which side² maps (H, W, C) light up most, in their own order."""
    return np.sort(maps.reshape(-1, maps.shape[-1]).sum(axis=0).argsort()[-side * side :])


def mosaic(maps: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The chosen maps of (H, W, C) as the tiles of one square picture, with gaps (NaN) between them."""
    H, W, _ = maps.shape
    side, gap = int(len(chosen) ** 0.5), max(H // 12, 1)
    tiles = np.pad(np.moveaxis(maps[:, :, chosen], -1, 0), ((0, 0), (0, gap), (0, gap)), constant_values=np.nan)
    picture = tiles.reshape(side, side, H + gap, W + gap).swapaxes(1, 2).reshape(side * (H + gap), side * (W + gap))
    return picture[: picture.shape[0] - gap, : picture.shape[1] - gap]


def pictures(outputs: dict, gradients: dict, layer: str | None, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A layer's output and gradient as two pictures of the same maps, or of all its units."""
    if side == 0:
        return outputs[layer].reshape(16, 8), gradients[layer].reshape(16, 8)
    chosen = strongest(outputs[layer][0], side)
    return mosaic(outputs[layer][0], chosen), mosaic(gradients[layer][0], chosen)


def place(figure: Figure, left: float, bottom: float, width: float) -> Axes:
    """Axes at a place given in inches."""
    return figure.add_axes((left / SIZE[0], bottom / SIZE[1], width / SIZE[0], SIDE / SIZE[1]))


def show(axes: Axes, picture: np.ndarray, colours: str | Colormap, signed: bool) -> None:
    most = np.nanpercentile(np.abs(picture), 99.7)
    axes.imshow(picture, cmap=colours, vmin=-most if signed else 0, vmax=most, interpolation="nearest")
    axes.set(xticks=[], yticks=[], facecolor=NIGHT)
    axes.spines[:].set_visible(False)


def bars(axes: Axes, values: np.ndarray, colours: list[str], limits: tuple[float, float]) -> None:
    axes.barh(range(10), values, color=colours, height=0.7)
    axes.axvline(0, color=FAINT, linewidth=0.8)
    axes.set(xlim=limits, ylim=(9.6, -0.6), facecolor="none", xticks=[])
    axes.set_yticks(range(10), CLASS_NAMES, fontsize=10, color=INK)
    axes.tick_params(length=0, pad=4)
    axes.spines[:].set_visible(False)


def label_below(figure: Figure, centre: float, bottom: float, words: str, colour: str) -> None:
    figure.text(
        centre / SIZE[0], (bottom - 0.2) / SIZE[1], words, color=colour, fontsize=11.5, ha="center", va="center"
    )


def caption(figure: Figure, bottom: float, direction: str, colour: str, words: str) -> None:
    """A line of text over a row, with an arrow that says which way the row is read."""
    y = (bottom + SIDE + 0.32) / SIZE[1]
    left, right = MARGIN / SIZE[0], (MARGIN + 0.62) / SIZE[0]
    ends = ((left, y), (right, y)) if direction == "forward" else ((right, y), (left, y))
    figure.add_artist(
        FancyArrowPatch(*ends, transform=figure.transFigure, color=colour, arrowstyle="-|>", mutation_scale=15)
    )
    figure.text(right + 0.01, y, direction, color=colour, fontsize=13.5, weight="bold", va="center")
    figure.text(right + 0.095, y, words, color=FAINT, fontsize=13, va="center")


def draw(outputs: dict, gradients: dict, probabilities: np.ndarray, label: int) -> Figure:
    figure = Figure(figsize=SIZE, facecolor=NIGHT)
    left = MARGIN
    for heading, shape, layer, side in COLUMNS:
        width = SIDE if side else SIDE / 2
        seen, wanted = pictures(outputs, gradients, layer, side)
        show(place(figure, left, ABOVE, width), seen, HEAT if layer else "gray", signed=False)
        show(place(figure, left, BELOW, width), wanted, SIGNS, signed=True)
        label_below(figure, left + width / 2, ABOVE, heading, INK)
        label_below(figure, left + width / 2, BELOW, shape, FAINT)
        left += width + GAP
    left, width = left + 0.75, SIZE[0] - left - 0.75 - MARGIN
    winner, error = probabilities.argmax(), probabilities - np.eye(10)[label]
    highlight, signs = [WARM if k == winner else FAINT for k in range(10)], [WARM if e > 0 else COOL for e in error]
    bars(place(figure, left, ABOVE, width), probabilities, highlight, (0, 0.7))
    bars(place(figure, left, BELOW, width), error, signs, (-0.7, 0.7))
    label_below(figure, left + width / 2, ABOVE, "dense, softmax: p", INK)
    label_below(figure, left + width / 2, BELOW, "p − y", FAINT)
    caption(figure, ABOVE, "forward", WARM, "what each layer makes of an ankle boot")
    caption(figure, BELOW, "backward", COOL, "the gradient of the loss: what is blue should rise, what is orange fall")
    return figure


if __name__ == "__main__":
    boot = CLASS_NAMES.index("Ankle boot")
    model5 = train_model5()
    draw(*there_and_back(model5, undecided_boot(model5), boot), boot).savefig(TARGET, dpi=120)
