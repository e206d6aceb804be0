"""Pooling: which cell of a window won, or which share of the mean each cell has."""

from __future__ import annotations

import numpy as np

from ...layers import Layer
from ..products import Part, Stored, Sum, number
from .base import Operation
from .windows import SlidingWindow, cell, window_with


class MaxPooling(SlidingWindow):
    """The factor `won` is 1 for a window's first largest cell, and 0 for the others."""

    page = "operations/pooling.html"

    def forward(self, n: int, p: int, q: int, c: int) -> Sum:
        """y[n, p, q, c] = max_ij x[n, p·SH + i, q·SW + j, c], a sum of which only the winner is left"""
        g = self.geometry()
        _, _, h, w = self.cells_of(p, q)
        x = self.x.at(n, h, w, c)
        won = np.arange(len(h)) == x.values.argmax()
        element = self.x.written(n, cell(p, g.SH, "i", g.top), cell(q, g.SW, "j", g.left), c)
        return Sum(f"{self.y.written(n, p, q, c)} = max {element}", (Part("window", (x, number("won", won))),))

    def backward(self, n: int, h: int, w: int, c: int) -> Sum:
        """dx[n, h, w, c] = Σ dy[n, p, q, c] over the windows that cell (h, w) won"""
        g = self.geometry()
        _, _, p, q = self.windows_with(h, w)
        won = [self.winner(n, *window, c) == (h, w) for window in zip(p, q, strict=True)]
        products = Part("windows", (self.dy.at(n, p, q, c), number("won", np.array(won, bool))))
        dy = self.dy.written(n, window_with(h, "i", g.top, g.SH), window_with(w, "j", g.left, g.SW), c)
        return Sum(f"{self.dx.written(n, h, w, c)} = Σ {dy} over the windows that it won", (products,))

    def winner(self, n: int, p: int, q: int, c: int) -> tuple[int, int]:
        """The row and column of window (p, q)'s first largest cell."""
        _, _, h, w = self.cells_of(p, q)
        best = self.x.at(n, h, w, c).values.argmax()
        return int(h[best]), int(w[best])


class AveragePooling(SlidingWindow):
    """The factor 1 / cells counts the window's cells inside the image."""

    page = "operations/pooling.html"

    def forward(self, n: int, p: int, q: int, c: int) -> Sum:
        """y[n, p, q, c] = Σ_ij x[n, p·SH + i, q·SW + j, c] / cells"""
        g = self.geometry()
        _, _, h, w = self.cells_of(p, q)
        products = Part("window", (self.x.at(n, h, w, c), number("1 / cells", 1 / len(h))))
        element = self.x.written(n, cell(p, g.SH, "i", g.top), cell(q, g.SW, "j", g.left), c)
        return Sum(f"{self.y.written(n, p, q, c)} = Σ {element} / {len(h)}", (products,))

    def backward(self, n: int, h: int, w: int, c: int) -> Sum:
        """dx[n, h, w, c] = Σ dy[n, p, q, c] / cells over the windows that contain cell (h, w)"""
        g = self.geometry()
        _, _, p, q = self.windows_with(h, w)
        cells = np.array([len(self.cells_of(*window)[0]) for window in zip(p, q, strict=True)])
        products = Part("windows", (self.dy.at(n, p, q, c), number("1 / cells", 1 / np.maximum(cells, 1))))
        dy = self.dy.written(n, window_with(h, "i", g.top, g.SH), window_with(w, "j", g.left, g.SW), c)
        return Sum(f"{self.dx.written(n, h, w, c)} = Σ {dy} / cells", (products,))


class GlobalAveragePooling(Operation):
    """x (N, H, W, C) -> y (N, C), or (N, 1, 1, C) with keepdims."""

    page = "operations/pooling.html"

    def __init__(self, layer: Layer, arrays: dict[str, Stored]) -> None:
        axes = None if arrays["y"].values.ndim == 4 else (0, 3)  # (N, C) among (N, 1, 1, C)
        pooled = {name: Stored(arrays[name].name, arrays[name].values, axes) for name in ("y", "dy")}
        super().__init__(layer, arrays | pooled)

    def forward(self, n: int, p: int, q: int, c: int) -> Sum:
        """y[n, c] = Σ_hw x[n, h, w, c] / (H · W)"""
        _, H, W, _ = self.x.shape
        h, w = np.indices((H, W)).reshape(2, -1)
        products = Part("image", (self.x.at(n, h, w, c), number("1 / cells", 1 / (H * W))))
        return Sum(f"{self.y.written(n, p, q, c)} = Σ_hw {self.x.written(n, 'h', 'w', c)} / {H * W}", (products,))

    def backward(self, n: int, h: int, w: int, c: int) -> Sum:
        """dx[n, h, w, c] = dy[n, c] / (H · W)"""
        _, H, W, _ = self.x.shape
        products = Part("image", (self.dy.at(n, 0, 0, c), number("1 / cells", 1 / (H * W))))
        return Sum(f"{self.dx.written(n, h, w, c)} = {self.dy.written(n, 0, 0, c)} / {H * W}", (products,))
