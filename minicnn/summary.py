"""model.summary(): Keras's table of layers, output shapes and parameters."""

from __future__ import annotations

from .layers import Layer
from .network import Network

HEADINGS = ("Layer (type)", "Output Shape", "Param #")


def summary_text(model: Network) -> str:
    """The table, one row per layer, and the totals below it."""
    rows = [_row(layer) for layer in model.layers]
    widths = [max(len(row[i]) for row in [HEADINGS, *rows]) for i in range(3)]
    rule = "-" * (sum(widths) + 4)
    lines = [f'Model: "{model.name}"', rule, _line(HEADINGS, widths), rule, *(_line(row, widths) for row in rows), rule]
    trainable = sum(int(parameter.value.size) for parameter in model.parameters())
    total = model.count_params()
    lines += [
        f"Total params: {_amount(total, model)}",
        f"Trainable params: {_amount(trainable, model)}",
        f"Non-trainable params: {_amount(total - trainable, model)}",
    ]
    return "\n".join(lines)


def _row(layer: Layer) -> tuple[str, str, str]:
    shape = str(layer.output_shape) if layer.built else "?"
    return (
        f"{layer.name} ({type(layer).__name__})",
        shape,
        f"{layer.count_params():,}" if layer.built else "0 (unbuilt)",
    )


def _line(cells: tuple[str, str, str], widths: list[int]) -> str:
    name, shape, count = cells
    return f"{name:<{widths[0]}}  {shape:<{widths[1]}}  {count:>{widths[2]}}"


def _amount(count: int, model: Network) -> str:
    size, unit = float(count * (model.dtype.itemsize if model.layers else 0)), "B"
    for larger in ("KB", "MB", "GB"):
        if size >= 1024:
            size, unit = size / 1024, larger
    return f"{count:,} ({size:.2f} {unit})"
