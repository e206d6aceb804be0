"""Draws flow.svg: one training step of a small model, forward down the left side, backward up the right side.

python docs/images/make_flow.py
"""

from __future__ import annotations

from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

TARGET = Path(__file__).with_name("flow.svg")

INK, FAINT, BOX = "#22262e", "#6b7280", "#eceff3"
FORWARD, BACKWARD, STEP = "#c2570c", "#0b6aa8", "#2f7d4f"

LAYERS = (  # name, forward, backward, parameters
    ("Conv2D", "conv2d(x, kernel, bias, …)", "conv2d_backward(dy, saved)", True),
    ("MaxPooling2D", "max_pool2d(x, …)", "max_pool2d_backward(dy, saved)", False),
    ("Flatten", "x.reshape(64, 6272)", "dy.reshape(64, 14, 14, 32)", False),
    ("Dense", "dense(x, kernel, bias, …)", "dense_backward(dy, saved)", True),
    ("Crossentropy", "softmax_crossentropy(z, target)", "softmax_crossentropy_backward(saved)", False),
)
SHAPES = (
    "(64, 28, 28, 1)",
    "(64, 28, 28, 32)",
    "(64, 14, 14, 32)",
    "(64, 6272)",
    "(64, 10)",
)  # of each layer's input
PITCH, HEIGHT = 1.5, 0.8
LEFT, MIDDLE, RIGHT, EDGE = 3.95, 6.35, 9.1, 11.4  # forward, saved, backward, the end of the boxes


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=13, color=colour, linewidth=1.6, shrinkA=0, shrinkB=0,
        )
    )  # fmt: skip


def layer(axes: Axes, y: float, name: str, forward: str, backward: str, has_parameters: bool) -> None:
    """A box with the layer's two operations; the backward uses what the forward saved."""
    style = {"boxstyle": "round,pad=0,rounding_size=0.12", "linewidth": 0}
    axes.add_patch(FancyBboxPatch((0.2, y), EDGE - 0.2, HEIGHT, facecolor=BOX, **style))
    centre = y + HEIGHT / 2
    axes.text(0.4, centre, name, va="center", weight="bold", fontsize=10.5)
    axes.text(LEFT, centre, forward, ha="center", va="center", color=FORWARD, family="monospace")
    axes.text(RIGHT, centre, backward, ha="center", va="center", color=BACKWARD, family="monospace")
    if "saved" in backward:
        arrow(axes, (MIDDLE - 0.45, centre + 0.1), (MIDDLE + 0.45, centre + 0.1), FAINT)
        axes.text(MIDDLE, centre - 0.13, "saved", ha="center", va="center", color=FAINT)
    if has_parameters:
        arrow(axes, (EDGE, centre), (EDGE + 0.55, centre), BACKWARD)
        axes.text(EDGE + 0.65, centre, "kernel.grad\nbias.grad", va="center", color=BACKWARD, family="monospace")
        arrow(axes, (EDGE + 1.9, centre), (EDGE + 2.45, centre), STEP)


def draw() -> Figure:
    figure = Figure(figsize=(10.6, 5.8), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 15.6), ylim=(7.4, -1.2))
    axes.set_axis_off()
    for index, (description, shape) in enumerate(zip(LAYERS, SHAPES, strict=True)):
        top = index * PITCH
        layer(axes, top, *description)
        arrow(axes, (LEFT, top - PITCH + HEIGHT + 0.06), (LEFT, top - 0.06), FORWARD)
        axes.text(LEFT + 0.15, top - 0.35, shape, va="center", color=FAINT, fontsize=9)
        if index:
            arrow(axes, (RIGHT, top - 0.06), (RIGHT, top - PITCH + HEIGHT + 0.06), BACKWARD)
            axes.text(RIGHT + 0.15, top - 0.35, shape, va="center", color=FAINT, fontsize=9)
    axes.text(LEFT, -0.95, "x: 64 images", ha="center", va="center", color=FORWARD, weight="bold")
    axes.text(
        RIGHT, -0.35, "(the gradient of the pixels is not computed)", ha="center", va="center", color=FAINT, fontsize=9
    )
    axes.text(LEFT, 7.1, "the loss, one number", ha="center", va="center", color=FORWARD, weight="bold")
    step(axes)
    return figure


def step(axes: Axes) -> None:
    """The optimiser, beside all layers: it uses every grad and updates every value."""
    style = {"boxstyle": "round,pad=0,rounding_size=0.12", "linewidth": 0}
    axes.add_patch(FancyBboxPatch((EDGE + 2.5, 0), 1.5, 3 * PITCH + HEIGHT, facecolor="#e3f1e8", **style))
    words = "optimizer\n.step(…)\n\nupdates\nevery value\nby its grad,\nin place"
    axes.text(EDGE + 3.25, (3 * PITCH + HEIGHT) / 2, words, ha="center", va="center", color=STEP, linespacing=1.5)


if __name__ == "__main__":
    with rc_context({"svg.hashsalt": "minicnn", "font.size": 9, "text.color": INK}):
        draw().savefig(TARGET, metadata={"Date": None})
