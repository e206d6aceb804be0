"""model.summary(): Keras's table of layers, output shapes and parameters."""

from __future__ import annotations

from .layers import Layer
from .network import Network

HEADINGS = ("Layer (type)", "Output Shape", "Param #")
TRAINABLE = "Trainable"
CONNECTED = "Connected to"


def summary_text(model: Network, show_trainable: bool = False) -> str:
    """The table, one row per layer, and the totals below it. With branches, a column says what each layer gets."""
    rows: list[tuple[str, ...]] = [HEADINGS, *(_row(layer) for layer in model.layers)]
    if show_trainable:
        marks = ["Y" if layer.trainable else "N" for layer in model.layers]
        rows = [(*row, mark) for row, mark in zip(rows, [TRAINABLE, *marks], strict=True)]
    if not model.is_sequence:
        names = model.value_names
        connected = [", ".join(names[source] for source in sources) for sources in model.sources]
        rows = [(*row, more) for row, more in zip(rows, [CONNECTED, *connected], strict=True)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = "-" * (sum(widths) + 2 * len(widths) - 2)
    headings, *lines = (_line(row, widths) for row in rows)
    lines = [f'Model: "{model.name}"', rule, headings, rule, *lines, rule]
    trainable = sum(int(parameter.value.size) for parameter in model.parameters())
    total = model.count_params()
    lines += [
        f"Total params: {_amount(total, model)}",
        f"Trainable params: {_amount(trainable, model)}",
        f"Non-trainable params: {_amount(total - trainable, model)}",
    ]
    return "\n".join(lines)


def _row(layer: Layer) -> tuple[str, str, str]:
    shape = str(layer.output_shape or "?")
    return (
        f"{layer.name} ({type(layer).__name__})",
        shape,
        f"{layer.count_params():,}" if layer.built else "0 (unbuilt)",
    )


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    name, shape, count, *more = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
    return "  ".join([name, shape, f"{count.strip():>{widths[2]}}", *more]).rstrip()


def _amount(count: int, model: Network) -> str:
    size, unit = float(count * (model.dtype.itemsize if model.layers else 0)), "B"
    for larger in ("KB", "MB", "GB"):
        if size >= 1024:
            size, unit = size / 1024, larger
    return f"{count:,} ({size:.2f} {unit})"
