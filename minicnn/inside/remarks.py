"""What a trace points out: units that are dead or saturated, gradients that vanish or explode, NaN, steps too large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..layers import ReLU
from .recording import LayerTrace, LossTrace, length_of

ENOUGH = 16
"""Minimum number of samples for calling a unit dead: a healthy one may well be 0 in a few."""

SATURATED = {"sigmoid": (0.0025, lambda y: y * (1 - y)), "tanh": (0.01, lambda y: 1 - y * y)}
"""The slopes that count as saturated, 1 % of the activation's largest, and the slope as a function of the output."""

MANY = 0.5
"""The share of saturated values from which on they are pointed out."""

RATIO = 1e4
"""How much longer or shorter than the loss's gradient that of a layer may be."""

LARGEST_UPDATE = 0.3
"""‖update‖ / ‖weights‖ from which on a step is too large; about 0.001 is usual."""


class Remark(NamedTuple):
    """Something that a layer's numbers point out."""

    kind: str
    """ "NaN", "dead units", "saturation", "vanishing gradient", "exploding gradient", "no gradient" or "large step"."""
    layer: str
    text: str


def remarks_on(layers: Sequence[LayerTrace], loss: LossTrace) -> list[Remark]:
    """What is wrong in this step, most serious first; of numbers that are not finite, only where they begin."""
    if (first := _first_not_finite(layers, loss)) is not None:
        return [first]
    found = [*_gradients(layers, loss)]
    for layer in layers:
        found += _units(layer, last=layer is layers[-1])
    return [*found, *_steps(layers)]


def _first_not_finite(layers: Sequence[LayerTrace], loss: LossTrace) -> Remark | None:
    for layer in layers:
        arrays = {**{f"its {name}": value for name, value in layer.weights.items()}, "its output": layer.y}
        for what, array in arrays.items():
            if bad := _not_finite(array):
                return Remark("NaN", layer.name, f"{layer.layer}: {what} has {bad}; all before it is finite.")
    if bad := _not_finite(loss.value):
        return Remark("NaN", "loss", f"The loss is {loss.value}, although all outputs are finite.")
    for layer in reversed(layers):
        for what, array in {"the gradient with respect to its output": layer.dy, **layer.gradients}.items():
            if bad := _not_finite(array):
                return Remark("NaN", layer.name, f"{layer.layer}: {what} has {bad}; the forward is finite.")
    return None


def _not_finite(array: np.ndarray) -> str:
    bad = int((~np.isfinite(array)).sum())
    return f"{bad:,} NaN or infinite values of {array.size:,}" if bad else ""


def _gradients(layers: Sequence[LayerTrace], loss: LossTrace) -> Iterator[Remark]:
    """Compare each layer's gradient with that of the loss, which backpropagation starts with."""
    start = length_of([loss.dprediction])
    if not start:
        yield Remark("no gradient", "loss", "The gradient of the loss is 0, so no weight changes.")
        return
    lengths = {layer.name: layer.gradient_norm for layer in layers}
    for layer in reversed(layers):  # in the order of the backward
        if not lengths[layer.name]:
            why = "the layers behind it let nothing through."
            yield Remark("no gradient", layer.name, f"{layer.layer}: the gradient at its output is 0: {why}")
            return
    name, shortest = min(lengths.items(), key=lambda item: item[1])
    if shortest < start / RATIO:
        text = f"The gradient's norm falls from {start:.2g} at the loss to {shortest:.2g} at {name!r}. "
        text += "ReLU, batch normalisation or fewer layers help, and initial weights that fit the activation."
        yield Remark("vanishing gradient", name, text)
    name, longest = max(lengths.items(), key=lambda item: item[1])
    if longest > start * RATIO:
        text = f"The gradient's norm grows from {start:.2g} at the loss to {longest:.2g} at {name!r}. "
        yield Remark("exploding gradient", name, text + "Smaller initial weights or batch normalisation help.")


def _units(traced: LayerTrace, last: bool) -> Iterator[Remark]:
    """Units (the last axis) that are always 0 behind a ReLU, and values where a sigmoid or tanh is flat."""
    layer, y = traced.layer, traced.y
    if (units := dead_units(traced)) is not None and len(y) >= ENOUGH:
        dead = int(units.sum())
        if dead:
            text = f"{layer}: {dead} of {len(units)} units are 0 in all {len(y)} samples"
            yield Remark("dead units", layer.name, f"{text}: they let no gradient through.")
    if layer.activation in SATURATED and not last:
        limit, slope = SATURATED[layer.activation]
        share = float((slope(y) < limit).mean())
        if share > MANY:
            text = f"{layer}: {share:.0%} of its outputs are where {layer.activation} is flat"
            yield Remark("saturation", layer.name, f"{text}: its slope there is below 1 % of the largest.")


def dead_units(traced: LayerTrace) -> np.ndarray | None:
    """Which units (the last axis) are 0 in all samples, at all positions; None behind anything but a ReLU."""
    layer, y = traced.layer, traced.y
    if layer.activation != "relu" and not (isinstance(layer, ReLU) and not layer.negative_slope):
        return None
    return (y == 0).all(axis=tuple(range(y.ndim - 1)))


def _steps(layers: Sequence[LayerTrace]) -> Iterator[Remark]:
    for layer in layers:
        ratio = layer.update_ratio
        if ratio is not None and ratio > LARGEST_UPDATE:
            text = f"{layer.layer}: the next step changes its weights by {ratio:.0%} of their norm"
            yield Remark("large step", layer.name, f"{text}; 0.1 % is usual. Lower the learning rate.")
