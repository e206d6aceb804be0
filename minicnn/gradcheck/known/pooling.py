"""Pooling: each window becomes its largest entry or its mean, each channel on its own, in any layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import numpy as np

from .base import Array, Arrays, Operation, Proposals, Recognised, View, same
from .windows import Windows, along


class Pooling(Operation):
    """x (N, H, W, C) -> y (N, OH, OW, C)."""

    def __init__(self, arrays: Arrays, windows: Windows) -> None:
        self.x, self.windows = arrays["x"], windows
        self.samples = len(self.x)


class MaxPooling(Pooling):
    """y = the largest entry of each window, of its first if there are several."""

    family = "max pooling"

    def __init__(self, arrays: Arrays, windows: Windows) -> None:
        super().__init__(arrays, windows)
        columns = windows.columns(self.x, fill=-np.inf)
        self.cells = columns.reshape(*columns.shape[:3], -1, columns.shape[5])  # (N, OH, OW, KH·KW, C)
        self.y = self.cells.max(axis=3)

    def place(self, winner: Array, dy: Array) -> Array:
        """dy at the winners' cells: winner (N, OH, OW, C) -> dcolumns (N, OH, OW, KH, KW, C)."""
        dcells = np.zeros(self.cells.shape)
        np.put_along_axis(dcells, winner[:, :, :, None], dy[:, :, :, None], axis=3)
        return self.as_columns(dcells)

    def as_columns(self, dcells: Array) -> Array:
        return dcells.reshape(*dcells.shape[:3], *self.windows.size, dcells.shape[-1])

    def pull(self, dz: Array) -> dict[str, Array]:
        return {"x": self.windows.scatter(self.place(self.cells.argmax(axis=3), dz), self.x)}


class AveragePooling(Pooling):
    """y = the mean of each window; `counted` says whether the zeros of the padding count as entries."""

    family = "average pooling"

    def __init__(self, arrays: Arrays, windows: Windows, counted: bool = False) -> None:
        super().__init__(arrays, windows)
        self.counted = counted
        columns = windows.columns(self.x)
        inside = windows.columns(np.ones((1, *self.x.shape[1:3], 1)))
        self.inside = np.ones_like(inside) if counted else inside
        self.weights = self.inside / self.inside.sum(axis=(3, 4), keepdims=True)
        self.y = (columns * self.weights).sum(axis=(3, 4))

    def pull(self, dz: Array) -> dict[str, Array]:
        return {"x": self.windows.scatter(dz[:, :, :, None, None] * self.weights, self.x)}


def recognise(arrays: Arrays, y: Array) -> Proposals:
    """One image or sequence, whose samples and channels stay."""
    if len(arrays) != 1:
        return
    ((name, x),) = arrays.items()
    if x.ndim not in (3, 4):
        return
    insert = "image" if x.ndim == 3 else "same"
    for channels in (tuple(range(x.ndim)), (0, *range(2, x.ndim), 1)):
        view = View(channels, insert)
        cx = view.to(x)
        N, H, W, C = cx.shape
        if y.ndim == 2 and y.shape == (N, C):  # global pooling
            view_y, outputs = View(None, "pixel"), (1, 1)
            cy = y.reshape(N, 1, 1, C)
        elif y.ndim == x.ndim:
            view_y = view
            cy = view.to(y)
            outputs = cy.shape[1:3]
        else:
            continue
        if (len(cy), cy.shape[3]) != (N, C) or outputs == (H, W):
            continue
        for windows in sorted(_possible(H, W, outputs), key=_unlike):
            for family, make in _kinds(cx, cy, windows):
                layout = "channels last" if channels[-1] == x.ndim - 1 else "channels first"
                yield Recognised(f"{family}, {layout}, {windows}", make, {name: ("x", view)}, view_y)


def _kinds(x: Array, y: Array, windows: Windows) -> Iterator[tuple[str, Callable[[Arrays], Operation]]]:
    """The kinds of pooling that make y of x with these windows."""
    if same(windows.columns(x, fill=-np.inf).max(axis=(3, 4)), y):
        yield MaxPooling.family, partial(MaxPooling, windows=windows)
    for counted in (False, True):
        make = partial(AveragePooling, windows=windows, counted=counted)
        if same(make({"x": x}).y, y):
            yield AveragePooling.family, make


def _possible(H: int, W: int, outputs: tuple[int, int]) -> list[Windows]:
    rows, columns = (
        [(k, *option) for k in range(1, length + 1) for option in along(length, k, n) if k <= max(5, length // n + 1)]
        for length, n in zip((H, W), outputs, strict=True)
    )
    return [
        Windows((KH, KW), (SH, SW), (top, left), outputs)
        for (KH, SH, top), (KW, SW, left) in product(rows, columns)
        if top < KH and left < KW and (KH, KW) != (1, 1)
    ]


def _unlike(windows: Windows) -> tuple[bool, bool, int, int]:
    """Sorts square windows without padding, one beside the other, first."""
    (KH, KW), (SH, SW), padding = windows.size, windows.strides, windows.padding
    return KH != KW or SH != SW or padding[0] != padding[1], (KH, KW) != (SH, SW), sum(padding), KH + KW
