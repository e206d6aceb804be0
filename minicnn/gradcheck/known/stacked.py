"""Two dense layers, one after the other, as in a first network: y = activation(x · W1 + b1) · W2 + b2."""

from __future__ import annotations

from functools import partial
from itertools import permutations

from .base import ACTIVATIONS, Array, Arrays, Operation, Proposals, Recognised, View, activation_backward, same
from .dense import Dense


class TwoDense(Operation):
    """x (N, C), kernel1 (C, H), bias1 (H,) or None, kernel2 (H, F), bias2 (F,) or None -> y (N, F)."""

    family = "two dense layers"

    def __init__(self, arrays: Arrays, between: str) -> None:
        self.first = Dense(
            {role: arrays[f"{role}1"] for role in ("kernel", "bias") if f"{role}1" in arrays} | {"x": arrays["x"]},
            between,
        )
        self.second = Dense(
            {role: arrays[f"{role}2"] for role in ("kernel", "bias") if f"{role}2" in arrays} | {"x": self.first.y}
        )
        self.between, self.samples = between, len(arrays["x"])
        self.y = self.z = self.second.y

    def through(self, dz: Array, dhidden: Array) -> dict[str, Array]:
        """The gradients, from dy and from the gradient of the first layer's sum, before its activation."""
        first, second = self.first.pull(dhidden), self.second.pull(dz)
        return {"x": first["x"]} | {
            f"{role}{number}": gradients[role]
            for number, gradients in ((1, first), (2, second))
            for role in ("kernel", "bias")
        }

    def pull(self, dz: Array) -> dict[str, Array]:
        return self.through(dz, activation_backward(self.between, self.first.z, dz @ self.second.kernel.T))


def recognise(arrays: Arrays, y: Array) -> Proposals:
    """x, two kernels that fit, and a bias for each or none."""
    x, *others = arrays
    kernels = [name for name in others if arrays[name].ndim == 2 and len(arrays[name]) > 1]
    biases = [name for name in others if name not in kernels]
    if arrays[x].ndim != 2 or y.ndim != 2 or len(kernels) != 2 or len(biases) not in (0, 2):
        return
    for (one, two), rest in ((pair, rest) for pair in permutations(kernels) for rest in permutations(biases)):
        names = {"kernel1": one, "kernel2": two, **dict(zip(("bias1", "bias2"), rest, strict=bool(rest)))}
        if rest and [arrays[name].size for name in rest] != [arrays[one].shape[1], arrays[two].shape[1]]:
            continue
        if (arrays[x].shape[1], arrays[one].shape[1]) != (len(arrays[one]), len(arrays[two])):
            continue
        roles = {x: ("x", View())} | {
            name: (role, View(None, "flat") if role.startswith("bias") else View()) for role, name in names.items()
        }
        for between in ACTIVATIONS:
            make = partial(TwoDense, between=between)
            proposal = Recognised(f"two dense layers with {between} between them", make, roles)
            if same(proposal.operation(arrays).y, y):
                yield proposal
