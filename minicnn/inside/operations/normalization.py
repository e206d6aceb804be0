"""Batch normalisation: an input acts directly, through the batch's mean, and through the batch's variance."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..products import Factor, Part, Stored, Sum, every, number
from .base import Element, Operation


class BatchNorm(Operation):
    """x (..., C) with the channels moved to the end; M numbers for each channel."""

    page = "operations/batch-normalization.html"

    def __init__(self, layer: Any, arrays: dict[str, Stored]) -> None:
        axes = list(range(arrays["x"].values.ndim))
        axes[layer.axis], axes[-1] = axes[-1], axes[layer.axis]  # the same exchange there and back
        swapped = {name: Stored(arrays[name].name, arrays[name].values, axes) for name in ("x", "y", "dx", "dy")}
        super().__init__(layer, arrays | swapped)
        C = self.x.shape[-1]
        self.gamma = arrays.get("gamma") or Stored("gamma", np.ones(C))  # scale=False
        self.beta = arrays.get("beta") or Stored("beta", np.zeros(C))  # center=False
        self.uses_batch = layer.trainable

    def elements(self) -> dict[str, Element]:
        found = super().elements()
        if self.layer.scale:
            found["gamma"] = Element(self.arrays["dgamma"], self.gamma_gradient)
        if self.layer.center:
            found["beta"] = Element(self.arrays["dbeta"], self.beta_gradient)
        return found

    def forward(self, *index: int) -> Sum:
        """y = gamma[c] · (x − mean[c]) · 1 / std[c] + beta[c]"""
        c = index[-1]
        x, mean, inverse_std = self.x.at(*index), *self.statistics(c)
        centred = Factor("x − mean", x.values - mean, x.positions)
        normalized = Part("normalised", (self.gamma.at(c), centred, number("1 / std", inverse_std)))
        formula = f"{self.y.written(*index)} = gamma[{c}] · ({self.x.written(*index)} − mean) / std + beta[{c}]"
        return Sum(formula, (normalized, Part("beta", (self.beta.at(c),))))

    def backward(self, *index: int) -> Sum:
        """dx = gamma / std · (dy − Σ dy / M − x̂ · Σ dy·x̂ / M); only the first with moving statistics"""
        c = index[-1]
        n, M = self.numbers()
        own, x_hat = self.normalized(*index), self.normalized(*n, c)
        scale = (self.gamma.at(c), number("1 / std", self.statistics(c)[1]))
        direct = Part("direct", (self.dy.at(*index), *scale))
        formula = f"{self.dx.written(*index)} = gamma[{c}] / std · {self.dy.written(*index)}"
        if not self.uses_batch:
            return Sum(formula, (direct,))
        share = number("−1 / M", -1 / M)
        mean = Part("through the mean", (self.dy.at(*n, c), *scale, share))
        variance = Part("through the variance", (self.dy.at(*n, c), x_hat, own, *scale, share))
        formula = (
            f"{self.dx.written(*index)} = gamma[{c}] / std · ({self.dy.written(*index)} − Σ dy / M − x̂ · Σ dy·x̂ / M)"
        )
        return Sum(f"{formula}, M = {M}", (direct, mean, variance))

    def gamma_gradient(self, c: int) -> Sum:
        """dgamma[c] = Σ dy · x̂"""
        n, _ = self.numbers()
        products = Part("positions", (self.dy.at(*n, c), self.normalized(*n, c)))
        return Sum(f"dgamma[{c}] = Σ dy · x̂, over all positions of channel {c}", (products,))

    def beta_gradient(self, c: int) -> Sum:
        """dbeta[c] = Σ dy"""
        n, _ = self.numbers()
        return Sum(f"dbeta[{c}] = Σ dy, over all positions of channel {c}", (Part("positions", (self.dy.at(*n, c),)),))

    def numbers(self) -> tuple[tuple[np.ndarray, ...], int]:
        """The indices of a channel's numbers, and how many there are."""
        n = every(*self.x.shape[:-1])
        return n, len(n[0])

    def statistics(self, c: int) -> tuple[float, float]:
        """The mean and 1 / std that normalised channel c."""
        if self.uses_batch:
            x = self.x.at(*self.numbers()[0], c).values
            mean, variance = x.mean(), x.var()
        else:
            mean, variance = (float(self.arrays[name].values[c]) for name in ("moving_mean", "moving_variance"))
        return float(mean), float(1 / np.sqrt(variance + self.layer.epsilon))

    def normalized(self, *index: int | np.ndarray) -> Factor:
        """x̂ = (x − mean) / std at these positions of one channel."""
        x, (mean, inverse_std) = self.x.at(*index), self.statistics(int(index[-1]))
        return Factor("x̂", (x.values - mean) * inverse_std, x.positions)
