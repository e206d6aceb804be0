"""Inference: the forward of a whole network at once, where no backward will follow.

The layers say what they do, as steps of the backend's contract, and the backend makes one function of them. That
function is given the weights with every call, and nothing in the network changes: any number of threads may infer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from .backends import active, to_device
from .backends.contract import Array, Backend, Step
from .layers import Layer
from .parameters import snapshot_of

Plan = list[tuple[str, int, tuple[Any, ...]]]


@dataclass(frozen=True)
class _Compiled:
    """A network as one function: good for as long as its plan and the backend stay the same."""

    ops: Backend
    plan: Plan
    run: Callable[[Array, Sequence[Array | None]], Array]
    shapes: set[tuple[int, ...]] = field(default_factory=set)
    """The shapes of samples that fit."""


class Layered(Protocol):
    """What a network is here."""

    layers: list[Layer]

    @property
    def dtype(self) -> np.dtype: ...
    def check_input(self, x: Array) -> None: ...


class Inference:
    """Runs a network, and its snapshots, as one function; remembers that function until something changes."""

    def __init__(self) -> None:
        self._compiled: _Compiled | None = None

    def __call__(self, network: Layered, x: Array) -> Array | None:
        """y = network.forward(x) up to rounding, nothing kept for a backward; None if only the layers can do it.

        Raises what forward raises if x does not fit.
        """
        steps = _steps(network)
        if not steps:
            return None
        compiled, ops = self._compiled, active()
        plan = [(operation, len(weights), options) for operation, weights, options in steps]
        if compiled is None or compiled.ops is not ops or compiled.plan != plan:
            compiled = self._compiled = _Compiled(ops, plan, ops.compile_inference(steps))
        if getattr(x, "shape", ())[1:] not in compiled.shapes or not hasattr(x, "dtype") or len(x) == 0:
            _check(network, x)
            compiled.shapes.add(x.shape[1:])
        return compiled.run(
            to_device(x, network.dtype), snapshot_of([weight for _, mine, _ in steps for weight in mine])
        )

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """A copy or a pickle compiles anew."""
        return Inference, ()


def _steps(network: Layered) -> list[Step] | None:
    """What all layers do, in their order; None if one of them is not built yet or cannot say it."""
    steps: list[Step] = []
    if "forward" in vars(network):  # somebody has put a function of his own in its place
        return None
    for layer in network.layers:
        own = vars(layer)
        if layer.input_shape is None or "forward" in own or "call" in own:
            return None
        mine = layer.steps()
        if mine is None:
            return None
        steps += mine
    return steps


def _check(network: Layered, x: Array) -> None:
    """Raise what forward would raise for this batch."""
    network.check_input(x)
    shape = x.shape
    for layer in network.layers:
        layer.check_input(np.broadcast_to(np.zeros((), layer.dtype), shape))
        layer.check_weights_memory()
        shape = layer.compute_output_shape(shape)
