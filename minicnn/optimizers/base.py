"""The base class of all optimisers: learning rate, slots, and the checks of a step."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from .. import arguments
from ..backends import active, backend_name, check_memory, to_device, to_host
from ..backends.contract import Array
from ..compatibility import missing_member
from ..configurable import Configurable
from ..errors import explain, shown
from ..parameters import Parameter, moving
from . import schedules
from .schedules import LearningRateSchedule


class Optimizer(Configurable):
    """Base class of all optimisers: `step(parameters)` updates every value with its grad, in place.

    The first step fixes the parameters. Each has slots (velocities, moments): arrays of its shape.
    `learning_rate` is a number or a schedule; `weight_decay` is decoupled from the gradient (Loshchilov & Hutter,
    2019): each step begins with value ← value − learning_rate · weight_decay · value, None means 0.

    At most one of three limits shortens gradients before the step: `clipvalue` limits every entry to ± clipvalue,
    `clipnorm` the norm of each gradient, `global_clipnorm` the norm of all gradients together. A gradient that is too
    long keeps its direction: grad ← grad · limit / norm. None or 0 is no limit.
    """

    set_by_base = frozenset({"slots"})

    accepted_at_default: ClassVar[dict[str, Any]] = {
        "use_ema": False,
        "ema_momentum": 0.99,
        "ema_overwrite_frequency": None,
        "loss_scale_factor": None,
        "gradient_accumulation_steps": None,
        "jit_compile": True,
    }

    slot_names: tuple[str, ...] = ()

    iterations = 0
    """The number of steps so far."""

    slot_start = 0.0
    """The value of every slot's entries before the first step."""

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule,
        *,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        decay: float | None = None,
    ) -> None:
        where = type(self).__name__
        if decay:
            remedy = "Give learning_rate a schedule: optimizers.schedules.InverseTimeDecay is what decay was."
            warnings.warn(f"{where}: decay has no effect, as in Keras 3. {remedy}", stacklevel=4)
        self.name = where.lower() if name is None else arguments.text(f"{where} name", name)
        self._learning_rate = schedules.get(f"{where} learning_rate", learning_rate)
        self.weight_decay = arguments.non_negative(
            f"{where} weight_decay", 0.0 if weight_decay is None else weight_decay
        )
        limits = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        given = {name: arguments.non_negative(f"{where} {name}", limit) for name, limit in limits.items() if limit}
        if len(given) > 1:
            raise ValueError(explain(where, f"at most one of {', '.join(limits)}", ", ".join(given), "Choose one."))
        self.clipnorm, self.clipvalue, self.global_clipnorm = (given.get(name) for name in limits)
        self._checked_for = ""  # the name of the backend in whose memory the last step found all arrays
        self.slots: list[list[Array]] = []  # one list of arrays, in the parameters' order, for every slot name

    def __getattr__(self, name: str) -> Any:
        """Called for an attribute that does not exist."""
        raise missing_member(self, "Optimizer", name)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step. It can be set to another number, unless a schedule determines it."""
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            return arguments.non_negative(f"{type(rate).__name__}, what it returns", rate(self.iterations))
        return rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        if isinstance(self._learning_rate, LearningRateSchedule):
            where, expected = f"{type(self).__name__} learning_rate", "no change of a learning rate with a schedule"
            remedy = "Make the optimiser with a number, to set it yourself or by a callback."
            raise TypeError(explain(where, expected, shown(value), remedy))
        self._learning_rate = arguments.non_negative(f"{type(self).__name__} learning_rate", value)

    def step(self, parameters: Sequence[Parameter]) -> None:
        """Update the parameters.

        Raises RuntimeError if a parameter has no gradient; ValueError or TypeError if the parameters are not those of
        the first step, if one is given twice, or if a gradient differs from its parameter in shape, dtype or memory.
        """
        parameters = arguments.sequence(f"{type(self).__name__} step", parameters, Parameter, "parameters")
        self.build(parameters)
        for parameter in parameters:
            if parameter.grad is None:
                raise RuntimeError(f"{parameter.name} has no gradient: call model.backward before step.")
        for parameter in parameters:
            self._check_gradient(parameter.name, parameter.value, parameter.grad)
        if backend_name() != self._checked_for:
            self._check_memory(parameters)
            self._checked_for = backend_name()
        grads = self.clipped([parameter.grad for parameter in parameters])
        with moving(parameters):
            self.update([parameter.value for parameter in parameters], grads)
        self.iterations += 1

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Array, Parameter]]) -> None:
        """`step` with (gradient, parameter) pairs, Keras's form of it. Raises the errors of step."""
        pairs = list(grads_and_vars)
        self.apply([grad for grad, _ in pairs], [parameter for _, parameter in pairs])

    def apply(self, grads: Sequence[Array], parameters: Sequence[Parameter]) -> None:
        """`step` with these gradients, another of Keras's forms. Raises the errors of step."""
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = grad
        self.step(parameters)

    def clipped(self, grads: list[Array]) -> list[Array]:
        """The gradients within the limits clipvalue, clipnorm and global_clipnorm; new arrays if there is a limit."""
        ops = active()
        if self.clipvalue:
            return [ops.clip_by_value(grad, self.clipvalue) for grad in grads]
        if self.clipnorm:
            return [ops.clip_by_norm(grad, _squares([grad]), self.clipnorm) for grad in grads]
        if self.global_clipnorm and grads:
            squares = _squares(grads)
            return [ops.clip_by_norm(grad, squares, self.global_clipnorm) for grad in grads]
        return grads

    def update(self, values: list[Array], grads: list[Array]) -> None:
        """The update rule: one operation of the backend. It is called before `iterations` counts the step."""
        expected = "a method update(self, values, grads)"
        raise NotImplementedError(explain(type(self).__name__, expected, "none", "Move the values in it."))

    def build(self, parameters: Sequence[Parameter]) -> None:
        """On the first call, make the slots; later, check that the parameters are still the same."""
        if len({id(parameter.value) for parameter in parameters}) < len(parameters):
            found = f"one twice among {', '.join(parameter.name for parameter in parameters)}"
            raise ValueError(explain(type(self).__name__, "each parameter once", found, "It would be updated twice."))
        shapes = [tuple(parameter.value.shape) for parameter in parameters]
        if not self.slots:
            self.slots = [
                [to_device(np.full(p.value.shape, self.slot_start, p.value.dtype)) for p in parameters]
                for _ in self.slot_names
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

    def given_config(self) -> dict[str, Any]:
        rate = self._learning_rate
        described = rate.describe() if isinstance(rate, LearningRateSchedule) else rate  # callbacks may have changed it
        return {**super().given_config(), "learning_rate": described}


def _squares(grads: Sequence[Array]) -> Array:
    """Σ grad² of all entries of all gradients, a scalar: the L2 penalty with the factor 1."""
    total = to_device(np.zeros((), grads[0].dtype))
    for grad in grads:
        total = active().add_penalty(total, grad, 0.0, 1.0)
    return total
