"""Flatten: the same numbers in another shape."""

from __future__ import annotations

import numpy as np

from ..products import Part, Sum
from .base import Operation


class Flatten(Operation):
    page = "operations/dense.html"

    def forward(self, n: int, k: int) -> Sum:
        """y[n, k] = x[n, …], the k-th number of the sample in C order"""
        place = np.unravel_index(k, self.x.shape[1:])
        return Sum(f"{self.y.written(n, k)} = {self.x.written(n, *place)}", (Part("element", (self.x.at(n, *place),)),))

    def backward(self, n: int, *place: int) -> Sum:
        """dx[n, …] = dy[n, k]"""
        k = int(np.ravel_multi_index(place, self.x.shape[1:]))
        return Sum(f"{self.dx.written(n, *place)} = {self.dy.written(n, k)}", (Part("element", (self.dy.at(n, k),)),))
