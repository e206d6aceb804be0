"""The dense layer: z = x · kernel + bias."""

from __future__ import annotations

from functools import partial

from .base import Array, Arrays, Operation, Proposals, Recognised, View, activate, activation_between

LAYOUTS = (
    # x, kernel, y: as the canonical ones (R, C), (C, F), (R, F)
    (View(None, "rows"), View(), View(None, "rows"), "x · kernel"),
    (View(None, "rows"), View((1, 0)), View(None, "rows"), "x · kernelᵀ"),
    (View(None, "samples"), View(), View(None, "samples"), "flattened x · kernel"),
    (View(None, "samples"), View((1, 0)), View(None, "samples"), "flattened x · kernelᵀ"),
    (View((1, 0)), View((1, 0)), View((1, 0)), "kernel · x, samples in columns"),
)


class Dense(Operation):
    """x (R, C), kernel (C, F), bias (F,) or None -> y (R, F)."""

    family = "dense"

    def __init__(self, arrays: Arrays, activation: str = "linear") -> None:
        self.x, self.kernel, self.bias = arrays["x"], arrays["kernel"], arrays.get("bias")
        self.activation = activation
        self.samples = len(self.x)
        self.z = self.x @ self.kernel + (0 if self.bias is None else self.bias)
        self.y = activate(activation, self.z)

    def pull(self, dz: Array) -> dict[str, Array]:
        return {"x": dz @ self.kernel.T, "kernel": self.x.T @ dz, "bias": dz.sum(axis=0)}


def recognise(arrays: Arrays, y: Array) -> Proposals:
    """x, a kernel of two axes, and perhaps a bias with one entry for each output."""
    (x, *others) = arrays
    kernels = [name for name in others if arrays[name].ndim == 2 and min(arrays[name].shape) > 0]
    for kernel in kernels:
        rest = [name for name in others if name != kernel]
        if len(rest) > 1 or arrays[x].ndim < 1 or y.ndim < 1:
            continue
        for view_x, view_kernel, view_y, title in LAYOUTS:
            if max(len(view_x.order or ()), len(view_y.order or ())) == 2 and not arrays[x].ndim == y.ndim == 2:
                continue
            roles = {x: ("x", view_x), kernel: ("kernel", view_kernel)}
            if rest:
                roles[rest[0]] = ("bias", View(None, "flat"))
            cx, ck, cy = view_x.to(arrays[x]), view_kernel.to(arrays[kernel]), view_y.to(y)
            if cx.shape[1] != ck.shape[0] or cy.shape != (len(cx), ck.shape[1]):
                continue
            if rest and arrays[rest[0]].size != ck.shape[1]:
                continue
            z = cx @ ck + (arrays[rest[0]].reshape(-1) if rest else 0)
            if activation := activation_between(z, cy):
                yield Recognised(f"a dense layer, {title}", partial(Dense, activation=activation), roles, view_y)
