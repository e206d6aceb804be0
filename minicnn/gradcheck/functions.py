"""The functions that can be checked: arrays to differentiate with respect to, a forward and a backward."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any

import numpy as np

from .. import arguments
from ..backends import to_device, to_host
from ..errors import explain
from ..layers import Layer, Parameter
from ..layers.base import shape_of
from ..losses import Loss
from ..models import Model
from ..several import each

Arrays = Mapping[str, np.ndarray]
Gradients = dict[str, "np.ndarray | None"]

SEED = 20151
"""NumPy's global generator starts each forward here, so that a dropout that uses it draws the same mask every time."""


class Function:
    """A forward and a backward to be checked. Arguments and results are NumPy arrays."""

    title: str
    arrays: dict[str, np.ndarray]
    """The arrays that have gradients, float64; the first is the input, with the samples on its first axis."""
    skippable: Collection[str] = ("x",)
    """The names of the arrays whose gradients a backward without dx may leave out."""
    layers: Sequence[Layer] = ()
    takes_dy = True
    """False for a function that ends with a loss, whose backward takes no dy."""
    handed: dict[str, Any]
    """The arrays given to the last forward; `protocol.py` checks that they were not overwritten."""

    labels: np.ndarray | None = None
    """The targets of a loss."""

    def forward(self, arrays: Arrays) -> np.ndarray:
        """y for these arrays, real or complex; everything else, such as dropout's masks, is the same every time."""
        dtype = np.result_type(*arrays.values())
        np.random.seed(SEED)
        self.handed = {name: to_device(array, dtype, copy=True) for name, array in arrays.items()}
        return to_host(arguments.array(self.title, "outputs", self.run_forward(self.handed, dtype), dtype))

    def backward(self, dy: np.ndarray, need_dx: bool = True) -> Gradients:
        """The gradients of the last forward by the names of the arrays; None for a missing one."""
        gradients = self.run_backward(to_device(dy), need_dx)
        return {name: None if g is None else self._numbers(name, g) for name, g in gradients.items()}

    def _numbers(self, name: str, gradient: Any) -> np.ndarray:
        """A gradient on the host; a mask (x > 0) counts as 0 and 1, since NumPy can't subtract truth values."""
        numbers = to_host(arguments.array(self.title, self.quantity(name), gradient))
        return numbers.astype(np.float64) if numbers.dtype == bool else numbers

    def run_forward(self, handed: Mapping[str, Any], dtype: np.dtype) -> Any:
        raise NotImplementedError

    def run_backward(self, dy: Any, need_dx: bool) -> dict[str, Any]:
        raise NotImplementedError

    def clear_gradients(self) -> None:
        """Discard the gradients of earlier batches."""

    def of_samples(self, chosen: np.ndarray, N: int) -> Iterator[Function]:
        """This function for these of the N samples, by their indices, in everything that belongs to them except the
        arrays; the likeliest first, if it is not sure what belongs to them."""
        yield copy(self)

    def take_labels(self, labels: np.ndarray) -> None:
        """Take other labels."""
        self.labels = labels

    def quantity(self, argument: str) -> str:
        """The name of the gradient with respect to an argument."""
        return f"d{argument}"


class LossFunction(Function):
    """A loss, as a function of the predictions."""

    takes_dy = False
    labels: np.ndarray

    def __init__(self, loss: Loss, y_true: np.ndarray, y_pred: np.ndarray) -> None:
        self.title = type(loss).__name__
        self.arrays = {"y_pred": y_pred}
        self.loss, self.labels = loss, loss.check_targets(y_true, y_pred.shape)

    def of_samples(self, chosen: np.ndarray, N: int) -> Iterator[Function]:
        other = copy(self)
        other.take_labels(self.labels[chosen])
        yield other

    def run_forward(self, handed: Mapping[str, Any], dtype: np.dtype) -> Any:
        return self.loss.mean(self.labels, handed["y_pred"])  # forward's checks would refuse complex numbers

    def run_backward(self, dy: Any, need_dx: bool) -> dict[str, Any]:
        return {"y_pred": self.loss.backward()}


class LayeredFunction(Function):
    """A function of layers: their parameters have gradients, too."""

    def __init__(self, layers: Sequence[Layer], x: Any, training: bool, rng: np.random.Generator) -> None:
        self.layers, self.training = layers, training
        self.inputs = {f"x[{k}]": one for k, one in enumerate(x)} if isinstance(x, list) else {"x": x}
        self.skippable = self.inputs
        self.states = [layer.get_state() for layer in layers]
        self.parameters: dict[str, Parameter] = {}
        self.constants: dict[str, Parameter] = {}
        for layer in layers:
            for parameter in parameters_of(layer):
                role = self.parameters if parameter in layer.parameters() else self.constants
                if self._name(layer, parameter) in role:
                    raise ValueError(
                        explain(str(layer), "weights of different names", repr(parameter.name) + " twice", "Rename it.")
                    )
                role[self._name(layer, parameter)] = parameter
        self.arrays = {**self.inputs, **{name: interesting(p, rng) for name, p in self.parameters.items()}}
        self.fixed = {name: interesting(p, rng) for name, p in self.constants.items()}
        self.clear_gradients()

    def _name(self, layer: Layer, parameter: Parameter) -> str:
        short = parameter.name.split("/")[-1]
        return short if len(self.layers) == 1 else f"{layer.name}/{short}"

    def quantity(self, argument: str) -> str:
        return f"d{argument}" if argument in self.inputs else f"{argument}.grad"

    def input_of(self, handed: Mapping[str, Any]) -> Any:
        """The array x, or the list of a layer's inputs."""
        x = [handed[name] for name in self.inputs]
        return x[0] if "x" in self.inputs else x

    def clear_gradients(self) -> None:
        for parameter in self.parameters.values():
            parameter.grad = None if parameter.grad is None else parameter.grad * 0  # zeros for +=

    def place(self, handed: Mapping[str, Any], dtype: np.dtype) -> None:
        """Set the layers to the state in which every forward starts: these parameters, same states, this precision."""
        for layer, state in zip(self.layers, self.states, strict=True):
            layer.dtype = dtype
            layer.set_state(state)
        for name, parameter in self.parameters.items():
            parameter.value = handed[name]
        for name, parameter in self.constants.items():
            parameter.value = to_device(self.fixed[name], dtype, copy=True)

    def gradients(self, dx: Any) -> dict[str, Any]:
        inputs = dx if dx is not None and "x" not in self.inputs else [dx] * len(self.inputs)
        parameters = {name: parameter.grad for name, parameter in self.parameters.items()}
        return {**dict(zip(self.inputs, inputs, strict=True)), **parameters}


class LayerFunction(LayeredFunction):
    """One built layer."""

    def __init__(self, layer: Layer, x: Any, training: bool, rng: np.random.Generator) -> None:
        super().__init__([layer], x, training, rng)
        self.layer = layer
        self.title = str(layer)

    def run_forward(self, handed: Mapping[str, Any], dtype: np.dtype) -> Any:
        self.place(handed, dtype)
        return self.layer.forward(self.input_of(handed), self.training)

    def run_backward(self, dy: Any, need_dx: bool) -> dict[str, Any]:
        try:
            dx = self.layer.call_backward(dy, need_dx)  # backward would raise
        except (TypeError, AttributeError) as error:
            if self.layer.saved is not None or "NoneType" not in str(error):
                raise
            remedy = "Set it in call to what the backward needs: self.saved = x, or () if nothing is kept."
            raise TypeError(explain(self.title, "self.saved, set by call", "None", remedy)) from error
        return self.gradients(dx)


class ModelFunction(LayeredFunction):
    """A built and compiled model and its loss, fused as in `fit`."""

    takes_dy = False

    def __init__(self, model: Model, x: Any, y: Any, training: bool, rng: np.random.Generator) -> None:
        super().__init__(model.layers, x, training, rng)
        self.model = model
        self.targets = model.loss.check_targets(y, shape_of(model.forward(each(to_device, x))))
        self.title = f"{model.name} under {type(model.loss).__name__}, training={training}"

    def run_forward(self, handed: Mapping[str, Any], dtype: np.dtype) -> Any:
        self.place(handed, dtype)
        self.network, self.loss = self.model.objective()
        loss = self.loss.mean(self.targets, self.network.forward(self.input_of(handed), self.training))
        return self.network.add_penalties(loss)

    def run_backward(self, dy: Any, need_dx: bool) -> dict[str, Any]:
        dx = self.network.backward(self.loss.backward(), need_dx)
        self.network.add_penalty_gradients()
        return self.gradients(dx)


def parameters_of(layer: Layer) -> list[Parameter]:
    """All Parameters of the layer: its weights and its constants."""
    attributes = [value for value in vars(layer).values() if isinstance(value, Parameter)]
    return layer.weights + [parameter for parameter in attributes if parameter not in layer.weights]


def interesting(parameter: Parameter, rng: np.random.Generator) -> np.ndarray:
    """The parameter's value in float64; if all entries are equal, as in initial biases and gammas, it is randomised.

    A missing factor has no effect if it is 1, a missing bias none if it is 0.
    """
    value = np.array(to_host(parameter.value), np.float64)
    if value.size and np.ptp(value) == 0:
        value = value + np.where(value == 0, 1.0, value) * rng.uniform(-0.5, 0.5, value.shape)
    return value


@contextmanager
def random_numbers_left_alone() -> Iterator[None]:
    """Restore NumPy's global generator at the end of the block."""
    state = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(state)


@contextmanager
def left_as_found(layers: Sequence[Layer]) -> Iterator[None]:
    """Restore the layers and their parameters at the end of the block."""
    things = [thing for layer in layers for thing in (layer, *parameters_of(layer))]
    found = [dict(vars(thing)) for thing in things]
    try:
        yield
    finally:
        for thing, attributes in zip(things, found, strict=True):
            vars(thing).clear()
            vars(thing).update(attributes)
