"""Graphs of layers: all values that the outputs are computed from, in an order in which they can be computed."""

from __future__ import annotations

from typing import Any

from .errors import explain, shown
from .inputs import input_names
from .layers.input import Input, Value


def in_order(where: str, starts: list[Input], ends: list[Value]) -> list[Value]:
    """The inputs, then all values between them and the outputs, each after its sources.

    They are sorted by the length of their longest path to an output, longest first: a source's is longer by at least
    1. Among equal ones, that which is found first from the outputs comes first. This is Keras's order, so weights have
    Keras's order, too.

    Raises ValueError unless the outputs are computed from these inputs, from all of them.
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
    others = [value for value in found if isinstance(value, Input) and value not in starts]
    if others:
        remedy = "Give all inputs: Model([a, b], outputs). "
        remedy += "layer.output is that of the layer's first call: give the inputs of the model that called it."
        expected, another = "outputs computed from the inputs", f"{shown(ends[0])} without them, from {others[0]}"
        raise ValueError(explain(where, expected, another, remedy))
    for start in starts:
        if start not in found:
            remedy = "Leave it out, or call layers on it: x = Flatten()(inputs)."
            raise ValueError(explain(where, "inputs that the outputs are computed from", f"{start}, unused", remedy))
    distance = dict.fromkeys(ends, 0)
    for value in reversed(finished):
        for source in value.sources:
            distance[source] = max(distance.get(source, 0), distance[value] + 1)
    between = (value for value in found if value.layer is not None)
    return [*starts, *sorted(between, key=lambda value: (-distance[value], found[value]))]


def the_inputs(where: str, given: Any) -> tuple[list[Input], list[str]]:
    """The Inputs, one or several, and their names; `given` may be a dict by names.

    Raises TypeError or ValueError unless they are different Inputs of different names.
    """
    where = f"{where} inputs"
    inputs = list(given.values()) if isinstance(given, dict) else [given] if isinstance(given, Value) else given
    if not isinstance(inputs, (list, tuple)) or not all(isinstance(one, Input) for one in inputs) or not inputs:
        remedy = "Call layers on an Input: x = Flatten()(Input((28, 28, 1)))."
        raise TypeError(explain(where, "an Input, or a list of them", shown(given), remedy))
    defaults = input_names(len(inputs))
    names = list(given) if isinstance(given, dict) else []
    names = names or [one.name or default for one, default in zip(inputs, defaults, strict=True)]
    if len(set(names)) < len(names) or len(set(inputs)) < len(names):
        found, remedy = ", ".join(map(repr, names)), "Give each its own: Input(shape, name=…)."
        raise ValueError(explain(where, "different Inputs of different names", found, remedy))
    return list(inputs), names


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
