"""Dropout and data augmentation: a random linear map, whose matrix J is read off the layer's own pair of operations."""

from __future__ import annotations

from copy import copy

import numpy as np

from ...backends import to_device, to_host
from ..products import Part, Stored, Sum, number
from .base import Operation


class RandomMap(Operation):
    """y = J · x + offset with the J of the run; the offset is what empty places are filled with."""

    page = "api.html"

    def forward(self, *index: int) -> Sum:
        """y[index] = Σ J[index, k] · x[k] + offset[index]"""
        products = self.products(self.x, self.transposed(one_at(index, self.y)))
        offset = Part("filling", (number("offset", self.map(np.zeros_like(self.x.values))[index]),))
        return Sum(f"{self.y.written(*index)} = Σ J · x + offset", (products, offset))

    def backward(self, *index: int) -> Sum:
        """dx[index] = Σ J[k, index] · dy[k]"""
        offset = self.map(np.zeros_like(self.x.values))
        products = self.products(self.dy, self.map(one_at(index, self.x)) - offset)
        return Sum(f"{self.dx.written(*index)} = Σ Jᵀ · dy", (products,))

    def products(self, array: Stored, weights: np.ndarray) -> Part:
        """The array's elements times their weights, where these are not 0."""
        place = np.nonzero(weights)
        return Part("elements", (array.at(*place), number("J", weights[place])))

    def map(self, x: np.ndarray) -> np.ndarray:
        """J · x + offset, with the random numbers of the run."""
        if not self.layer.changing:
            return x
        again = copy(self.layer)
        again.ops, again.calls = self.layer.ops, self.layer.calls - 1
        return to_host(again.draw(to_device(x))[0])

    def transposed(self, dy: np.ndarray) -> np.ndarray:
        """Jᵀ · dy."""
        return to_host(self.layer.call_backward(to_device(dy), need_dx=True))


class Dropout(RandomMap):
    """J is diagonal, so a mask: 0 for what was dropped, else 1 / (1 − rate)."""

    page = "operations/dropout.html"

    def forward(self, *index: int) -> Sum:
        """y = x · mask"""
        products = Part("element", (self.x.at(*index), number("mask", self.mask(index))))
        return Sum(f"{self.y.written(*index)} = {self.x.written(*index)} · mask", (products,))

    def backward(self, *index: int) -> Sum:
        """dx = dy · mask"""
        products = Part("element", (self.dy.at(*index), number("mask", self.mask(index))))
        return Sum(f"{self.dx.written(*index)} = {self.dy.written(*index)} · mask", (products,))

    def mask(self, index: tuple[int, ...]) -> float:
        return float(self.transposed(np.ones_like(self.y.values))[index])


def one_at(index: tuple[int, ...], like: Stored) -> np.ndarray:
    """Zeros of an array's shape and dtype, and a 1 at this index."""
    array = np.zeros_like(like.values)
    array[index] = 1
    return array
