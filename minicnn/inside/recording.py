"""One training step of a batch, recorded: every layer's arrays, forward and backward. The model stays as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .. import arguments
from ..backends import to_device, to_host
from ..backends.contract import Array
from ..data import Batches
from ..errors import explain
from ..layers import Activation, DepthwiseConv2D, Layer, SeparableConv2D
from ..losses import Crossentropy, Loss
from ..network import Network, Sources, gather, is_patched
from ..parameters import Parameter
from ..regularizers import Regularizer
from ..training import Trainer, on_logits
from .operations import LossOperation, Operation, loss_operation_of, operation_of
from .operations.activations import Activation as ActivationOperation
from .products import Stored


@dataclass
class LayerTrace:
    """What one layer computed in the step; all arrays are on the host."""

    layer: Layer
    """A copy of the model's layer, after its forward and backward."""
    sources: Sources
    """The numbers of the values that it gets: 0 is the network's input, k the output of the k-th layer."""
    x: Any
    """The value that it gets; a list of several in a layer that joins branches."""
    y: np.ndarray
    dx: Any
    """The gradient of the loss with respect to x: an array, or a list of arrays."""
    dy: np.ndarray
    """The gradient of the loss with respect to y."""
    z: np.ndarray | None = None
    """The result before the activation, in a convolution or dense layer that ends in one; else None."""
    dz: np.ndarray | None = None
    """The gradient with respect to z."""
    activation: Layer | None = None
    """The activation as a layer, z -> y."""
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    """By their names in the layer: "kernel", "bias"."""
    gradients: dict[str, np.ndarray] = field(default_factory=dict)
    """With respect to the weights, penalties included."""
    updates: dict[str, np.ndarray] = field(default_factory=dict)
    """What the optimiser's next step would add to each weight that is trained."""
    regularizers: dict[str, Regularizer] = field(default_factory=dict)
    """Of the weights that are trained with a penalty."""

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def mean(self) -> float:
        """The mean of y."""
        return float(self.y.mean(dtype=np.float64))

    @property
    def spread(self) -> float:
        """The standard deviation of y."""
        return float(self.y.std(dtype=np.float64))

    @property
    def zeros(self) -> float:
        """The share of y that is exactly 0."""
        return float((self.y == 0).mean())

    @property
    def gradient_norm(self) -> float:
        """‖dy‖, the root of the sum of squares."""
        return length_of([self.dy])

    @property
    def update_ratio(self) -> float | None:
        """‖updates‖ / ‖weights‖ over all weights that are trained; None if there are none, or all are 0."""
        length = length_of([self.weights[name] for name in self.updates])
        return length_of(list(self.updates.values())) / length if length else None

    @cached_property
    def operations(self) -> list[Operation]:
        """The layer's operation and, if it ends in an activation, that one's; empty if it is not described."""
        operation = operation_of(self.layer)
        if operation is None:
            return []
        arrays = {name: Stored(name, array) for name, array in (("y", self.y), ("dy", self.dy))}
        for name, value in (("x", self.x), ("dx", self.dx)):
            several = (
                {f"{name}{k}": each for k, each in enumerate(value, 1)} if len(self.sources) > 1 else {name: value}
            )
            arrays |= {each: Stored(each, array) for each, array in several.items()}
        arrays |= {name: Stored(name, value) for name, value in self.weights.items()}
        arrays |= {f"d{name}": Stored(f"d{name}", value) for name, value in self.gradients.items()}
        if self.activation is None or self.z is None or self.dz is None:
            return [operation(self.layer, arrays)]
        z, dz = Stored("z", self.z), Stored("dz", self.dz)
        affine = operation(self.layer, arrays | {"y": z, "dy": dz})
        return [ActivationOperation(self.activation, arrays | {"x": z, "dx": dz}), affine]


@dataclass
class LossTrace:
    """The loss of the step."""

    loss: Loss
    prediction: np.ndarray
    """What the loss was computed from: the logits, if softmax and cross-entropy are one operation, as in training."""
    probabilities: np.ndarray | None
    """The softmax of the logits in that case, the sigmoid for a binary cross-entropy; else None."""
    target: np.ndarray
    """Of prediction's shape: labels as one-hot vectors, smoothed if the loss smooths them."""
    value: np.ndarray
    """(), penalties included."""
    penalties: float
    """Their share of it."""
    dprediction: np.ndarray
    """The gradient with respect to the prediction, with which backpropagation starts."""

    name = "loss"

    @cached_property
    def operations(self) -> list[LossOperation]:
        """The loss's operation; empty if it is not described."""
        operation = loss_operation_of(self.loss)
        return [operation(self.prediction, self.target, self.value, self.dprediction)] if operation else []


def record(model: Trainer, x: Any, y: Any, where: str) -> tuple[list[LayerTrace], LossTrace]:
    """Forward, loss, backward and the optimiser's update for one batch, on copies of layers and weights.

    Raises ValueError or TypeError if x or y do not fit, RuntimeError if the model is not compiled. `where` names the
    caller.
    """
    model.check_compiled(where)
    if type(model).forward is not Network.forward or "forward" in vars(model):
        remedy = "Only a network that calls its layers in order can be recorded layer by layer."
        found = f"{type(model).__name__} with its own forward"
        raise TypeError(explain(where, "a Sequential or a Model", found, remedy))
    counts = len(model.input_names), len(model.output_numbers)
    if counts != (1, 1):
        found = f"{counts[0]} and {counts[1]}"
        remedy = "model.values(x) computes the inputs and the outputs of all layers."
        raise ValueError(explain(where, "a model of one input and one output", found, remedy))
    batch = Batches(x, y, arguments.LARGEST_INT, where, model.dtype)
    if batch.y is None:
        raise ValueError(explain(where, "targets y", "none", "Give one target per sample."))
    model.check_input(batch.x)
    model.ensure_built(batch.x)
    with _copied(model) as (layers, loss), np.errstate(all="ignore"):
        network = Network(layers, model.sources, modes=model.modes)
        values = network.values(batch.x, training=True)
        target = to_device(loss.check_targets(batch.y, tuple(values[-1].shape)))
        alone = loss.forward(target, values[-1])
        value = network.add_penalties(alone)
        dvalues, dinputs = _gradients(network, loss.backward())
        network.add_penalty_gradients()
        traced = [
            _record_layer(layer, sources, gather(values, sources), values[number], dinputs[number], dvalues[number])
            for number, (layer, sources) in enumerate(zip(layers, network.sources, strict=True), start=1)
        ]
        _record_updates(model, traced, network.parameters())
        penalties = float(to_host(value)) - float(to_host(alone))
        return traced, _record_loss(loss, values[-1], target, value, penalties, dvalues[len(layers)])


def _gradients(network: Network, dy: Array) -> tuple[dict[int, Array], dict[int, Any]]:
    """The gradient with respect to each value, and the dx of each layer, by the value's number; as Network.backward."""
    dvalues: dict[int, Array] = {len(network.layers): dy}
    dinputs: dict[int, Any] = {}
    for number in range(len(network.layers), 0, -1):
        sources = network.sources[number - 1]
        dx: Any = network.layers[number - 1].backward(dvalues[number])
        dinputs[number] = dx
        for source, part in zip(sources, dx if len(sources) > 1 else [dx], strict=True):
            dvalues[source] = dvalues[source] + part if source in dvalues else part
    return dvalues, dinputs


@contextmanager
def _copied(model: Trainer) -> Iterator[tuple[list[Layer], Loss]]:
    """Copies of layers, weights and loss; softmax and cross-entropy are one operation on the logits, as in training."""
    with restored(model.layers):
        network = model.snapshot()
        for weight in network.weights:
            weight.value = to_device(weight.value, copy=True)  # the optimiser's step changes the array
        yield on_logits(list(network.layers), copy(model.loss))


@contextmanager
def restored(layers: Sequence[Layer]) -> Iterator[None]:
    """Gives layers with a replaced `forward` or `call`, which a snapshot shares, their attributes back in the end."""
    shared = [layer for layer in layers if is_patched(layer)]
    parameters = [
        value for layer in shared for value in (*layer.weights, *vars(layer).values()) if isinstance(value, Parameter)
    ]
    states = [(thing, dict(vars(thing))) for thing in (*shared, *parameters)]
    try:
        yield
    finally:
        for thing, state in states:
            vars(thing).clear()
            vars(thing).update(state)


def _record_layer(layer: Layer, sources: Sources, x: Any, y: Array, dx: Any, dy: Array) -> LayerTrace:
    weights = {_own_name(weight): weight for weight in layer.weights}
    inputs = ([_host(each) for each in value] if len(sources) > 1 else _host(value) for value in (x, dx))
    traced = LayerTrace(layer, sources, next(inputs), _host(y), next(inputs), _host(dy))
    traced.weights = {name: _host(weight.value) for name, weight in weights.items()}
    traced.gradients = {name: _host(weight.grad) for name, weight in weights.items() if weight.grad is not None}
    traced.regularizers = {_own_name(p): p.regularizer for p in layer.parameters() if p.regularizer is not None}
    name = layer.curve[0] if layer.curve else layer.activation
    linear = _without_activation(layer) if layer.weights and name != "linear" else None
    if linear is not None:
        z, traced.activation = linear.forward(x), Activation(name, dtype=layer.dtype)
        traced.activation.forward(z)
        traced.z, traced.dz = _host(z), _host(traced.activation.backward(dy))
    return traced


def _without_activation(layer: Layer) -> Layer | None:
    """The layer up to its activation, sharing its weights; None for one that may use its activation in another way."""
    linear = copy(layer)
    linear.curve = None
    if type(layer) in (DepthwiseConv2D, SeparableConv2D) and not is_patched(layer):
        linear.activation = "linear"
        return linear
    return linear.ending_in("linear")


def _record_updates(model: Trainer, traced: Sequence[LayerTrace], parameters: list[Parameter]) -> None:
    """One step of a copy of the optimiser, on the copied weights."""
    deepcopy(model.optimizer).step(parameters)
    for layer in traced:
        for parameter in layer.layer.parameters():
            name = _own_name(parameter)
            layer.updates[name] = _host(parameter.value) - layer.weights[name]


def _record_loss(loss: Loss, prediction: Array, target: Array, value: Array, penalties: float, dy: Array) -> LossTrace:
    probabilities = None
    if isinstance(loss, Crossentropy) and loss.from_logits:
        probabilities = _host(Activation(loss.activation, dtype=prediction.dtype).forward(prediction))
    numbers = loss.target_numbers(target, prediction)
    return LossTrace(loss, _host(prediction), probabilities, _host(numbers), _host(value), penalties, _host(dy))


def _host(array: Array) -> np.ndarray:
    """A copy of the array on the host."""
    return np.array(to_host(array))


def _own_name(weight: Parameter) -> str:
    """The weight's name in its layer: "kernel"."""
    return weight.name.split("/")[-1]


def length_of(arrays: Sequence[np.ndarray]) -> float:
    """The root of the sum of squares of all numbers."""
    return float(np.sqrt(sum(np.square(array, dtype=np.float64).sum() for array in arrays)))
