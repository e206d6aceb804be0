"""Layers that join branches: which input reached the output, and which share of dy goes back to each."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..products import Factor, Part, Stored, Sum, number
from .base import Element, Operation


class Merge(Operation):
    """Inputs x1, x2, … of one shape; the gradients with respect to them are dx1, dx2, …"""

    page = "api.html"

    def __init__(self, layer: Any, arrays: dict[str, Stored]) -> None:
        self.layer = layer
        self.y, self.dy = arrays["y"], arrays["dy"]
        self.inputs = [arrays[f"x{k}"] for k in range(1, len(arrays)) if f"x{k}" in arrays]
        self.gradients = [arrays[f"dx{k}"] for k in range(1, len(self.inputs) + 1)]

    def elements(self) -> dict[str, Element]:
        backwards = {dx.name: Element(dx, partial(self.backward, k)) for k, dx in enumerate(self.gradients)}
        return {"y": Element(self.y, self.forward)} | backwards


class Sums(Merge):
    """Add, Subtract and Average: y is a sum of the inputs, each times a number."""

    def forward(self, *index: int) -> Sum:
        """y = Σ_k weight_k · x_k"""
        parts = [Part(x.name, (x.at(*index), self.weight(k))) for k, x in enumerate(self.inputs)]
        return Sum(f"{self.y.written(*index)} = Σ_k weight_k · x_k", tuple(parts))

    def backward(self, k: int, *index: int) -> Sum:
        """dx_k = weight_k · dy"""
        products = Part("element", (self.dy.at(*index), self.weight(k)))
        return Sum(f"{self.gradients[k].written(*index)} = weight · {self.dy.written(*index)}", (products,))

    def weight(self, k: int) -> Factor:
        """1; −1 for what is subtracted; 1 / n in a mean of n inputs."""
        sign = -1 if k and getattr(self.layer, "rule", "") == "subtract" else 1
        return number("weight", sign * float(getattr(self.layer, "share", 1)))


class Product(Merge):
    """Multiply: each input's gradient is dy times the other inputs."""

    def forward(self, *index: int) -> Sum:
        """y = x1 · x2 · …"""
        products = Part("element", tuple(x.at(*index) for x in self.inputs))
        return Sum(f"{self.y.written(*index)} = {' · '.join(x.written(*index) for x in self.inputs)}", (products,))

    def backward(self, k: int, *index: int) -> Sum:
        """dx_k = dy · the other inputs"""
        others = [x for j, x in enumerate(self.inputs) if j != k]
        formula = " · ".join(array.written(*index) for array in (self.dy, *others))
        products = Part("element", tuple(array.at(*index) for array in (self.dy, *others)))
        return Sum(f"{self.gradients[k].written(*index)} = {formula}", (products,))


class Extreme(Merge):
    """Maximum and Minimum: the factor `won` is 1 for the input that y is equal to, the first of equal ones."""

    def forward(self, *index: int) -> Sum:
        """y = max_k x_k, a sum of which only the winner is left"""
        parts = [
            Part(x.name, (x.at(*index), number("won", self.winner(index) == k))) for k, x in enumerate(self.inputs)
        ]
        return Sum(f"{self.y.written(*index)} = {self.layer.rule} of x_k", tuple(parts))

    def backward(self, k: int, *index: int) -> Sum:
        """dx_k = dy for the input that won, else 0"""
        products = Part("element", (self.dy.at(*index), number("won", self.winner(index) == k)))
        return Sum(f"{self.gradients[k].written(*index)} = {self.dy.written(*index)} if it won", (products,))

    def winner(self, index: tuple[int, ...]) -> int:
        values = [x.values[index] for x in self.inputs]
        return int(np.argmax(values) if self.layer.rule == "maximum" else np.argmin(values))


class Concatenate(Merge):
    """The inputs side by side along an axis: every element of y is one of theirs."""

    def forward(self, *index: int) -> Sum:
        """y[…, c] = x_k[…, c − start_k], where start_k is the length of the inputs before it"""
        axis = self.layer.axis % self.y.values.ndim
        ends = np.cumsum([x.shape[axis] for x in self.inputs])
        k = int(np.searchsorted(ends, index[axis], side="right"))
        place = self.moved(index, k, -1)
        x = self.inputs[k]
        return Sum(f"{self.y.written(*index)} = {x.written(*place)}", (Part(x.name, (x.at(*place),)),))

    def backward(self, k: int, *index: int) -> Sum:
        """dx_k[…, c] = dy[…, c + start_k]"""
        place = self.moved(index, k, 1)
        formula = f"{self.gradients[k].written(*index)} = {self.dy.written(*place)}"
        return Sum(formula, (Part("element", (self.dy.at(*place),)),))

    def moved(self, index: tuple[int, ...], k: int, sign: int) -> list[int]:
        """The index, moved along the axis by the length of the inputs before input k."""
        axis, place = self.layer.axis % self.y.values.ndim, list(index)
        place[axis] += sign * sum(x.shape[axis] for x in self.inputs[:k])
        return place
