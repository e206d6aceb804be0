"""Inference: the forward of a whole network at once, where no backward will follow.

The layers say what they do, as steps of the backend's contract, and the backend makes one function of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from .backends import active, to_device
from .backends.contract import Array, Backend, Step

if TYPE_CHECKING:
    from .models import Sequential


@dataclass
class _Known:
    """What has been found out about a model: it holds as long as its steps and the backend stay the same."""

    ops: Backend
    steps: list[Step]
    run: Callable[[Array], Array]
    shapes: set[tuple[int, ...]] = field(default_factory=set)  # of samples that fit


_known: WeakKeyDictionary[Sequential, _Known] = WeakKeyDictionary()  # beside the models: no copy of one may inherit it


def infer(model: Sequential, x: Array) -> Array | None:
    """y = model.forward(x) up to rounding, nothing kept for a backward; None if only the layers themselves can do it.

    Raises what forward raises if x does not fit.
    """
    steps = _steps(model)
    if not steps:
        return None
    known, ops = _known.get(model), active()
    if known is None or known.ops is not ops or known.steps != steps:
        known = _known[model] = _Known(ops, steps, ops.compile_inference(steps))
    if getattr(x, "shape", ())[1:] not in known.shapes or not hasattr(x, "dtype") or len(x) == 0:
        _check(model, x)
        known.shapes.add(x.shape[1:])
    return known.run(to_device(x, model.dtype))


def _steps(model: Sequential) -> list[Step] | None:
    """What all layers do, in their order; None if one of them is not built yet or cannot say it."""
    steps: list[Step] = []
    if "forward" in model.__dict__:  # somebody has put a function of his own in its place
        return None
    for layer in model.layers:
        own = layer.__dict__
        if layer.input_shape is None or "forward" in own or "call" in own:
            return None
        mine = layer.steps()
        if mine is None:
            return None
        steps += mine
    return steps


def _check(model: Sequential, x: Array) -> None:
    """Raise what forward would raise for this batch."""
    model.check_input(x)
    shape = x.shape
    for layer in model.layers:
        layer.check_input(np.broadcast_to(np.zeros((), layer.dtype), shape))
        layer.check_weights_memory()
        shape = layer.compute_output_shape(shape)
