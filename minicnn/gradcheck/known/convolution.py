"""Convolution: windows of the image times the kernel, in any layout."""

from __future__ import annotations

from functools import partial
from itertools import permutations, product

import numpy as np

from .base import Array, Arrays, Operation, Proposals, Recognised, View, activate, activation_between
from .windows import Windows, along


class Convolution(Operation):
    """x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) or None -> y (N, OH, OW, F)."""

    family = "convolution"

    def __init__(self, arrays: Arrays, windows: Windows, activation: str = "linear", turned: bool = False) -> None:
        self.x, self.bias = arrays["x"], arrays.get("bias")
        self.turned = turned
        self.kernel = arrays["kernel"][::-1, ::-1] if turned else arrays["kernel"]
        self.windows, self.activation = windows, activation
        self.samples = len(self.x)
        self.columns = windows.columns(self.x)
        self.z = np.tensordot(self.columns, self.kernel, 3) + (0 if self.bias is None else self.bias)
        self.y = activate(activation, self.z)

    def dx(self, dz: Array, kernel: Array | None = None, windows: Windows | None = None) -> Array:
        kernel = self.kernel if kernel is None else kernel
        return (windows or self.windows).scatter(np.tensordot(dz, kernel, (3, 3)), self.x)

    def dkernel(self, dz: Array, columns: Array | None = None) -> Array:
        columns = self.columns if columns is None else columns
        return self.as_given(np.tensordot(columns, dz, ((0, 1, 2), (0, 1, 2))))

    def as_given(self, kernel: Array) -> Array:
        """A kernel's array as the user's function has it: turned again if the forward turns it."""
        return kernel[::-1, ::-1] if self.turned else kernel

    def pull(self, dz: Array) -> dict[str, Array]:
        return {"x": self.dx(dz), "kernel": self.dkernel(dz), "bias": dz.sum(axis=(0, 1, 2))}


def recognise(arrays: Arrays, y: Array) -> Proposals:
    """An image or a sequence, a kernel with as many axes, and perhaps a bias with one entry for each filter."""
    (x, *others) = arrays
    rank = arrays[x].ndim
    kernels = [name for name in others if arrays[name].ndim == rank]
    if rank not in (3, 4) or y.ndim != rank or len(kernels) != 1:
        return
    (kernel,) = kernels
    rest = [name for name in others if name != kernel]
    if len(rest) > 1 or (rest and arrays[rest[0]].ndim not in (1, rank)):
        return
    insert = ("image", "kernel") if rank == 3 else ("same", "same")
    last, first = tuple(range(rank)), (0, *range(2, rank), 1)
    window_axes = rank - 2
    orders = sorted(
        permutations(range(rank)),
        key=lambda order: order not in (last, (*range(2, rank), 1, 0)),  # HWIO and OIHW before the others
    )
    for channels, order in product((last, first), orders):
        if list(order[:window_axes]) != sorted(order[:window_axes]):
            continue
        view_x, view_kernel, view_y = View(channels, insert[0]), View(order, insert[1]), View(channels, insert[0])
        cx, ck, cy = view_x.to(arrays[x]), view_kernel.to(arrays[kernel]), view_y.to(y)
        if ck.shape[2] != cx.shape[3] or ck.shape[3] != cy.shape[3] or len(cx) != len(cy):
            continue
        if rest and arrays[rest[0]].size != ck.shape[3]:
            continue
        bias = arrays[rest[0]].reshape(-1) if rest else 0
        options = [along(cx.shape[1 + axis], ck.shape[axis], cy.shape[1 + axis]) for axis in (0, 1)]
        for (SH, top), (SW, left) in sorted(product(*options), key=unlike):
            windows = Windows(ck.shape[:2], (SH, SW), (top, left), cy.shape[1:3])
            columns = windows.columns(cx)
            if columns.shape[1:3] != cy.shape[1:3]:
                continue
            for turned in (False, True):
                z = np.tensordot(columns, ck[::-1, ::-1] if turned else ck, 3) + bias
                activation = activation_between(z, cy)
                if activation is None:
                    continue
                roles = {x: ("x", view_x), kernel: ("kernel", view_kernel)}
                if rest:
                    roles[rest[0]] = ("bias", View(None, "flat"))
                make = partial(Convolution, windows=windows, activation=activation, turned=turned)
                layout = "channels last" if channels == last else "channels first"
                yield Recognised(f"a convolution, {layout}, {windows}", make, roles, view_y)


def unlike(options: tuple[tuple[int, int], ...]) -> tuple[bool, int, int]:
    """Sorts equal options for rows and columns first, then small strides and paddings."""
    rows, columns = options
    return rows != columns, rows[1] + columns[1], rows[0] + columns[0]
