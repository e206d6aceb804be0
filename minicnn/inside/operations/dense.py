"""Dense: one matrix product, so every sum runs along a row or a column."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..products import Part, Sum, every
from .base import Element, Operation


class Dense(Operation):
    """x (..., C), kernel (C, F), y (..., F); an index is (*n, f), n the sample and what other axes there are."""

    page = "operations/dense.html"

    def elements(self) -> dict[str, Element]:
        self.kernel = self.arrays["kernel"]
        found = super().elements() | {"kernel": Element(self.arrays["dkernel"], self.kernel_gradient)}
        return found | {"bias": Element(self.arrays["dbias"], self.bias_gradient)} if self.layer.bias else found

    def forward(self, *index: int) -> Sum:
        """z[n, f] = bias[f] + Σ_c x[n, c] · kernel[c, f]"""
        *n, f = index
        c = np.arange(self.x.shape[-1])
        parts = [Part("inputs", (self.x.at(*n, c), self.kernel.at(c, f)))]
        formula = f"{self.y.written(*index)} = Σ_c {self.x.written(*n, 'c')} · {self.kernel.written('c', f)}"
        if self.layer.bias:
            parts.append(Part("bias", (self.arrays["bias"].at(f),)))
            formula += f" + bias[{f}]"
        return Sum(formula, tuple(parts))

    def backward(self, *index: int) -> Sum:
        """dx[n, c] = Σ_f dz[n, f] · kernel[c, f]"""
        *n, c = index
        f = np.arange(self.y.shape[-1])
        products = Part("units", (self.dy.at(*n, f), self.kernel.at(c, f)))
        formula = f"{self.dx.written(*index)} = Σ_f {self.dy.written(*n, 'f')} · {self.kernel.written(c, 'f')}"
        return Sum(formula, (products,))

    def kernel_gradient(self, c: int, f: int) -> Sum:
        """dkernel[c, f] = Σ_n x[n, c] · dz[n, f]"""
        n, letters = self.rows()
        products = Part("samples", (self.x.at(*n, c), self.dy.at(*n, f)))
        summed = f"Σ_{''.join(letters)} {self.x.written(*letters, c)} · {self.dy.written(*letters, f)}"
        return Sum(f"dkernel[{c}, {f}] = {summed}", (products,))

    def bias_gradient(self, f: int) -> Sum:
        """dbias[f] = Σ_n dz[n, f]"""
        n, letters = self.rows()
        formula = f"dbias[{f}] = Σ_{''.join(letters)} {self.dy.written(*letters, f)}"
        return Sum(formula, (Part("samples", (self.dy.at(*n, f),)),))

    def rows(self) -> tuple[tuple[np.ndarray, ...], list[Any]]:
        """The indices of all rows of x, and a letter for each of their axes."""
        lengths = self.x.shape[:-1]
        return every(*lengths), list("npqrst"[: len(lengths)])
