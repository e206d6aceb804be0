"""Convolution: every output is a sum over its window, every gradient a sum over the windows that it took part in."""

from __future__ import annotations

from ...layers import Layer
from ..products import Part, Stored, Sum, every
from .base import Element
from .windows import SlidingWindow, cell, window_with

KERNEL_OF_HEIGHT_1 = (1, 2, 3)
"""The axes of a Conv1D's kernel (KW, C, F) among those of (KH, KW, C, F)."""


class Convolution(SlidingWindow):
    page = "operations/convolution.html"

    def __init__(self, layer: Layer, arrays: dict[str, Stored]) -> None:
        super().__init__(layer, arrays)
        axes = KERNEL_OF_HEIGHT_1 if arrays["kernel"].values.ndim == 3 else None
        self.kernel, self.dkernel = (
            Stored(arrays[name].name, arrays[name].values, axes) for name in ("kernel", "dkernel")
        )

    def elements(self) -> dict[str, Element]:
        found = super().elements() | {"kernel": Element(self.dkernel, self.kernel_gradient)}
        return found | {"bias": Element(self.arrays["dbias"], self.bias_gradient)} if self.layer.bias else found

    def forward(self, n: int, p: int, q: int, f: int) -> Sum:
        """z[n, p, q, f] = bias[f] + Σ_ijc x[n, p·SH + i, q·SW + j, c] · kernel[i, j, c, f]"""
        g = self.geometry()
        i, j, h, w, c = self.cells_of(p, q, g.C)
        parts = [Part("window", (self.x.at(n, h, w, c), self.kernel.at(i, j, c, f)))]
        x = self.x.written(n, cell(p, g.SH, "i", g.top), cell(q, g.SW, "j", g.left), "c")
        kernel = self.kernel.written("i", "j", "c", f)
        formula = f"{self.y.written(n, p, q, f)} = Σ_{self.letters('ijc')} {x} · {kernel}"
        if self.layer.bias:
            parts.append(Part("bias", (self.arrays["bias"].at(f),)))
            formula += f" + {self.arrays['bias'].written(f)}"
        return Sum(formula, tuple(parts))

    def backward(self, n: int, h: int, w: int, c: int) -> Sum:
        """dx[n, h, w, c] = Σ_ijf kernel[i, j, c, f] · dz[n, p, q, f], over the windows p·SH + i = h, q·SW + j = w"""
        g = self.geometry()
        i, j, p, q, f = self.windows_with(h, w, g.F)
        products = Part("windows", (self.dy.at(n, p, q, f), self.kernel.at(i, j, c, f)))
        dy = self.dy.written(n, window_with(h, "i", g.top, g.SH), window_with(w, "j", g.left, g.SW), "f")
        summed = f"Σ_{self.letters('ijf')} {dy} · {self.kernel.written('i', 'j', c, 'f')}"
        return Sum(f"{self.dx.written(n, h, w, c)} = {summed}", (products,))

    def kernel_gradient(self, i: int, j: int, c: int, f: int) -> Sum:
        """dkernel[i, j, c, f] = Σ_npq x[n, p·SH + i, q·SW + j, c] · dz[n, p, q, f]"""
        g = self.geometry()
        n, p, q = every(g.N, g.OH, g.OW)
        h, w = p * g.SH + i - g.top, q * g.SW + j - g.left
        inside = (h >= 0) & (h < g.H) & (w >= 0) & (w < g.W)
        n, p, q, h, w = (index[inside] for index in (n, p, q, h, w))
        products = Part("positions", (self.x.at(n, h, w, c), self.dy.at(n, p, q, f)))
        x = self.x.written("n", cell("p", g.SH, i, g.top), cell("q", g.SW, j, g.left), c)
        summed = f"Σ_{self.letters('npq')} {x} · {self.dy.written('n', 'p', 'q', f)}"
        return Sum(f"{self.dkernel.written(i, j, c, f)} = {summed}", (products,))

    def bias_gradient(self, f: int) -> Sum:
        """dbias[f] = Σ_npq dz[n, p, q, f]"""
        g = self.geometry()
        formula = f"dbias[{f}] = Σ_{self.letters('npq')} {self.dy.written('n', 'p', 'q', f)}"
        return Sum(formula, (Part("positions", (self.dy.at(*every(g.N, g.OH, g.OW), f),)),))

    def letters(self, letters: str) -> str:
        """Without those of the height if the input has none."""
        return letters if len(self.kernel.values.shape) == 4 else letters.replace("i", "").replace("p", "")
