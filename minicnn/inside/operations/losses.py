"""Losses: the sum over samples and outputs, and the gradient with which backpropagation starts."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..products import Part, Stored, Sum, every, number
from .base import Element

EPSILON = 1e-7
"""The textbook's guard: probabilities are kept in [EPSILON, 1 − EPSILON] before their logarithm is taken."""


class LossOperation:
    """prediction (N, …) and target of its shape -> loss (), and the gradient dprediction."""

    page: ClassVar[str]
    """The documentation's page about it."""

    predicts: ClassVar[str]
    """What the contract calls its prediction."""

    def __init__(self, prediction: np.ndarray, target: np.ndarray, value: np.ndarray, gradient: np.ndarray) -> None:
        self.prediction, self.gradient = Stored(self.predicts, prediction), Stored(f"d{self.predicts}", gradient)
        self.target, self.value = Stored("target", target), Stored("loss", value)

    def elements(self) -> dict[str, Element]:
        return {"loss": Element(self.value, self.forward), self.gradient.name: Element(self.gradient, self.backward)}

    def forward(self) -> Sum:
        """The sum for the loss."""
        raise NotImplementedError

    def backward(self, *index: int) -> Sum:
        """The sum for dprediction[index]."""
        raise NotImplementedError

    @property
    def samples(self) -> int:
        """How many rows the mean is taken over."""
        return self.prediction.values.size // self.prediction.shape[-1]

    def row(self, index: tuple[int, ...]) -> list[Any]:
        """All outputs of the element's sample."""
        return [*index[:-1], np.arange(self.prediction.shape[-1])]


class SoftmaxCrossentropy(LossOperation):
    """On logits z, with p = softmax(z)."""

    page = "operations/softmax-crossentropy.html"
    predicts = "logits"

    def forward(self) -> Sum:
        """loss = −1 / N · Σ target · log p"""
        place, share = every(*self.prediction.shape), number("−1 / N", -1 / self.samples)
        log_p = number("log p", log_softmax(self.prediction.values)[place])
        return Sum("loss = −1/N · Σ target · log p", (Part("outputs", (self.target.at(*place), log_p, share)),))

    def backward(self, *index: int) -> Sum:
        """dz = (p · Σ target − target) / N: p − y over N for a target that sums to 1"""
        N = self.samples
        p = number("p", np.exp(log_softmax(self.prediction.values))[index])
        total = number("Σ target", self.target.at(*self.row(index)).values.sum())
        wanted = Part("−target / N", (self.target.at(*index), number("−1 / N", -1 / N)))
        formula = f"{self.gradient.written(*index)} = ({p_of(index)} − {self.target.written(*index)}) / {N}"
        return Sum(formula, (Part("p / N", (p, total, number("1 / N", 1 / N))), wanted))


class Crossentropy(LossOperation):
    """On probabilities p, which are normalised and clipped first: q = clip(p / Σ p)."""

    page = "operations/losses.html"
    predicts = "probabilities"

    def forward(self) -> Sum:
        """loss = −1 / N · Σ target · log q"""
        place, share = every(*self.prediction.shape), number("−1 / N", -1 / self.samples)
        log_q = number("log q", np.log(self.normalized()[0])[place])
        return Sum("loss = −1/N · Σ target · log q", (Part("outputs", (self.target.at(*place), log_q, share)),))

    def backward(self, *index: int) -> Sum:
        """dp_k = −target_k / (q_k · N · Σ p) + Σ_j target_j / (N · Σ p), without those that were clipped"""
        q, inside, total = (array[tuple(self.row(index))] for array in self.normalized())
        k, N = index[-1], self.samples
        scale = number("1 / (N · Σ p)", 1 / (N * total[0]))
        direct = (self.target.at(*index), number("−1 / q", -float(inside[k]) / q[k]), scale)
        others = (self.target.at(*self.row(index)), number("inside", inside), scale)
        formula = f"{self.gradient.written(*index)} = (Σ target − {self.target.written(*index)} / q) / (N · Σ p)"
        return Sum(formula, (Part("direct", direct), Part("through the normalisation", others)))

    def normalized(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """q, where it was not clipped, and Σ p for every element; all of p's shape."""
        p = self.prediction.values.astype(np.float64)
        total = np.broadcast_to(p.sum(axis=-1, keepdims=True), p.shape)
        q = p / total
        inside = (q >= EPSILON) & (q <= 1 - EPSILON)
        return np.clip(q, EPSILON, 1 - EPSILON), inside, total


class SigmoidCrossentropy(LossOperation):
    """Binary cross-entropy on logits z, with p = sigmoid(z)."""

    page = "operations/losses.html"
    predicts = "logits"

    def forward(self) -> Sum:
        """loss = 1 / numbers · Σ log(1 + eᶻ) − target · z"""
        place, count = every(*self.prediction.shape), self.prediction.values.size
        rest = number("log(1 + eᶻ)", np.logaddexp(0, self.prediction.values.astype(np.float64))[place])
        wanted = (self.target.at(*place), self.prediction.at(*place), number("−1 / numbers", -1 / count))
        parts = (Part("outputs", (rest, number("1 / numbers", 1 / count))), Part("targets", wanted))
        return Sum("loss = mean (log(1 + eᶻ) − target · z)", parts)

    def backward(self, *index: int) -> Sum:
        """dz = (p − target) / numbers"""
        count = self.prediction.values.size
        p = number("p", 1 / (1 + np.exp(-self.prediction.values[index].astype(np.float64))))
        wanted = Part("target", (self.target.at(*index), number("−1 / numbers", -1 / count)))
        formula = f"{self.gradient.written(*index)} = ({p_of(index)} − {self.target.written(*index)}) / {count}"
        return Sum(formula, (Part("p", (p, number("1 / numbers", 1 / count))), wanted))


class BinaryCrossentropy(LossOperation):
    """On probabilities p, which are clipped first."""

    page = "operations/losses.html"
    predicts = "probabilities"

    def forward(self) -> Sum:
        """loss = −1 / numbers · Σ target · log p + (1 − target) · log (1 − p)"""
        place, p = every(*self.prediction.shape), self.clipped()[0]
        share = number("−1 / numbers", -1 / p.size)
        yes = (self.target.at(*place), number("log p", np.log(p)[place]), share)
        no = (number("1 − target", 1 - self.target.values[place]), number("log (1 − p)", np.log(1 - p)[place]), share)
        return Sum("loss = −mean (target · log p + (1 − target) · log (1 − p))", (Part("yes", yes), Part("no", no)))

    def backward(self, *index: int) -> Sum:
        """dp = (p − target) / (p · (1 − p) · numbers), 0 where p was clipped"""
        p, inside = (array[index] for array in self.clipped())
        scale = number("1 / (p · (1 − p) · numbers)", float(inside) / (p * (1 - p) * self.prediction.values.size))
        wanted = Part("target", (self.target.at(*index), number("−1", -1), scale))
        formula = (
            f"{self.gradient.written(*index)} = ({p_of(index)} − {self.target.written(*index)}) / (p · (1 − p) · E)"
        )
        return Sum(formula, (Part("p", (number("p", p), scale)), wanted))

    def clipped(self) -> tuple[np.ndarray, np.ndarray]:
        """p, and where it was not clipped."""
        p = self.prediction.values.astype(np.float64)
        return np.clip(p, EPSILON, 1 - EPSILON), (p >= EPSILON) & (p <= 1 - EPSILON)


class MeanAbsoluteError(LossOperation):
    page = "operations/losses.html"
    predicts = "prediction"

    def forward(self) -> Sum:
        """loss = 1 / numbers · Σ |prediction − target|"""
        place = every(*self.prediction.shape)
        error = np.abs(self.prediction.at(*place).values - self.target.at(*place).values)
        parts = (Part("outputs", (number("|y − target|", error), number("1 / numbers", 1 / error.size))),)
        return Sum("loss = mean |y − target|", parts)

    def backward(self, *index: int) -> Sum:
        """dprediction = 1 / numbers · sign(prediction − target)"""
        sign = np.sign(float(self.prediction.values[index]) - float(self.target.values[index]))
        scale = number("1 / numbers", 1 / self.prediction.values.size)
        formula = f"{self.gradient.written(*index)} = sign(y − target) / {self.prediction.values.size}"
        return Sum(formula, (Part("prediction", (number("sign(y − target)", sign), scale)),))


class MeanSquaredError(LossOperation):
    page = "operations/losses.html"
    predicts = "prediction"

    def forward(self) -> Sum:
        """loss = 1 / numbers · Σ (prediction − target)²"""
        place = every(*self.prediction.shape)
        error = self.prediction.at(*place).values - self.target.at(*place).values
        squares = Part("outputs", (number("(y − target)²", error**2), number("1 / numbers", 1 / error.size)))
        return Sum("loss = mean (y − target)²", (squares,))

    def backward(self, *index: int) -> Sum:
        """dprediction = 2 / numbers · (prediction − target)"""
        scale = number("2 / numbers", 2 / self.prediction.values.size)
        wanted = Part("target", (self.target.at(*index), number("−1", -1), scale))
        difference = f"{self.prediction.written(*index)} − {self.target.written(*index)}"
        formula = f"{self.gradient.written(*index)} = 2 / {self.prediction.values.size} · ({difference})"
        return Sum(formula, (Part("prediction", (self.prediction.at(*index), scale)), wanted))


def log_softmax(z: np.ndarray) -> np.ndarray:
    """log softmax along the last axis, in float64."""
    shifted = z.astype(np.float64) - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def p_of(index: tuple[int, ...]) -> str:
    return f"p[{', '.join(map(str, index))}]"
