"""Graphs of layers: all values that the outputs are computed from, in an order in which they can be computed."""

from __future__ import annotations

from typing import Any

from .errors import explain, shown
from .layers.input import Input, Value


def in_order(where: str, start: Input, ends: list[Value]) -> list[Value]:
    """The input, then all values between it and the outputs, each after its sources.

    They are sorted by the length of their longest path to an output, longest first: a source's is longer by at least
    1. Among equal ones, that which is found first from the outputs comes first. This is Keras's order, so weights have
    Keras's order, too.

    Raises ValueError unless the outputs are computed from the input alone, by layers.
    """
    found: dict[Value, int] = {}  # the number of values that were found before it
    finished: list[Value] = []  # each after its sources

    def visit(value: Value) -> None:
        if value in found:
            return
        found[value] = len(found)
        for source in value.sources:
            visit(source)
        finished.append(value)

    for end in ends:
        visit(end)
    if start not in found:
        remedy = "Call layers on the Input, one after the other: x = Flatten()(inputs). "
        remedy += "layer.output is that of the layer's first call: give the inputs of the model that called it."
        raise ValueError(explain(where, "outputs computed from the inputs", f"{shown(ends[0])} without them", remedy))
    others = [value for value in found if isinstance(value, Input) and value is not start]
    if others:
        remedy = "Give one Input, and concatenate its parts in the data."
        raise ValueError(explain(where, "values computed from one Input", f"another one, {others[0]}", remedy))
    distance = dict.fromkeys(ends, 0)
    for value in reversed(finished):
        for source in value.sources:
            distance[source] = max(distance.get(source, 0), distance[value] + 1)
    return sorted(found, key=lambda value: (-distance[value], found[value]))


def the_input(where: str, given: Any) -> Input:
    """The Input, also if it stands in a list alone. Raises TypeError or ValueError for others and for several."""
    inputs = given if isinstance(given, (list, tuple)) else [given]
    if len(inputs) != 1:
        remedy = "A model has one input: concatenate the parts in the data."
        raise ValueError(explain(f"{where} inputs", "an Input", f"{len(inputs)} of them", remedy))
    if not isinstance(inputs[0], Input):
        remedy = "Call layers on an Input: x = Flatten()(Input((28, 28, 1)))."
        raise TypeError(explain(f"{where} inputs", "an Input", shown(inputs[0]), remedy))
    return inputs[0]


def the_outputs(where: str, given: Any) -> list[Value]:
    """The outputs, one or several. Raises TypeError or ValueError unless they are values of a graph."""
    outputs = list(given) if isinstance(given, (list, tuple)) else [given]
    if not outputs:
        raise ValueError(explain(f"{where} outputs", "at least one", "none", "Give a Value, or a list of Values."))
    if not all(isinstance(output, Value) and output.layer is not None for output in outputs):
        remedy = "Call layers on an Input: x = Flatten()(Input((28, 28, 1))). Outputs are named after their layers."
        raise TypeError(explain(f"{where} outputs", "a Value of a layer, or a list of them", shown(given), remedy))
    twice = next((output for output in outputs if outputs.count(output) > 1), None)
    if twice is not None:
        raise ValueError(explain(f"{where} outputs", "different ones", f"{twice} twice", "Both would be equal."))
    return outputs
