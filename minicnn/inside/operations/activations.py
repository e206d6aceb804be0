"""Activations: who was let through, and by which slope."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backends import to_device, to_host
from ...layers import Layer
from ..products import Factor, Part, Sum, number
from .base import Operation

SLOPES = {"linear": "1", "relu": "[y > 0]", "sigmoid": "y · (1 − y)", "tanh": "(1 − y²)"}
"""The derivatives that are functions of the output y."""


class Activation(Operation):
    """An activation by its name; x is called z and dx dz if it stands at the end of another operation."""

    page = "operations/activations.html"

    @property
    def name(self) -> str:
        """ "relu", "gelu"."""
        return self.layer.curve[0] if self.layer.curve else self.layer.activation

    def forward(self, *index: int) -> Sum:
        """y = activation(x), element by element; y = eˣ / Σ eˣ for softmax"""
        if self.name == "softmax":
            return self.softmax(*index)
        x, y, name = self.x.at(*index), self.y.at(*index), self.name
        formula = f"{self.y.written(*index)} = {name}({self.x.written(*index)})"
        if name in ("linear", "relu"):
            return Sum(formula, (Part("element", (x, number("let through", x.values > 0 if name == "relu" else 1))),))
        return Sum(formula, (Part("element", (Factor(f"{name}({self.x.name})", y.values, x.positions),)),))

    def backward(self, *index: int) -> Sum:
        """dx = dy · activation′; dx_k = Σ_j dy_j · y_j · ([j = k] − y_k) for softmax"""
        if self.name == "softmax":
            return self.softmax_backward(*index)
        slopes = slopes_of(self.layer, self.y.values)
        slope = SLOPES.get(self.name, f"{self.name}′({self.x.written(*index)})")
        formula = f"{self.dx.written(*index)} = {self.dy.written(*index)} · {slope}"
        return Sum(formula, (Part("element", (self.dy.at(*index), number("slope", slopes[index]))),))

    @property
    def axis(self) -> int:
        """The axis that softmax normalises."""
        return getattr(self.layer, "axis", -1) % self.y.values.ndim

    def row(self, index: tuple[int, ...], letter: Any) -> list[Any]:
        """The index with `letter` on softmax's axis."""
        return [letter if axis == self.axis else i for axis, i in enumerate(index)]

    def softmax(self, *index: int) -> Sum:
        """y_k = e^x_k / Σ_j e^x_j; the row's maximum is subtracted from both, so that nothing overflows"""
        every = self.x.at(*self.row(index, np.arange(self.x.shape[self.axis])))
        x, largest = self.x.at(*index), every.values.max()
        power = Factor(f"e^({self.x.name} − max)", np.exp(x.values - largest), x.positions)
        total = number(f"1 / Σ e^({self.x.name} − max)", 1 / np.exp(every.values - largest).sum())
        formula = f"e^{self.x.written(*index)} / Σ_j e^{self.x.written(*self.row(index, 'j'))}"
        return Sum(f"{self.y.written(*index)} = {formula}", (Part("row", (power, total)),))

    def softmax_backward(self, *index: int) -> Sum:
        """dx_k = dy_k · y_k − y_k · Σ_j dy_j · y_j"""
        row = self.row(index, np.arange(self.y.shape[self.axis]))
        own = Part("direct", (self.dy.at(*index), self.y.at(*index)))
        others = Part("through the sum", (self.dy.at(*row), self.y.at(*row), self.y.at(*index), number("−1", -1)))
        j = self.row(index, "j")
        dy, y = self.dy.written(*index), self.y.written(*index)
        summed = f"{y} · Σ_j {self.dy.written(*j)} · {self.y.written(*j)}"
        return Sum(f"{self.dx.written(*index)} = {dy} · {y} − {summed}", (own, others))


class GeneralReLU(Operation):
    """Keras's ReLU: slope 1 between threshold and max_value, negative_slope below, 0 above."""

    page = "operations/activations.html"

    def forward(self, *index: int) -> Sum:
        """y = slope · x + offset, where max_value and a threshold with a negative_slope give offsets"""
        x, slope = self.x.at(*index), self.slope(index)
        largest, threshold = self.layer.max_value, self.layer.threshold
        offset = -slope * threshold if x.values[0] <= threshold else 0.0
        if largest is not None and x.values[0] >= largest:
            offset = largest
        parts = (Part("element", (x, number("slope", slope))), Part("offset", (number("offset", offset),)))
        return Sum(f"{self.y.written(*index)} = slope · {self.x.written(*index)} + offset", parts)

    def backward(self, *index: int) -> Sum:
        """dx = dy · slope"""
        products = Part("element", (self.dy.at(*index), number("slope", self.slope(index))))
        return Sum(f"{self.dx.written(*index)} = {self.dy.written(*index)} · slope", (products,))

    def slope(self, index: tuple[int, ...]) -> float:
        return float(slopes_of(self.layer, self.y.values)[index])


def slopes_of(layer: Layer, like: np.ndarray) -> np.ndarray:
    """The derivatives at all elements: the layer's own backward of a dy of ones."""
    return to_host(layer.call_backward(to_device(np.ones_like(like)), need_dx=True))
