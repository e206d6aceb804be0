"""The base class of all optimisers: learning rate, slots, and the checks of a step."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np

from .. import arguments
from ..backends import active, backend_name, check_memory, to_device, to_host
from ..backends.contract import Array
from ..compatibility import missing_member
from ..configurable import Configurable
from ..errors import explain, shown
from ..parameters import Parameter, moving, replace_all
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

    With `gradient_accumulation_steps` = n, only every n-th call of `step` updates the values, with the mean of the last
    n gradients: n small batches are one large one.

    With `use_ema`, average ← ema_momentum · average + (1 − ema_momentum) · value after each step; the first average is
    the value of the first step. The values become their averages after every `ema_overwrite_frequency` steps, and at
    the end of `fit`.
    """

    set_by_base = frozenset({"slots"})

    accepted_at_default: ClassVar[dict[str, Any]] = {
        "loss_scale_factor": None,
        "jit_compile": True,
    }

    slot_names: tuple[str, ...] = ()
    """The names of the slots that the update rule needs."""

    slot_start = 0.0
    """The value of their entries before the first step."""

    calls = 0
    """The number of calls of `step` so far."""

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule,
        *,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        gradient_accumulation_steps: int | None = None,
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
        self.use_ema = arguments.flag(f"{where} use_ema", use_ema)
        self.ema_momentum = arguments.fraction(f"{where} ema_momentum", ema_momentum)
        self.ema_overwrite_frequency, self.gradient_accumulation_steps = (
            None if steps is None else arguments.whole(f"{where} {name}", steps, least)
            for name, steps, least in (
                ("ema_overwrite_frequency", ema_overwrite_frequency, 1),
                ("gradient_accumulation_steps", gradient_accumulation_steps, 2),
            )
        )
        self._excluded: tuple[list[Parameter], list[str]] = [], []  # parameters, and parts of names
        self._checked_for = ""  # the name of the backend in whose memory the last step found all arrays
        self.slots: dict[str, list[Array]] = {}  # for every slot name, one array for each parameter, in their order

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
    def learning_rate(self, value: float | LearningRateSchedule) -> None:
        where = f"{type(self).__name__} learning_rate"
        if isinstance(self._learning_rate, LearningRateSchedule) and not isinstance(value, LearningRateSchedule):
            expected = "no change of a learning rate with a schedule"
            remedy = "Make the optimiser with a number, to set it yourself or by a callback."
            raise TypeError(explain(where, expected, shown(value), remedy))
        self._learning_rate = schedules.get(where, value)

    @property
    def iterations(self) -> int:
        """The number of updates so far."""
        return self.calls // (self.gradient_accumulation_steps or 1)

    @property
    def all_slot_names(self) -> tuple[str, ...]:
        """The names of the rule's slots, and of those for moving averages and accumulated gradients."""
        accumulates = self.gradient_accumulation_steps is not None
        return (*self.slot_names, *["averages"] * self.use_ema, *["gradients"] * accumulates)

    def exclude_from_weight_decay(
        self, var_list: Sequence[Parameter] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        """Exclude these parameters, and those in whose name one of `var_names` occurs: ["bias", "gamma", "beta"].

        minicnn's own model files keep this, Keras's formats do not. Raises ValueError after the first step.
        """
        where = f"{type(self).__name__} exclude_from_weight_decay"
        if self.slots:
            found = f"one after step {self.calls}"
            raise ValueError(explain(where, "a call before the first step", found, "Make a new optimiser."))
        self._excluded = (
            arguments.sequence(f"{where} var_list", var_list or [], Parameter, "parameters"),
            arguments.sequence(f"{where} var_names", var_names or [], str, "strings"),
        )

    def decays(self, parameter: Parameter) -> bool:
        """Whether weight decay applies to the parameter: it is not excluded."""
        parameters, names = self._excluded
        return all(parameter is not one for one in parameters) and not any(name in parameter.name for name in names)

    def step(self, parameters: Sequence[Parameter]) -> None:
        """Update the parameters, or with gradient_accumulation_steps = n every n-th time only add up the gradients.

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
        with moving(parameters):
            self._move([parameter.value for parameter in parameters], [parameter.grad for parameter in parameters])
        self.calls += 1

    def _move(self, values: list[Array], grads: list[Array]) -> None:
        """Update the values, if enough gradients are accumulated, then their moving averages."""
        if self.gradient_accumulation_steps is not None:
            grads = self._accumulated(grads, self.gradient_accumulation_steps)
        if grads:
            arrays = values, self.clipped(grads), *(self.slots[name] for name in self.slot_names)
            for numbers, weight_decay in ((self._decayed, self.weight_decay), (self._undecayed, 0.0)):
                if numbers:
                    chosen = [[of_all[number] for number in numbers] for of_all in arrays]
                    self.update(chosen[0], chosen[1], chosen[2:], weight_decay)
        if self.use_ema:
            self._average(values)

    def _accumulated(self, grads: list[Array], steps: int) -> list[Array]:
        """The mean of the gradients of the last `steps` calls; [] until there are so many."""
        for total, grad in zip(self.slots["gradients"], grads, strict=True):
            total += grad
        if (self.calls + 1) % steps:
            return []
        means = [total / steps for total in self.slots["gradients"]]
        for total in self.slots["gradients"]:
            total[...] = 0
        return means

    def _average(self, values: list[Array]) -> None:
        """Update the moving averages, and let the values become them if it is time."""
        momentum = self.ema_momentum if self.iterations else 0.0
        for value, average in zip(values, self.slots["averages"], strict=True):
            average += (1 - momentum) * (value - average)
            if self.ema_overwrite_frequency and (self.iterations + 1) % self.ema_overwrite_frequency == 0:
                value[...] = average

    def finalize_variable_values(self, var_list: Sequence[Parameter]) -> None:
        """With use_ema, give the parameters their averages, as `fit` does at its end. Raises the errors of step."""
        parameters = arguments.sequence(f"{type(self).__name__} var_list", var_list, Parameter, "parameters")
        if self.use_ema and self.slots:
            self.build(parameters)
            replace_all(parameters, [to_device(average, copy=True) for average in self.slots["averages"]])

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

    def update(self, values: list[Array], grads: list[Array], slots: list[list[Array]], weight_decay: float) -> None:
        """The update rule: one operation of the backend. It is called before `iterations` counts the step.

        `slots` has one list of arrays for each of slot_names; all lists are in the order of `values`.
        """
        expected = "a method update(self, values, grads, slots, weight_decay)"
        raise NotImplementedError(explain(type(self).__name__, expected, "none", "Change the values in place in it."))

    def build(self, parameters: Sequence[Parameter]) -> None:
        """On the first call, make the slots; later, check that the parameters are still the same."""
        if len({id(parameter.value) for parameter in parameters}) < len(parameters):
            found = f"one twice among {', '.join(parameter.name for parameter in parameters)}"
            raise ValueError(
                explain(type(self).__name__, "each parameter once", found, "List it once: it would be updated twice.")
            )
        shapes = [tuple(parameter.value.shape) for parameter in parameters]
        if not self.slots:
            starts = {name: self.slot_start if name in self.slot_names else 0.0 for name in self.all_slot_names}
            self.slots = {
                name: [to_device(np.full(p.value.shape, start, p.value.dtype)) for p in parameters]
                for name, start in starts.items()
            }
            decays = [self.decays(parameter) for parameter in parameters]
            self._decayed, self._undecayed = (
                [number for number, decayed in enumerate(decays) if decayed is kind] for kind in (True, False)
            )
        built_for = next(([tuple(array.shape) for array in arrays] for arrays in self.slots.values()), shapes)
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
        for name, slot in self.slots.items():
            for array in slot:
                remedy = "After a change of device: set_state(calls, get_state(), model.parameters()) moves them."
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
        """Copies of all slot arrays. Together with `calls` and the configuration they are the whole state."""
        return [np.array(to_host(array)) for slot in self.slots.values() for array in slot]

    def set_state(self, calls: int, arrays: Sequence[Any], parameters: Sequence[Parameter]) -> None:
        """Restore what get_state returned, for these parameters. Raises ValueError if it is of other parameters."""
        where = type(self).__name__
        parameters = arguments.sequence(f"{where} set_state", parameters, Parameter, "parameters")
        names = [(slot, parameter) for slot in self.all_slot_names for parameter in parameters]
        calls = arguments.whole(f"{where} set_state calls", calls, least=0)
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
        self.slots = {}
        self.build(parameters)
        rest = iter(arrays)
        self.slots = {
            name: [to_device(next(rest), array.dtype, copy=True) for array in slot] for name, slot in self.slots.items()
        }
        self.calls = calls

    def fresh(self) -> Optimizer:
        """A copy that has made no step."""
        twin = deepcopy(self)
        twin.calls, twin.slots = 0, {}
        return twin

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
