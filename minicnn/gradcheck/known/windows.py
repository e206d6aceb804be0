"""Sliding windows: what convolution and pooling have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from .base import Array

Pair = tuple[int, int]


@dataclass(frozen=True)
class Windows:
    """Where the windows of an image lie: row p, column q begins at padded pixel (p · SH, q · SW)."""

    size: Pair
    strides: Pair
    padding: Pair
    """Rows above and columns left of the image."""
    outputs: Pair

    def padded(self, x: Array, fill: float = 0.0) -> Array:
        """x (N, H, W, C) with the padding on all sides, and enough at the end for all windows."""
        ends = [
            max(p, (n - 1) * s + k - p - length)
            for p, n, s, k, length in zip(
                self.padding, self.outputs, self.strides, self.size, x.shape[1:3], strict=True
            )
        ]
        amounts = ((0, 0), *((p, end) for p, end in zip(self.padding, ends, strict=True)), (0, 0))
        return np.pad(x, amounts, constant_values=fill)

    def columns(self, x: Array, fill: float = 0.0) -> Array:
        """Every window side by side: (N, OH, OW, KH, KW, C)."""
        return self.cut(self.padded(x, fill))

    def cut(self, padded: Array) -> Array:
        """The windows of a padded image."""
        view = np.lib.stride_tricks.sliding_window_view(padded, self.size, axis=(1, 2))
        (SH, SW), (OH, OW) = self.strides, self.outputs
        return view[:, ::SH, ::SW][:, :OH, :OW].transpose(0, 1, 2, 4, 5, 3)

    def scatter(self, dcolumns: Array, x: Array) -> Array:
        """The way back: every pixel sums over all windows that contain it (col2im), padding removed."""
        dpadded = np.zeros(self.padded(x).shape, dcolumns.dtype)
        for (p, q), rows, cols in self.places():
            dpadded[:, rows, cols] += dcolumns[:, p, q]
        return self.crop(dpadded, x)

    def crop(self, dpadded: Array, x: Array) -> Array:
        (top, left), (H, W) = self.padding, x.shape[1:3]
        return dpadded[:, top : top + H, left : left + W]

    def places(self) -> Iterator[tuple[Pair, slice, slice]]:
        """Each window's index (p, q), rows and columns, row by row."""
        (KH, KW), (SH, SW) = self.size, self.strides
        for p, q in product(*map(range, self.outputs)):
            yield (p, q), slice(p * SH, p * SH + KH), slice(q * SW, q * SW + KW)

    def but(self, **changes: Pair) -> Windows:
        return replace(self, **changes)

    def __str__(self) -> str:
        strides = self.strides[0] if self.strides[0] == self.strides[1] else self.strides
        padding = self.padding[0] if self.padding[0] == self.padding[1] else self.padding
        return f"{self.size[0]}×{self.size[1]} windows, stride {strides}, padding {padding}"


def along(length: int, size: int, outputs: int) -> Iterator[tuple[int, int]]:
    """The strides and paddings of one axis that give so many outputs, common ones first."""
    for padding in sorted(range(size), key=lambda p: (p != 0, p != size // 2, p)):
        for stride in range(1, max(length, 2) + 1):
            if outputs == 1 and stride not in (1, size):
                continue
            exact = (length + 2 * padding - size) // stride + 1 == outputs and length + 2 * padding >= size
            total = max((outputs - 1) * stride + size - length, 0)
            tensorflow = -(-length // stride) == outputs and padding == total // 2
            if exact or tensorflow:
                yield stride, padding
