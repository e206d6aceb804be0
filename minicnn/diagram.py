"""plot_model: the architecture of a model as an SVG picture, drawn without other programs.

Layers stand below each other, in the order in which they compute. An arrow goes from each layer to the next one; a
value that is used further down, as in a residual block, goes around the layers between on the right.
"""

from __future__ import annotations

import os
import warnings
from html import escape
from pathlib import Path

from . import arguments
from .errors import explain
from .files import atomic_writer
from .layers import Layer
from .network import Network
from .several import listed

LEFT, TOP, GAP, LINE, INNER = 20, 20, 26, 18, 12
"""Pixels: the picture's margins, the distance of boxes, the height of a line of text, the margin in a box."""

CHARACTER = 8.3
"""The width of a character in pixels, on average, of the bold names."""

LANE = 18
"""The distance in pixels of arrows that go around layers side by side."""

STYLE = """
svg { --ground: #ffffff; --text: #1f2328; --faint: #59636e; --box: #f6f8fa; --edge: #8c959f; --learns: #3949ab }
@media (prefers-color-scheme: dark) {
  svg { --ground: #0d1117; --text: #e6edf3; --faint: #9198a1; --box: #161b22; --edge: #6e7681; --learns: #8c9eff }
}
text { font: 13px system-ui, sans-serif; fill: var(--faint) }
.name { font-weight: 600; fill: var(--text) }
.ground { fill: var(--ground) }
.box { fill: var(--box); stroke: var(--edge) }
.learns { fill: var(--learns) }
.arrow { fill: none; stroke: var(--edge); stroke-width: 1.5; marker-end: url(#head) }
.head { fill: var(--edge) }
"""


def plot_model(
    model: Network,
    to_file: str | os.PathLike[str] = "model.svg",
    show_shapes: bool = True,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
) -> Path:
    """Write a picture of the model's layers to an SVG file; returns its path. Layers with weights have a coloured bar.

    The picture follows the reader's light or dark setting. A file of another name gets the suffix .svg, with a warning.
    The last arguments choose details of Keras's picture, and have no effect.
    Raises ValueError for a model without layers, OSError if the file cannot be written.
    """
    path = arguments.path("plot_model to_file", to_file)
    if path.suffix.lower() != ".svg":
        path = path.with_suffix(".svg")
        warnings.warn(f"plot_model draws SVG, which browsers show: it writes {path}.", stacklevel=2)
    if not isinstance(model, Network):
        raise TypeError(explain("plot_model", "a model", type(model).__name__, "Give the model, then the path."))
    if not model.layers:
        raise ValueError(
            explain(f"plot_model of {model.name}", "a model with layers", "none", "Call add(layer) first.")
        )
    shapes = arguments.flag("plot_model show_shapes", show_shapes)
    names = arguments.flag("plot_model show_layer_names", show_layer_names)
    with atomic_writer(path) as file:
        file.write(_drawing(model, shapes, names).encode())
    return path


def _drawing(model: Network, shapes: bool, names: bool) -> str:
    inputs = list(zip(model.input_names, listed(model.input_shape), strict=True))
    boxes = [[name, *([f"output {_shape(shape)}"] if shapes else [])] for name, shape in inputs]
    boxes += [_lines(layer, shapes, names) for layer in model.layers]
    learns = [False] * len(inputs) + [bool(layer.weights) for layer in model.layers]
    width = max(CHARACTER * len(line) for box in boxes for line in box) + 2 * INNER
    tops, bottoms, y = [], [], float(TOP)
    for box in boxes:
        tops.append(y)
        bottoms.append(y + LINE * len(box) + 2 * INNER - 4)
        y = bottoms[-1] + GAP
    arrows, lanes = _arrows(model, tops, bottoms, width)
    total_width, total_height = LEFT + width + LANE * (lanes + 1) + LEFT, y - GAP + TOP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total_width:.0f}" height="{total_height:.0f}" '
        f'viewBox="0 0 {total_width:.0f} {total_height:.0f}" role="img">',
        f"<title>{escape(model.name)}</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="head" d="M0 0 8 4 0 8z"/></marker></defs>',
        '<rect class="ground" width="100%" height="100%"/>',
        *arrows,
        *(
            _box(lines, top, bottom, width, bar)
            for lines, top, bottom, bar in zip(boxes, tops, bottoms, learns, strict=True)
        ),
        "</svg>",
    ]
    return "\n".join(parts)


def _lines(layer: Layer, shapes: bool, names: bool) -> list[str]:
    """The text in a layer's box: its name, its class with the activation, its output's shape and its weights."""
    kind = type(layer).__name__
    activation = layer.get_config().get("activation")
    kind += f", {activation}" if isinstance(activation, str) and activation != "linear" else ""
    lines = [layer.name, kind] if names else [kind]
    if shapes:
        lines.append(f"output {_shape(layer.output_shape)}")
        if count := layer.count_params():
            lines.append(f"{count:,} weights")
    return lines


def _shape(shape: tuple[int | None, ...] | None) -> str:
    """(N, 28, 28, 1): N samples; ? for an axis of any length."""
    if shape is None:
        return "?"
    return f"({', '.join(['N', *('?' if length is None else str(length) for length in shape[1:])])})"


def _box(lines: list[str], top: float, bottom: float, width: float, learns: bool) -> str:
    first, *others = lines
    texts = [f'<text class="name" x="{LEFT + INNER}" y="{top + INNER + 10:.0f}">{escape(first)}</text>']
    texts += [
        f'<text x="{LEFT + INNER}" y="{top + INNER + 10 + LINE * number:.0f}">{escape(line)}</text>'
        for number, line in enumerate(others, 1)
    ]
    bar = f'<rect class="learns" x="{LEFT}" y="{top:.0f}" width="4" height="{bottom - top:.0f}"/>' if learns else ""
    frame = f'<rect class="box" x="{LEFT}" y="{top:.0f}" width="{width:.0f}" height="{bottom - top:.0f}" rx="4"/>'
    return "".join([frame, bar, *texts])


def _arrows(model: Network, tops: list[float], bottoms: list[float], width: float) -> tuple[list[str], int]:
    """The arrows between boxes, and how many go around boxes side by side. Box k is value k, first the inputs."""
    first = len(model.input_names)
    drawn: list[str] = []
    ends: list[int] = []  # the box at which each lane's latest arrow ends
    jumps = sorted(
        (source, target)
        for target, sources in enumerate(model.sources, first)
        for source in set(sources)
        if source < target - 1
    )
    for target, sources in enumerate(model.sources, first):
        if target - 1 in sources:
            x = LEFT + width / 2
            drawn.append(f'<path class="arrow" d="M{x:.0f} {bottoms[target - 1]:.0f}V{tops[target]:.0f}"/>')
    for source, target in jumps:
        lane = next((number for number, end in enumerate(ends) if end <= source), len(ends))
        ends[lane : lane + 1] = [target]
        right, x = LEFT + width, LEFT + width + LANE * (lane + 1)
        start, end = bottoms[source] - INNER, tops[target] + INNER
        drawn.append(f'<path class="arrow" d="M{right:.0f} {start:.0f}H{x:.0f}V{end:.0f}H{right + 1:.0f}"/>')
    return drawn, len(ends)
