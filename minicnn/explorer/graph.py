"""The operations of a training step as a graph: which one computed what another one gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..inside.recording import LayerTrace, LossTrace
from ..losses import Loss
from .operations import Step, loss_step, steps_of


@dataclass
class Node:
    """One operation."""

    name: str
    """Of the layer; at a fork, of the layer that computed the value."""
    thing: Any
    """The layer or the loss; None at a fork."""
    step: Step
    inputs: dict[str, int | None]
    """For each of its inputs, the number of the operation that computed it; None is the network's input."""
    uses: list[tuple[int, str]] = field(default_factory=list)
    """Who gets its output: the operation's number, and what it calls the gradient with respect to it."""


def graph(layers: Sequence[LayerTrace], loss: LossTrace, chosen: Loss) -> list[Node]:
    """All operations, each behind those that compute its inputs; the loss is the last one. `chosen` is the model's own.

    A value that several layers get goes through a fork, which copies it forward and adds up its gradients backward.
    """
    nodes: list[Node] = []
    makers: list[int | None] = [None]  # for each value of the network, the operation that computed it

    def append(node: Node) -> int:
        nodes.append(node)
        for name, maker in node.inputs.items():
            if maker is not None:
                nodes[maker].uses.append((len(nodes) - 1, f"d{name}"))
        return len(nodes) - 1

    def fork(name: str, value: int) -> None:
        """Append the fork of a value, if several layers get it."""
        uses = [each for layer in layers for each in _inputs(layer) if each[0] == value]
        if len(uses) > 1:
            _, x, _ = uses[0]
            parts = {f"dy{k}": dx for k, (_, _, dx) in enumerate(uses, 1)}
            dx = layers[value - 1].dy if value else np.sum(list(parts.values()), axis=0)
            makers[value] = append(
                Node(name, None, Step("fork", {"x": x, "y": x, "dx": dx, **parts}), {"x": makers[value]})
            )

    fork("input", 0)
    for number, layer in enumerate(layers, 1):
        maker = [makers[source] for source in layer.sources]
        steps = steps_of(layer)
        if number == len(layers) and loss.probabilities is not None and steps[0].options.get("activation") == "linear":
            steps = []  # its softmax has become a part of the loss
        for step in steps:
            names = [name for name in step.arrays if name.startswith("x")]
            thing = layer.activation if step is steps[-1] and len(steps) > 1 and layer.activation else layer.layer
            maker = [append(Node(layer.name, thing, step, dict(zip(names, maker, strict=True))))]
        makers.append(*maker)
        fork(layer.name, number)
    append(Node("loss", chosen, loss_step(loss), {"z": makers[-1]}))
    if loss.probabilities is not None and makers[-1] is not None:
        nodes[makers[-1]].step.symbols |= {"y": "z", "dy": "dz"}
    return nodes


def _inputs(layer: LayerTrace) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """The number of each value that a layer gets, the value, and the gradient that the layer gives it."""
    x, dx = (layer.x, layer.dx) if len(layer.sources) > 1 else ([layer.x], [layer.dx])
    return list(zip(layer.sources, x, dx, strict=True))
