"""Inference: the forward of a whole network, compiled as one function, when no backward follows.

The layers list their operations as steps of the backend's contract, and the backend makes one function of them. The
function gets the weights with every call and changes nothing in the network, so any number of threads may infer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np

from .backends import active, to_device
from .backends.contract import Array, Backend, Step
from .layers import Layer
from .parameters import snapshot_of

Plan = list[tuple[str, int, tuple[Any, ...]]]


@dataclass(frozen=True)
class _Compiled:
    """A network as one function, valid as long as its plan and the backend stay the same."""

    ops: Backend
    plan: Plan
    run: Callable[[Array, Sequence[Array | None]], Array]
    shapes: dict[tuple[int, ...], bool] = field(default_factory=dict)
    """Shapes of samples that have been checked, and whether the function can be used for them."""


class Layered(Protocol):
    """The part of a network that inference needs."""

    layers: list[Layer]

    @property
    def is_sequence(self) -> bool: ...
    @property
    def dtype(self) -> np.dtype: ...
    def check_input(self, x: Array) -> None: ...


class Inference:
    """Runs a network and its snapshots as one function; keeps that function until the layers or the backend change."""

    def __init__(self) -> None:
        self._compiled: _Compiled | None = None

    def __call__(self, network: Layered, x: Array) -> Array | None:
        """y = network.forward(x) up to rounding, without `saved`; None if the network cannot be compiled for this x.

        Raises the errors of forward if x does not fit.
        """
        found = self._compile(network)
        return found and _run(network, *found, x)

    def frozen(self, network: Layered) -> Callable[[Array], Array] | None:
        """The call with the network's present weights, for any number of batches; None if a shape may not do."""
        found = self._compile(network)
        if found is None or not all(layer.any_size for layer in network.layers):
            return None
        return partial(_run, network, *found)

    def _compile(self, network: Layered) -> tuple[_Compiled, list[Array | None]] | None:
        """The network as one function, and its weights at this moment; None if it cannot be compiled."""
        steps = _steps(network)
        if not steps:
            return None
        compiled, ops = self._compiled, active()
        plan = [(operation, len(weights), options) for operation, weights, options in steps]
        if compiled is None or compiled.ops is not ops or compiled.plan != plan:
            for layer in network.layers:  # after a change of the device, batch norm transfers its constants here
                layer.check_weights_memory()
            compiled = self._compiled = _Compiled(ops, plan, ops.compile_inference(steps))
        return compiled, snapshot_of([weight for _, mine, _ in steps for weight in mine])

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """A copied or unpickled network compiles again."""
        return Inference, ()


def _run(network: Layered, compiled: _Compiled, weights: Sequence[Array | None], x: Array) -> Array | None:
    """y, or None if the function is not for samples of this shape."""
    shape = x.shape[1:]
    if shape not in compiled.shapes or len(x) == 0:
        compiled.shapes[shape] = _check(network, x)
    return compiled.run(to_device(x, network.dtype), weights) if compiled.shapes[shape] else None


def _steps(network: Layered) -> list[Step] | None:
    """The steps of all layers in order; None if there are branches, or if a layer is not built yet or has no steps."""
    steps: list[Step] = []
    if not network.is_sequence or "forward" in vars(network):  # replaced on this instance
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


def _check(network: Layered, x: Array) -> bool:
    """Raise the error that forward would raise for this batch. True if the layers' steps hold for its shape."""
    network.check_input(x)
    shape, good = x.shape, True
    for layer in network.layers:
        layer.check_input(np.broadcast_to(np.zeros((), layer.dtype), shape))
        layer.check_weights_memory()
        good = good and (layer.any_size or shape[1:] == layer.input_shape[1:])  # type: ignore[index]
        shape = layer.compute_output_shape(shape)
    return good
