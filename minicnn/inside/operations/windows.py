"""What convolution and pooling share: which windows contain a cell, and which cells a window has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...backends.geometry import Windows, windows
from ...layers import Layer
from ..products import Stored
from .base import Operation

IMAGES_OF_HEIGHT_1 = (0, 2, 3)
"""The axes of (N, L, C) among those of (N, H, W, C)."""


class SlidingWindow(Operation):
    """A window slides over images (N, H, W, C); a one-dimensional input is an image of height 1."""

    def __init__(self, layer: Layer, arrays: dict[str, Stored]) -> None:
        if arrays["x"].values.ndim == 3:
            stored = {name: arrays[name] for name in ("x", "y", "dx", "dy")}
            arrays = arrays | {k: Stored(s.name, s.values, IMAGES_OF_HEIGHT_1) for k, s in stored.items()}
        super().__init__(layer, arrays)

    def geometry(self) -> Windows:
        """The windows in the contract's letters."""
        layer = self.layer
        return windows(self.x.shape, layer.window_2d, self.y.shape[-1], layer.strides_2d, layer.padding)

    def cells_of(self, p: int, q: int, *others: int) -> list[np.ndarray]:
        """The cells of window (p, q) inside the image: i, j in the window, h, w in the image, and `others` indices."""
        g = self.geometry()
        i, j, *rest = np.indices((g.KH, g.KW, *others)).reshape(2 + len(others), -1)
        h, w = p * g.SH + i - g.top, q * g.SW + j - g.left
        inside = (h >= 0) & (h < g.H) & (w >= 0) & (w < g.W)
        return [index[inside] for index in (i, j, h, w, *rest)]

    def windows_with(self, h: int, w: int, *others: int) -> list[np.ndarray]:
        """The windows that contain cell (h, w): i, j of the cell in the window, p, q of it, and `others` indices."""
        g = self.geometry()
        i, j, *rest = np.indices((g.KH, g.KW, *others)).reshape(2 + len(others), -1)
        (p, row), (q, column) = np.divmod(h + g.top - i, g.SH), np.divmod(w + g.left - j, g.SW)
        exists = (row == 0) & (column == 0) & (p >= 0) & (p < g.OH) & (q >= 0) & (q < g.OW)
        return [index[exists] for index in (i, j, p, q, *rest)]


def cell(window: Any, stride: int, inside: Any, before: int) -> str:
    """The formula of a cell's row or column, such as "2·p + 1": window · stride + inside − before."""
    if not isinstance(window, str):
        window, stride = int(window) * stride, 1
    scaled = f"{stride}·{window}" if stride > 1 else window
    return total([scaled, inside, -before])


def window_with(position: int, inside: str, before: int, stride: int) -> str:
    """The formula of the window that has a cell at `inside`: (position + before − inside) / stride."""
    difference = f"{position + before} − {inside}"
    return f"({difference})/{stride}" if stride > 1 else difference


def total(parts: Sequence[Any]) -> str:
    """ "p + 1" or "i − 2": the letters, and the sum of the numbers."""
    letters = [part for part in parts if isinstance(part, str)]
    rest = sum(int(part) for part in parts if not isinstance(part, str))
    if not letters:
        return str(rest)
    return " + ".join(letters) + (f" {'+' if rest > 0 else '−'} {abs(rest)}" if rest else "")
