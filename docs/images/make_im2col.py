"""Draws im2col.svg: a 3 x 4 image, its six 2 x 2 windows as rows, the product with a kernel, and col2im's way back.

    python docs/images/make_im2col.py

The numbers are those of the check in docs/operations/convolution.md; minicnn itself computes them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from minicnn.backends.textbook.windows import col2im, im2col

TARGET = Path(__file__).with_name("im2col.svg")

X = np.array([[1, 2, 0, 3], [0, 1, 2, 1], [3, 0, 1, 2]])
KERNEL = np.array([[1, 2], [0, -1]])
DZ = np.array([[1, 0, -1], [2, 1, 0]])

INK, FAINT, LINE = "#22262e", "#6b7280", "#ffffff"
WINDOW = "#d55e00"
# A colour for each cell of the image: its column decides the hue, its row the lightness.
COLOURS = np.array(
    [
        ["#cfe3f5", "#d3edd5", "#fbe7c3", "#f3d3df"],
        ["#a3cbed", "#a8dbad", "#f7d28c", "#e8abc1"],
        ["#76b1e3", "#7cc884", "#f2bd55", "#dc82a3"],
    ]
)
GREY = "#eceff3"


def grid(axes: Axes, left: float, top: float, numbers: np.ndarray, colours: np.ndarray | str, title: str) -> None:
    """Numbers in coloured unit cells, a title above them."""
    rows, columns = numbers.shape
    colours = np.broadcast_to(colours, numbers.shape)
    for r in range(rows):
        for c in range(columns):
            cell = Rectangle((left + c, top + r), 1, 1, facecolor=colours[r, c], edgecolor=LINE, linewidth=1.6)
            axes.add_patch(cell)
            axes.text(left + c + 0.5, top + r + 0.5, f"{numbers[r, c]:d}".replace("-", "−"), ha="center", va="center")
    axes.text(left + columns / 2, top - 0.35, title, ha="center", va="bottom", color=FAINT, fontsize=10)


def sign(axes: Axes, x: float, y: float, text: str) -> None:
    axes.text(x, y, text, ha="center", va="center", fontsize=20, color=FAINT)


def arrow(axes: Axes, start: float, end: float, y: float, words: str) -> None:
    axes.add_patch(FancyArrowPatch((start, y), (end, y), arrowstyle="-|>", mutation_scale=14, color=FAINT))
    axes.text((start + end) / 2, y - 0.3, words, ha="center", va="bottom", color=INK, fontsize=10, weight="bold")


def outline(axes: Axes, left: float, top: float, width: float, height: float) -> None:
    axes.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=WINDOW, linewidth=2.4, zorder=3))


def windows_of(array: np.ndarray) -> np.ndarray:
    """im2col on (H, W) with a 2 x 2 window: (6, 4)."""
    return im2col(array[None, :, :, None], (2, 2), (1, 1), "valid").reshape(6, 4)


def forward(axes: Axes, top: float) -> None:
    rows = windows_of(X)
    grid(axes, 0, top + 1.5, X, COLOURS, "x   (3, 4)")
    arrow(axes, 4.5, 6.5, top + 3, "im2col")
    grid(
        axes,
        7,
        top,
        rows,
        COLOURS.reshape(-1)[windows_of(np.arange(12).reshape(3, 4))],
        "R   (6, 4): one row per window",
    )
    sign(axes, 11.75, top + 3, "·")
    grid(axes, 12.5, top + 1, KERNEL.reshape(4, 1), GREY, "K   (4, 1)")
    sign(axes, 14.25, top + 3, "=")
    z = rows @ KERNEL.reshape(4, 1)
    grid(axes, 15, top, z, GREY, "z   (6, 1)")
    arrow(axes, 16.5, 18.5, top + 3, "reshape")
    grid(axes, 19, top + 2, z.reshape(2, 3), GREY, "z   (2, 3)")
    outline(axes, 1, top + 2.5, 2, 2)  # the window of output pixel (1, 1), row 4 of R
    outline(axes, 7, top + 4, 4, 1)
    outline(axes, 15, top + 4, 1, 1)
    outline(axes, 20, top + 3, 1, 1)


def backward(axes: Axes, top: float) -> None:
    drows = DZ.reshape(6, 1) @ KERNEL.reshape(1, 4)
    dx = col2im(drows.reshape(1, 2, 3, 2, 2, 1), (1, 3, 4, 1), (1, 1), "valid")[0, :, :, 0]
    grid(axes, 0, top + 1.5, dx, COLOURS, "dx   (3, 4)")
    arrow(axes, 6.5, 4.5, top + 3, "col2im")
    colours = COLOURS.reshape(-1)[windows_of(np.arange(12).reshape(3, 4))]
    grid(axes, 7, top, drows, colours, "dR = dz · Kᵀ   (6, 4)")
    sign(axes, 11.75, top + 3, "=")
    grid(axes, 12.5, top, DZ.reshape(6, 1), GREY, "dz   (6, 1)")
    sign(axes, 14.25, top + 3, "·")
    grid(axes, 15, top + 2.5, KERNEL.reshape(1, 4), GREY, "Kᵀ   (1, 4)")
    outline(axes, 1, top + 2.5, 1, 1)  # pixel (1, 1) was seen by four windows
    for row, column in ((0, 3), (1, 2), (3, 1), (4, 0)):
        outline(axes, 7 + column, top + row, 1, 1)


def draw() -> Figure:
    figure = Figure(figsize=(10.6, 6.7), facecolor="white")
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    axes.set(xlim=(-0.15, 22.15), ylim=(14.4, -0.6), aspect="equal")
    axes.set_axis_off()
    forward(axes, 0.4)
    backward(axes, 8.2)
    return figure


if __name__ == "__main__":
    with rc_context({"svg.hashsalt": "minicnn", "font.size": 11, "text.color": INK}):
        draw().savefig(TARGET, metadata={"Date": None})
