"""Optimisers: they update the parameters with the gradients. A step is a separate call, never part of a backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import arguments
from .backends import active, backend_name, check_memory, to_device, to_host
from .backends.contract import Array
from .configurable import Configurable, from_description
from .errors import explain
from .parameters import Parameter, moving


class Optimizer(Configurable):
    """Base class of all optimisers: `step(parameters)` updates every value with its grad, in place.

    The first step fixes the parameters. Each has slots (velocities, moments): arrays of its shape.
    """

    set_by_base = frozenset({"slots"})

    slot_names: tuple[str, ...] = ()

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = arguments.non_negative(f"{type(self).__name__} learning_rate", learning_rate)
        self.iterations = 0
        self._checked_for = ""  # the name of the backend in whose memory the last step found all arrays
        self.slots: list[list[Array]] = []  # one list of arrays, in the parameters' order, for every slot name

    def step(self, parameters: Sequence[Parameter]) -> None:
        """Update the parameters.

        Raises RuntimeError if a parameter has no gradient; ValueError or TypeError if the parameters are not those of
        the first step, if one is given twice, or if a gradient differs from its parameter in shape, dtype or memory.
        """
        parameters = arguments.sequence(f"{type(self).__name__} step", parameters, Parameter, "parameters")
        self.learning_rate = arguments.non_negative(f"{type(self).__name__} learning_rate", self.learning_rate)
        self.build(parameters)
        for parameter in parameters:
            if parameter.grad is None:
                raise RuntimeError(f"{parameter.name} has no gradient: call model.backward before step.")
        for parameter in parameters:
            self._check_gradient(parameter.name, parameter.value, parameter.grad)
        if backend_name() != self._checked_for:
            self._check_memory(parameters)
            self._checked_for = backend_name()
        self.iterations += 1
        with moving(parameters):
            self.update([parameter.value for parameter in parameters], [parameter.grad for parameter in parameters])

    def update(self, values: list[Array], grads: list[Array]) -> None:
        """The update rule: one operation of the backend."""
        expected = "a method update(self, values, grads)"
        raise NotImplementedError(explain(type(self).__name__, expected, "none", "Move the values in it."))

    def build(self, parameters: Sequence[Parameter]) -> None:
        """On the first call, make the slots, all zeros; later, check that the parameters are still the same."""
        if len({id(parameter.value) for parameter in parameters}) < len(parameters):
            found = f"one twice among {', '.join(parameter.name for parameter in parameters)}"
            raise ValueError(explain(type(self).__name__, "each parameter once", found, "It would be updated twice."))
        shapes = [tuple(parameter.value.shape) for parameter in parameters]
        if not self.slots:
            self.slots = [
                [to_device(np.zeros(p.value.shape, p.value.dtype)) for p in parameters] for _ in self.slot_names
            ]
        built_for = [tuple(slot.shape) for slot in self.slots[0]] if self.slots else shapes
        if shapes != built_for:
            raise ValueError(
                explain(
                    type(self).__name__,
                    f"the parameters of its first step, of shapes {built_for}",
                    f"shapes {shapes}",
                    "Make a new optimiser for another model, or after changing what is trainable.",
                )
            )

    def _check_memory(self, parameters: Sequence[Parameter]) -> None:
        """Raise TypeError if an array that the step needs is not in the active backend's memory."""
        for parameter in parameters:
            check_memory(type(self).__name__, f"{parameter.name}'s value", parameter.value)
            check_memory(type(self).__name__, f"{parameter.name}'s grad", parameter.grad)
        for name, slot in zip(self.slot_names, self.slots, strict=True):
            for array in slot:
                remedy = "After a change of device: set_state(iterations, get_state(), model.parameters()) moves them."
                check_memory(type(self).__name__, name, array, remedy)

    def _check_gradient(self, name: str, value: Array, grad: Array) -> None:
        """Raise ValueError or TypeError unless the gradient has the value's shape and dtype."""
        if type(grad) is type(value) and grad.shape == value.shape and grad.dtype == value.dtype:
            return
        where = f"{type(self).__name__}, {name}"
        check_memory(type(self).__name__, f"{name}'s grad", grad)
        if grad.shape != value.shape:
            expected = f"a gradient of the parameter's shape {tuple(value.shape)}"
            batch = grad.shape[grad.ndim - value.ndim :] == value.shape  # additional axes before those of the value
            remedy = "Sum over the batch: .sum(axis=0)." if batch else "The layer's call_backward has to set that."
            raise ValueError(explain(where, expected, f"shape {tuple(grad.shape)}", remedy))
        if grad.dtype != value.dtype:
            expected = f"a gradient of the parameter's dtype {value.dtype}"
            raise TypeError(explain(where, expected, str(grad.dtype), f'Convert it with .astype("{value.dtype}").'))

    def get_state(self) -> list[np.ndarray]:
        """Copies of all slot arrays. Together with `iterations` and the configuration they are the whole state."""
        return [np.array(to_host(array)) for slot in self.slots for array in slot]

    def set_state(self, iterations: int, arrays: Sequence[Any], parameters: Sequence[Parameter]) -> None:
        """Restore what get_state returned, for these parameters. Raises ValueError if it is of other parameters."""
        where = type(self).__name__
        parameters = arguments.sequence(f"{where} set_state", parameters, Parameter, "parameters")
        names = [(slot, parameter) for slot in self.slot_names for parameter in parameters]
        iterations = arguments.whole(f"{where} set_state iterations", iterations, least=0)
        arrays = arguments.sequence(f"{where} set_state", arrays, object, "arrays")
        if len(arrays) != len(names):
            raise ValueError(explain(where, f"{len(names)} slot arrays", str(len(arrays)), "Give get_state()'s list."))
        for (slot, parameter), array in zip(names, map(np.asarray, arrays), strict=True):
            which = f"{where}, {slot} of {parameter.name}"
            expected = f"shape {tuple(parameter.value.shape)} and {parameter.value.dtype}"
            found = f"shape {array.shape} and {array.dtype}"
            if found != expected:
                raise ValueError(explain(which, expected, found, "The state is of another model, or it is damaged."))
            arguments.array(which, "a slot", array, finite=True)
        self.slots = []
        self.build(parameters)
        rest = iter(arrays)
        self.slots = [[to_device(next(rest), array.dtype, copy=True) for array in slot] for slot in self.slots]
        self.iterations = iterations

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "learning_rate": float(self.learning_rate)}  # schedules change it


class SGD(Optimizer):
    """Gradient descent: velocity ← momentum · velocity − learning_rate · grad; value ← value + velocity."""

    slot_names = ("velocities",)

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False) -> None:
        super().__init__(learning_rate)
        self.momentum = arguments.fraction("SGD momentum", momentum)
        self.nesterov = arguments.flag("SGD nesterov", nesterov)

    def update(self, values: list[Array], grads: list[Array]) -> None:
        (velocities,) = self.slots
        active().sgd_step(values, grads, velocities, self.learning_rate, self.momentum, self.nesterov)


class Adam(Optimizer):
    """Adam (Kingma & Ba, 2015): steps of about learning_rate, independent of the gradient's scale."""

    slot_names = ("means", "variances")
    weight_decay = 0.0

    def __init__(
        self, learning_rate: float = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7
    ) -> None:
        super().__init__(learning_rate)
        where = type(self).__name__
        self.beta_1 = arguments.fraction(f"{where} beta_1", beta_1)
        self.beta_2 = arguments.fraction(f"{where} beta_2", beta_2)
        self.epsilon = arguments.non_negative(f"{where} epsilon", epsilon)

    def update(self, values: list[Array], grads: list[Array]) -> None:
        means, variances = self.slots
        active().adam_step(
            values,
            grads,
            means,
            variances,
            self.iterations,
            self.learning_rate,
            self.beta_1,
            self.beta_2,
            self.epsilon,
            self.weight_decay,
        )


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2019): value −= learning_rate · weight_decay · value."""

    def __init__(
        self,
        learning_rate: float = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon)
        self.weight_decay = arguments.non_negative("AdamW weight_decay", weight_decay)


CLASSES: dict[str, type[Optimizer]] = {cls.__name__: cls for cls in (SGD, Adam, AdamW)}


def get(identifier: Any) -> Optimizer:
    """The optimiser for an Optimizer, a name (in any case) or a description. Raises ValueError for an unknown one."""
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, dict):
        return from_description(identifier, CLASSES, "optimizer")
    names = {name.lower(): cls for name, cls in CLASSES.items()}
    name = identifier.lower() if isinstance(identifier, str) else identifier
    return names[arguments.choice("optimizer", name, names, "the name of an optimiser")]()  # type: ignore[call-arg]
