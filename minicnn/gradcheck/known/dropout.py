"""Dropout: some entries become zero, the others are multiplied by a constant."""

from __future__ import annotations

from functools import partial

import numpy as np

from .base import Array, Arrays, Operation, Proposals, Recognised, View, same


class Dropout(Operation):
    """y = x · mask, where the mask has zeros and one other number, `scale`."""

    family = "dropout"

    def __init__(self, arrays: Arrays, mask: Array, scale: float) -> None:
        self.x, self.mask, self.scale = arrays["x"], mask, scale
        self.samples = len(self.x)
        self.y = self.x * mask

    def pull(self, dz: Array) -> dict[str, Array]:
        return {"x": dz * self.mask}


def recognise(arrays: Arrays, y: Array) -> Proposals:
    """One array whose entries either vanish or grow by one factor, whatever their sign."""
    if len(arrays) != 1:
        return
    ((name, x),) = arrays.items()
    if y.shape != x.shape or not x.all():
        return
    ratio = y / x
    kept = ratio != 0
    if kept.all() or not kept.any() or np.ptp(ratio[kept]) > 1e-9 * ratio[kept].max() or ratio[kept].min() < 0:
        return
    if np.array_equal(kept, x > 0) or np.array_equal(kept, x < 0):
        return  # a ReLU
    scale = float(ratio[kept][0])
    mask = kept * scale
    if same(x * mask, y):
        yield Recognised("dropout", partial(Dropout, mask=mask, scale=scale), {name: ("x", View())}, View())
