"""A network: a graph of layers. Forward calls them from first to last, backward from last to first.

Each layer gets the network's input or the outputs of layers before it. These values have numbers: 0 is the input, k the
output of the k-th layer; several inputs have the first numbers, 0, 1, …, and the layers those after them. `sources` has
the numbers that each layer gets. In a sequence, each layer gets the value before it: ((0,), (1,), (2,), …).
`output_numbers` has the numbers of the values that the network returns: the last one of a sequence. Several outputs are
a list of arrays. `modes` has False for each layer that is always in inference, also while the network is trained.

It knows nothing of training: `Trainer` extends it, and `Sequential` extends `Trainer`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from threading import RLock
from typing import Any, TypeVar

import numpy as np

from . import arguments
from .backends import to_device, to_host
from .backends.contract import Array
from .compatibility import missing_member
from .errors import explain, shown
from .fixed import Layers, Weights
from .inference import Inference
from .inputs import as_input, check_input, check_samples_alike, fits, in_their_order
from .layers import Activation, Layer, ReLU, Softmax
from .layers.base import check_mode, check_weights
from .layers.input import Mode, values_in
from .parameters import Parameter, replace_all, snapshot_of
from .several import each, listed

Net = TypeVar("Net", bound="Network")
Shape = tuple["int | None", ...]

Sources = tuple[int, ...]
"""The numbers of the values that a layer gets."""

_building = RLock()
"""Held while the first batch builds a network, so that two threads don't build it twice."""


def _renew_lock() -> None:
    """After a fork: the thread that held the lock does not exist in the child."""
    global _building
    _building = RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_lock)


class Network:
    """A graph of layers with explicit gradients; without `sources`, a sequence; without `outputs`, of the last value.

    y = network.forward(x, training=True)   # x (N, …) -> y (N, …), or a list of several outputs
    dx = network.backward(dy)               # dy like y -> dx like x, and every parameter's grad
    """

    def __init__(
        self,
        layers: Sequence[Layer] = (),
        sources: Sequence[Sources] | None = None,
        outputs: Sources | None = None,
        modes: Sequence[Mode] | None = None,
        *,
        name: str = "network",
        input_shape: Any = None,
        input_names: Sequence[str] = ("input",),
    ) -> None:
        self.name = arguments.text(f"{type(self).__name__} name", name)
        self.layers: list[Layer] = Layers(layers)
        self.sources = in_sequence(len(layers)) if sources is None else tuple(sources)
        self.modes: tuple[Mode, ...] = (None,) * len(layers) if modes is None else tuple(modes)
        self.output_numbers = (len(layers),) if outputs is None else tuple(outputs)
        self.input_shape = input_shape  # with the batch axis; of several inputs, the list
        self.input_names = tuple(input_names)
        self._inference = Inference()

    def __init_subclass__(cls, **options: Any) -> None:
        """A subclass with its own `forward` uses it for inference, too."""
        super().__init_subclass__(**options)
        if "forward" in vars(cls) and "infer" not in vars(cls):
            cls.infer = cls._infer_by_forward  # type: ignore[method-assign]  # its own forward

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse to replace the layers by a list of others."""
        if name == "layers" and not isinstance(value, Layers):
            remedy = "Make a new model of the layers that you want: models may share layers."
            raise TypeError(explain(f"{self.name} layers", "no replacement of the list", shown(value), remedy))
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        """Called for an attribute that does not exist."""
        raise missing_member(self, "Model", name)

    def forward(self, x: Any, training: bool = False) -> Any:
        """y = model(x), x (N, …) of any real dtype, converted to the model's. `training` is for dropout and batch norm.

        For several inputs, x is a list or a dict; of several outputs, y is the list. Raises ValueError or TypeError,
        naming the layer, if x does not fit.
        """
        return gather(self.values(x, arguments.flag(f"{self.name} training", training)), self.output_numbers)

    # --8<-- [start:passes]
    def values(self, x: Any, training: bool | None = False) -> list[Array]:
        """The values of a forward: x, or all inputs, and the output of each layer. Raises the errors of forward.

        With training=None, each layer does what it does in a call without `training`.
        """
        x = self.as_input(x)
        self.check_input(x)
        values = [to_device(one, self.dtype) for one in listed(x)]
        for layer, sources, mode in zip(self.layers, self.sources, self.modes, strict=True):
            in_training = layer.training_by_default if training is None else training
            values.append(layer.forward(gather(values, sources), in_training if mode is None else mode))
        if self.input_shape is None:
            self.input_shape = (None, *values[0].shape[1:])
        return values

    def backward(self, dy: Any, need_dx: bool = True) -> Any:
        """Propagate the gradient with respect to the output back through all layers; sets every parameter's `grad`.

        dy is like the output: of several, a list of arrays. Returns dx, of several inputs the list. With need_dx=False
        it skips the layers without trainable parameters in or before them, and returns None. A value that went into
        several layers and outputs was copied to them, so its gradient is the sum of theirs.
        """
        gradients: dict[int, Array] = {}
        add_parts(gradients, self.output_numbers, self._checked_gradient(dy))
        needed = self._needed(arguments.flag("need_dx", need_dx))
        inputs = tuple(range(len(self.input_names)))
        for index in reversed(range(len(self.layers))):
            layer, sources, number = self.layers[index], self.sources[index], len(inputs) + index
            if not needed[number]:
                continue
            need_dx = any(needed[source] for source in sources)
            dx = layer.backward(gradients.pop(number), need_dx)
            if need_dx:
                add_parts(gradients, sources, dx)
        return gather(gradients, inputs) if needed[0] else None

    # --8<-- [end:passes]

    def _checked_gradient(self, dy: Any) -> Any:
        """dy as an array, or as a list of arrays, one for each output. Raises TypeError or ValueError for another."""
        count = len(self.output_numbers)
        if count == 1:
            if isinstance(dy, (list, tuple)) and any(hasattr(part, "shape") for part in dy):
                raise TypeError(explain(f"{self.name} dy", "an array", f"a list of {len(dy)}", "There is one output."))
            return arguments.array(self.name, "dy", dy, self.dtype)
        expected, remedy = f"a list of {count} arrays", f"Give one for each output: {', '.join(self.output_names)}."
        if not isinstance(dy, (list, tuple)):
            raise TypeError(explain(f"{self.name} dy", expected, type(dy).__name__, remedy))
        if len(dy) != count:
            raise ValueError(explain(f"{self.name} dy", expected, f"{len(dy)}", remedy))
        return [arguments.array(self.name, "dy", part, self.dtype) for part in dy]

    def _needed(self, need_dx: bool) -> list[bool]:
        """Whether the gradient of each value is needed: a parameter, or x if need_dx, comes before it."""
        needed = [need_dx] * len(self.input_names)
        for layer, sources in zip(self.layers, self.sources, strict=True):
            needed.append(any(needed[source] for source in sources) or bool(layer.parameters()))
        return needed

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
        x = self.as_input(x)
        self.ensure_built(x)
        y = self._inference(self, x)
        return self._infer_by_forward(x) if y is None else y

    def frozen(self) -> Callable[[Array], Array]:
        """`infer` with the weights of this moment, for several batches. A network that is not built yet builds itself.

        A subclass with its own `forward` or `infer` runs as a snapshot.
        """
        if not self.built:
            return self.infer
        run = self._inference.frozen(self) if type(self).infer is Network.infer else None
        return (lambda x: run(self.as_input(x))) if run else self.snapshot().infer

    def _infer_by_forward(self, x: Array) -> Array:
        """The forward of a snapshot, so that `saved` is set in the snapshot's layers and not in this network's."""
        x = self.as_input(x)
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
    def trainable_weights(self) -> list[Parameter]:
        """The trainable parameters, as `parameters`, by Keras's name."""
        return self.parameters()

    @property
    def trainable_variables(self) -> list[Parameter]:
        """The trainable parameters, as `parameters`, by another of Keras's names."""
        return self.parameters()

    @property
    def non_trainable_weights(self) -> list[Parameter]:
        """All other weights: batch norm's moving statistics, and the weights of layers that are not trainable."""
        return [weight for layer in self.layers for weight in layer.non_trainable_weights]

    @property
    def weights(self) -> list[Parameter]:
        """All weights in Keras's order: the parameters and batch norm's moving statistics."""
        return [weight for layer in self.layers for weight in layer.weights]

    @property
    def variables(self) -> list[Parameter]:
        """All weights, by Keras's other name."""
        return self.weights

    @property
    def non_trainable_variables(self) -> list[Parameter]:
        return self.non_trainable_weights

    @property
    def losses(self) -> list[Array]:
        """The penalty of each trainable parameter with a regularizer; `fit` adds them to the loss."""
        return [penalty for layer in self.layers for penalty in layer.losses]

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
        """Whether all layers have their parameters, and know the shapes of their inputs."""
        return bool(self.layers) and all(layer.input_shape is not None for layer in self.layers)

    @property
    def output_shape(self) -> Any:
        """The output's shape with the batch axis; of several outputs, the list; None if it is not known yet."""
        shapes = [layer.output_shape for layer in self.layers]
        return gather([None] * len(self.input_names) + shapes, self.output_numbers)

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that compute the outputs."""
        return [self.value_names[number] for number in self.output_numbers]

    @property
    def value_names(self) -> list[str]:
        """The names of the inputs, then those of the layers."""
        return [*self.input_names, *(layer.name for layer in self.layers)]

    @property
    def is_sequence(self) -> bool:
        """Whether each layer gets the value before it, and the last one's is the output: there are no branches."""
        return (
            len(self.input_names) == 1
            and self.sources == in_sequence(len(self.layers))
            and self.output_numbers == (len(self.layers),)
        )

    @property
    def built_for(self) -> Any:
        """The input shape that the layers were built for; of several inputs, the list."""
        if not self.built:
            return None
        shapes: dict[int, Any] = {}
        for layer, sources in zip(self.layers, self.sources, strict=True):
            for source, shape in zip(sources, listed(layer.input_shape), strict=True):
                shapes.setdefault(source, shape)
        return gather(shapes, tuple(range(len(self.input_names))))

    def ensure_built(self, x: Any) -> None:
        """Build the layers that are not built yet with the first sample of x (N, …). Raises the errors of forward."""
        if self.built:
            return
        with _building:
            if not self.built:
                self.check_input(x)
                self.forward(each(first_sample, x))
                for layer in self.layers:
                    layer.saved = None

    def as_input(self, x: Any, where: str | None = None) -> Any:
        """x as an array with as many axes as the network's inputs: as in Keras, a last axis of length 1 is added to
        x or removed from it if it then fits. Of several inputs, the list of arrays in their order; x is a list, a tuple
        or a dict by their names. Raises TypeError or ValueError, naming `where`, for anything else.
        """
        where, names = where or self.name, self.input_names
        x = in_their_order(where, names, x)
        if len(names) == 1:
            return as_input(where, x, self.input_shape, self.dtype)
        arrays = [
            as_input(f"{where}, input {name!r}", one, shape, self.dtype)
            for name, one, shape in zip(names, x, self.input_shape or (), strict=True)
        ]
        check_samples_alike(where, names, arrays)
        return arrays

    def check_input(self, x: Any) -> None:
        """Raise ValueError unless x, an array or a list of one for each input, has the network's input shape."""
        for name, one, shape in zip(self.input_names, listed(x), listed(self.input_shape), strict=True):
            if shape is None or not fits(one.shape, shape):
                where = f"input {name!r}" if len(self.input_names) > 1 else self.layers[0]
                check_input(f"{self.name}, {where}", one, shape)

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """forward(x, training); without `training`, only layers of data augmentation are in training, as in Keras.

        Called on an Input or a Value: the Value of the output, as in a larger graph; of several, a list. There,
        training=False has all layers compute as in inference while the larger model is trained.
        """
        x = in_their_order(self.name, self.input_names, x)
        values: list[Any] = list(values_in(self.name, x))
        if not values:
            augments = training is None and any(layer.training_by_default for layer in self.layers)
            if augments:
                return gather(self.values(x, None), self.output_numbers)
            return self.forward(x, False if training is None else training)
        check_mode(self.name, training)
        if (expected := len(self.input_names)) != len(values):
            raise ValueError(explain(self.name, f"{expected} inputs", f"{len(values)}", "Give one value for each."))
        for layer, sources, mode in zip(self.layers, self.sources, self.modes, strict=True):
            values.append(layer(gather(values, sources), mode if training is None else training))
        return gather(values, self.output_numbers)


def first_sample(x: Array) -> Array:
    """A batch of the first sample of x."""
    return x[:1]


def in_sequence(layers: int) -> tuple[Sources, ...]:
    """The sources of so many layers in a sequence: each gets the value before it."""
    return tuple((number,) for number in range(layers))


# --8<-- [start:parts]
def gather(values: Sequence[Any] | Mapping[int, Any], numbers: Sources) -> Any:
    """The values of these numbers, which a layer gets or a network returns: one value, or a list of several."""
    return [values[number] for number in numbers] if len(numbers) > 1 else values[numbers[0]]


def add_parts(gradients: dict[int, Array], numbers: Sources, parts: Any) -> None:
    """Add to the gradients of the values of these numbers: one part, or a list of one for each."""
    for number, part in zip(numbers, parts if len(numbers) > 1 else [parts], strict=True):
        gradients[number] = gradients[number] + part if number in gradients else part


# --8<-- [end:parts]


def with_activations(
    layers: Sequence[Layer], sources: Sequence[Sources], outputs: Sources, modes: Sequence[Mode], inputs: int = 1
) -> tuple[list[Layer], list[Sources], Sources, list[Mode]]:
    """A network of built layers; a layer without an activation and the activation layer that alone gets its output
    become a copy of the first one."""
    uses = Counter(source for own in (*sources, outputs) for source in own)
    new_layers: list[Layer] = []
    new_sources: list[Sources] = []
    new_modes: list[Mode] = []
    numbers = list(range(inputs))  # the new numbers of the old values
    for layer, own, mode in zip(layers, sources, modes, strict=True):
        number = numbers[own[0]]
        fused = None
        if number >= inputs and uses[own[0]] == 1 and isinstance(layer, (Activation, ReLU, Softmax)):
            before = new_layers[number - inputs]
            steps = layer.described_steps() if before.activation == "linear" else None
            if steps is not None and steps[0][0] == "activation":
                *_, (activation,) = steps[0]
                fused = before.ending_in(activation)
        if fused is None:
            new_layers.append(layer)
            new_modes.append(mode)
            new_sources.append(tuple(numbers[source] for source in own))
            number = inputs + len(new_layers) - 1
        else:
            new_layers[number - inputs] = fused
        numbers.append(number)
    return new_layers, new_sources, tuple(numbers[number] for number in outputs), new_modes


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
