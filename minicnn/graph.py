"""Graphs of layers: all values that an output is computed from, in an order in which they can be computed."""

from __future__ import annotations

from typing import Any

from .errors import explain, shown
from .layers.input import Input, Value


def in_order(where: str, inputs: Any, outputs: Any) -> list[Value]:
    """The input, then all values between it and the output, each after its sources.

    They are sorted by the length of their longest path to the output, longest first: a source's is longer by at least
    1. Among equal ones, that which is found first from the output comes first. This is Keras's order, so weights have
    Keras's order, too.

    Raises TypeError or ValueError unless there is one Input and one output that is computed from it.
    """
    start = _single(f"{where} inputs", inputs, Input, "an Input")
    end = _single(f"{where} outputs", outputs, Value, "the Value of a layer")
    found: dict[Value, int] = {}  # the number of values that were found before it
    finished: list[Value] = []  # each after its sources

    def visit(value: Value) -> None:
        if value in found:
            return
        found[value] = len(found)
        for source in value.sources:
            visit(source)
        finished.append(value)

    visit(end)
    if start not in found or end is start:
        remedy = "Call layers on the Input, one after the other: x = Flatten()(inputs)."
        raise ValueError(explain(where, "outputs computed from the inputs", f"{shown(end)} without them", remedy))
    others = [value for value in found if isinstance(value, Input) and value is not start]
    if others:
        remedy = "Give one Input, and concatenate its parts in the data."
        raise ValueError(explain(where, "values computed from one Input", f"another one, {others[0]}", remedy))
    distance = {end: 0}
    for value in reversed(finished):
        for source in value.sources:
            distance[source] = max(distance.get(source, 0), distance[value] + 1)
    return sorted(found, key=lambda value: (-distance[value], found[value]))


def _single(where: str, given: Any, kind: type, called: str) -> Any:
    """The value, also if it stands in a list alone. Raises TypeError or ValueError for others and for several."""
    if isinstance(given, (list, tuple)):
        if len(given) != 1:
            remedy = "A model has one input and one output. Several outputs: make a model for each; they share layers. "
            remedy += "model.values(x) computes the outputs of all layers."
            raise ValueError(explain(where, called, f"{len(given)} of them", remedy))
        given = given[0]
    if not isinstance(given, kind):
        remedy = "Call layers on an Input: x = Flatten()(Input((28, 28, 1)))."
        raise TypeError(explain(where, called, shown(given), remedy))
    return given
