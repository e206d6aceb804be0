"""Depthwise convolution: each channel has a kernel of its own, as in a convolution whose other weights are 0."""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np

from .base import Array, Arrays, Proposals, Recognised, View, activation_between
from .convolution import Convolution, unlike
from .windows import Windows, along

LAST, FIRST = (0, 1, 2, 3), (0, 2, 3, 1)


class _Diagonal(View):
    """A kernel (KH, KW, C), after transposing, as the convolution's (KH, KW, C, C): 0 off the diagonal."""

    def to(self, array: Array) -> Array:
        kernel = array.transpose(self.order)[:, :, :, None] if array.ndim == 3 else array.transpose(self.order)
        return kernel * np.eye(kernel.shape[2])

    def back(self, array: Array, shape: tuple[int, ...]) -> Array:
        return super().back(np.diagonal(array, axis1=2, axis2=3), shape)


KERNELS = {
    LAST: (_Diagonal((0, 1, 2)), _Diagonal((0, 1, 2, 3))),
    FIRST: (_Diagonal((1, 2, 0)), _Diagonal((2, 3, 0, 1))),
}
"""For channels last (KH, KW, C) and (KH, KW, C, 1), for channels first (C, KH, KW) and (C, 1, KH, KW)."""


def recognise(arrays: Arrays, y: Array) -> Proposals:
    """Images, a kernel for each channel, and perhaps a bias for each."""
    (x, *others) = arrays
    kernels = [name for name in others if arrays[name].ndim in (3, 4)]
    if arrays[x].ndim != 4 or y.ndim != 4 or len(kernels) != 1 or len(others) > 2:
        return
    (kernel,) = kernels
    biases = [name for name in others if name != kernel]
    for channels, views in KERNELS.items():
        view, view_kernel = View(channels), views[arrays[kernel].ndim - 3]
        cx, cy, turned = view.to(arrays[x]), view.to(y), arrays[kernel].transpose(view_kernel.order)
        C = cx.shape[3]
        if turned.shape[2:] not in ((C,), (C, 1)) or cy.shape[3] != C or len(cx) != len(cy):
            continue
        if any(arrays[name].size != C for name in biases):
            continue
        roles = {x: ("x", view), kernel: ("kernel", view_kernel), **{b: ("bias", View(None, "flat")) for b in biases}}
        canonical = {role: v.to(arrays[name]) for name, (role, v) in roles.items()}
        options = [along(cx.shape[1 + axis], turned.shape[axis], cy.shape[1 + axis]) for axis in (0, 1)]
        for (SH, top), (SW, left) in sorted(product(*options), key=unlike):
            windows = Windows(turned.shape[:2], (SH, SW), (top, left), cy.shape[1:3])
            operation = Convolution(canonical, windows)
            if operation.z.shape == cy.shape and (activation := activation_between(operation.z, cy)):
                make = partial(Convolution, windows=windows, activation=activation)
                layout = "channels last" if channels == LAST else "channels first"
                yield Recognised(f"a depthwise convolution, {layout}, {windows}", make, roles, view)
