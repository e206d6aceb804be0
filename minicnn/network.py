"""A network: a sequence of layers. Forward calls them from first to last, backward from last to first.

It knows nothing of training: `Trainer` extends it, and `Sequential` extends `Trainer`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import copy
from threading import RLock
from typing import Any, TypeVar

import numpy as np

from . import arguments
from .backends import to_device, to_host
from .backends.contract import Array
from .errors import explain
from .fixed import Layers, Weights
from .inference import Inference
from .layers import Activation, Layer, ReLU, Softmax
from .layers.base import check_weights
from .parameters import Parameter, replace_all, snapshot_of

Net = TypeVar("Net", bound="Network")
Shape = tuple["int | None", ...]

_building = RLock()
"""Held while the first batch builds a network, so that two threads don't build it twice."""


def _renew_lock() -> None:
    """After a fork: the thread that held the lock does not exist in the child."""
    global _building
    _building = RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_lock)


class Network:
    """A sequence of layers with explicit gradients.

    y = network.forward(x, training=True)   # x (N, …) -> y (N, …)
    dx = network.backward(dy)               # dy like y -> dx like x, and every parameter's grad
    """

    def __init__(
        self, layers: Sequence[Layer] = (), *, name: str = "network", input_shape: Shape | None = None
    ) -> None:
        self.name = arguments.text(f"{type(self).__name__} name", name)
        self.layers: list[Layer] = Layers(layers)
        self.input_shape = input_shape
        self._inference = Inference()

    def __init_subclass__(cls, **options: Any) -> None:
        """A subclass with its own `forward` uses it for inference, too."""
        super().__init_subclass__(**options)
        if "forward" in vars(cls) and "infer" not in vars(cls):
            cls.infer = cls._infer_by_forward  # type: ignore[method-assign]

    def forward(self, x: Array, training: bool = False) -> Array:
        """y = model(x), x (N, …) of any real dtype, converted to the model's. `training` is for dropout and batch norm.

        Raises ValueError or TypeError, naming the layer, if x does not fit.
        """
        x = arguments.array(self.name, "x", x, self.dtype)
        self.check_input(x)
        x = to_device(x, self.dtype)
        for layer in self.layers:
            x = layer.forward(x, training)
        self.input_shape = self.input_shape or self.layers[0].input_shape
        return x

    def backward(self, dy: Array, need_dx: bool = True) -> Array | None:
        """Propagate the gradient with respect to the output back through all layers; sets every parameter's `grad`.

        Returns dx. With need_dx=False it stops at the first layer with trainable parameters and returns None.
        """
        dy = arguments.array(self.name, "dy", dy, self.dtype)
        learning = (index for index, layer in enumerate(self.layers) if layer.parameters())
        last_stop = 0 if arguments.flag("need_dx", need_dx) else next(learning, len(self.layers))
        for index in range(len(self.layers) - 1, last_stop - 1, -1):
            dy = self.layers[index].backward(dy, need_dx=need_dx or index > last_stop)
        return dy if need_dx else None

    def add_penalties(self, loss: Array) -> Array:
        """loss + the penalties of all trainable parameters with a regularizer, such as a layer's kernel_regularizer."""
        for parameter in self.parameters():
            if parameter.regularizer is not None:
                loss = parameter.regularizer.add_penalty(loss, parameter.value)
        return loss

    def add_penalty_gradients(self) -> None:
        """Add the penalties' gradients to the parameters' `grad`, once after each backward."""
        for parameter in self.parameters():
            if parameter.regularizer is not None:
                parameter.grad = parameter.regularizer.add_gradient(parameter.grad, parameter.value)

    def infer(self, x: Array) -> Array:
        """y = model(x) without a backward: faster, equal up to rounding. It changes nothing in the model.

        Any number of threads may infer while another thread trains: each call uses one consistent set of weights,
        that of the last complete training step. Raises the same errors as forward.
        """
        x = arguments.array(self.name, "x", x, self.dtype)
        self.ensure_built(x)
        y = self._inference(self, x)
        return self._infer_by_forward(x) if y is None else y

    def _infer_by_forward(self, x: Array) -> Array:
        """The forward of a snapshot, so that `saved` is set in the snapshot's layers and not in this network's."""
        x = arguments.array(self.name, "x", x, self.dtype)
        self.ensure_built(x)
        shared = [(layer, dict(vars(layer))) for layer in self.layers if is_patched(layer)]
        try:
            return self.snapshot().forward(x)
        finally:
            for layer, attributes in shared:
                vars(layer).update(attributes)

    def snapshot(self: Net) -> Net:
        """A copy of this network with its present weights; training and set_weights do not change them in the copy.

        The arrays are shared, so it needs no memory; layers and parameters are copies with their own `saved`. A layer
        whose instance attribute `forward` or `call` has been replaced is shared, since that function refers to it.
        """
        copies: dict[int, tuple[Any, Any]] = {}
        network = _copy(self, copies)
        pairs = [pair for pair in copies.values() if isinstance(pair[0], Parameter)]
        for (_, twin), value in zip(pairs, snapshot_of([original for original, _ in pairs]), strict=True):
            twin.value = value
        return network

    def parameters(self) -> list[Parameter]:
        """The trainable parameters, layer by layer: each has `name`, `value` and, after a backward, `grad`."""
        return [parameter for layer in self.layers for parameter in layer.parameters()]

    @property
    def weights(self) -> list[Parameter]:
        """All weights in Keras's order: the parameters and batch norm's moving statistics."""
        return [weight for layer in self.layers for weight in layer.weights]

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, in Keras's order and shapes."""
        return [np.array(to_host(array)) for array in snapshot_of(self.weights)]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace all weights, in Keras's order and shapes: mini.set_weights(keras_model.get_weights()) copies them.

        Raises ValueError, and changes nothing, if the number or the shapes differ.
        """
        arrays = check_weights(self.name, self.weights, weights)
        replace_all(self.weights, [to_device(array, self.dtype, copy=True) for array in arrays])

    def count_params(self) -> int:
        """The number of elements of all weights."""
        return sum(layer.count_params() for layer in self.layers)

    @property
    def dtype(self) -> np.dtype:
        """The dtype that all layers compute in. Raises RuntimeError if there are none."""
        if not self.layers:
            raise RuntimeError(f"{self.name} has no layers yet. Call add(layer) first.")
        return self.layers[0].dtype

    @property
    def trainable(self) -> bool:
        """Whether any layer is trainable. Setting it sets all layers."""
        return any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self.layers:
            layer.trainable = arguments.flag(f"{self.name} trainable", value)

    @property
    def built(self) -> bool:
        return bool(self.layers) and all(layer.built for layer in self.layers)

    @property
    def output_shape(self) -> Shape | None:
        return self.layers[-1].output_shape if self.layers else None

    def ensure_built(self, x: Array) -> None:
        """Build the layers that are not built yet with the first sample of x (N, …). Raises the errors of forward."""
        if self.built:
            return
        with _building:
            if not self.built:
                self.check_input(x)
                self.forward(x[:1])
                for layer in self.layers:
                    layer.saved = None

    def check_input(self, x: Array) -> None:
        """Raise TypeError if x is not an array, ValueError if it does not have the network's input shape."""
        if len(x.shape) < 2:
            remedy = "Add the batch axis: x[numpy.newaxis]."
            raise ValueError(explain(self.name, "input of shape (batch, …)", f"shape {tuple(x.shape)}", remedy))
        if self.input_shape is None:
            return
        fits = len(x.shape) == len(self.input_shape) and all(
            expected in (None, found) for expected, found in zip(self.input_shape, x.shape, strict=True)
        )
        if not fits:
            expected = ("batch", *("any" if length is None else length for length in self.input_shape[1:]))
            missing_axis = tuple(x.shape[1:]) + (1,) == self.input_shape[1:]
            raise ValueError(
                explain(
                    f"{self.name}, {self.layers[0]}",
                    f"input of shape ({', '.join(map(str, expected))})",
                    f"shape {tuple(x.shape)}",
                    "Add the channel axis: x[..., numpy.newaxis]."
                    if missing_axis
                    else "Reshape or resize the samples.",
                )
            )

    def __call__(self, x: Array, training: bool = False) -> Array:
        return self.forward(x, training)


def with_activations(layers: Sequence[Layer]) -> list[Layer]:
    """Built layers; a layer without an activation and an activation layer after it become a copy of the first one."""
    result: list[Layer] = []
    for layer in layers:
        fused = None
        may_fuse = result and result[-1].activation == "linear" and isinstance(layer, (Activation, ReLU, Softmax))
        steps = layer.described_steps() if may_fuse else None
        if steps is not None and steps[0][0] == "activation":
            *_, (activation,) = steps[0]
            fused = result[-1].ending_in(activation)
        if fused is None:
            result.append(layer)
        else:
            result[-1] = fused
    return result


def _copy(thing: Any, copies: dict[int, tuple[Any, Any]]) -> Any:
    """A recursive copy of networks, layers and parameters; everything else is shared.

    `copies` maps the id of each of them to the original and its copy.
    """
    if type(thing) in (list, tuple, Layers, Weights):
        return type(thing)([_copy(part, copies) for part in thing])
    if type(thing) is dict:
        return {key: _copy(part, copies) for key, part in thing.items()}
    if not isinstance(thing, (Network, Layer, Parameter)) or is_patched(thing):
        return thing
    if id(thing) not in copies:
        twin = copy(thing)
        copies[id(thing)] = thing, twin
        vars(twin).update({name: _copy(value, copies) for name, value in vars(twin).items()})
    return copies[id(thing)][1]


def is_patched(thing: Any) -> bool:
    """Whether it is a layer whose instance attribute `forward` or `call` replaces the method of its class."""
    return isinstance(thing, Layer) and bool(vars(thing).keys() & {"forward", "call"})
