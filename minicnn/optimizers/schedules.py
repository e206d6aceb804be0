"""Learning-rate schedules: the learning rate as a function of the number of steps.

    Adam(learning_rate=CosineDecay(0.001, decay_steps=epochs * steps_per_epoch))

The optimiser calls its schedule before each step. A schedule has no state of its own: the optimiser counts the steps
and saves the count, so a resumed training continues at the right learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import arguments
from ..compatibility import reporter
from ..configurable import Configurable, deserializer
from ..configurable import serialize as serialize
from ..errors import explain


class LearningRateSchedule(Configurable):
    """Base class of all schedules: a subclass defines `__call__`."""

    def __init__(self, *, name: str | None = None) -> None:
        self.name = type(self).__name__ if name is None else arguments.text(f"{type(self).__name__} name", name)

    def __call__(self, step: float) -> float:
        """The learning rate of the step that follows `step` earlier ones."""
        expected = "a method __call__(self, step)"
        raise NotImplementedError(explain(type(self).__name__, expected, "none", "Return the learning rate from it."))


class ExponentialDecay(LearningRateSchedule):
    """rate = initial_learning_rate · decay_rate ^ (step / decay_steps).

    With staircase=True, the exponent is rounded down: the rate is constant for decay_steps steps, then multiplied by
    decay_rate.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.initial_learning_rate = _rate(self, "initial_learning_rate", initial_learning_rate)
        self.decay_steps = _steps(self, "decay_steps", decay_steps)
        self.decay_rate = _rate(self, "decay_rate", decay_rate)
        self.staircase = arguments.flag("ExponentialDecay staircase", staircase)

    def __call__(self, step: float) -> float:
        exponent = float(step) / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (math.floor(exponent) if self.staircase else exponent)


class InverseTimeDecay(LearningRateSchedule):
    """rate = initial_learning_rate / (1 + decay_rate · step / decay_steps); staircase=True rounds the quotient down."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.initial_learning_rate = _rate(self, "initial_learning_rate", initial_learning_rate)
        self.decay_steps = _steps(self, "decay_steps", decay_steps)
        self.decay_rate = _rate(self, "decay_rate", decay_rate)
        self.staircase = arguments.flag("InverseTimeDecay staircase", staircase)

    def __call__(self, step: float) -> float:
        quotient = float(step) // self.decay_steps if self.staircase else float(step) / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * quotient)


class PiecewiseConstantDecay(LearningRateSchedule):
    """rate = values[0] while step ≤ boundaries[0], values[1] while step ≤ boundaries[1], …, at last values[-1]."""

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], **options: Any) -> None:
        super().__init__(**options)
        where = "PiecewiseConstantDecay"
        self.boundaries = [
            arguments.non_negative(f"{where} boundaries", boundary)
            for boundary in arguments.sequence(f"{where} boundaries", boundaries, object, "numbers of steps")
        ]
        self.values = [
            _rate(self, "values", value)
            for value in arguments.sequence(f"{where} values", values, object, "learning rates")
        ]
        if self.boundaries != sorted(set(self.boundaries)):
            found = str(self.boundaries)
            raise ValueError(explain(f"{where} boundaries", "increasing numbers", found, "Sort them."))
        if len(self.values) != len(self.boundaries) + 1:
            expected, found = f"{len(self.boundaries) + 1} values", str(len(self.values))
            remedy = "There is one more value than boundaries: the last is for all later steps."
            raise ValueError(explain(where, expected, found, remedy))

    def __call__(self, step: float) -> float:
        return self.values[sum(float(step) > boundary for boundary in self.boundaries)]


class PolynomialDecay(LearningRateSchedule):
    """From initial_learning_rate to end_learning_rate over decay_steps; with power=1, on a straight line.

    rate = (initial_learning_rate − end_learning_rate) · (1 − step / decay_steps) ^ power + end_learning_rate

    With cycle=True it starts again after decay_steps, with decay_steps twice as long, then three times …, as in Keras.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.initial_learning_rate = _rate(self, "initial_learning_rate", initial_learning_rate)
        self.decay_steps = _steps(self, "decay_steps", decay_steps)
        self.end_learning_rate = _rate(self, "end_learning_rate", end_learning_rate)
        self.power = arguments.non_negative("PolynomialDecay power", power)
        self.cycle = arguments.flag("PolynomialDecay cycle", cycle)

    def __call__(self, step: float) -> float:
        step = float(step)
        turns = max(math.ceil(step / self.decay_steps), 1) if self.cycle else 1
        left = 1 - min(step / (self.decay_steps * turns), 1)
        return (self.initial_learning_rate - self.end_learning_rate) * left**self.power + self.end_learning_rate


class CosineDecay(LearningRateSchedule):
    """Half a cosine from initial_learning_rate down to alpha · initial_learning_rate, over decay_steps.

    rate = initial_learning_rate · ((1 − alpha) · ½ (1 + cos(π · step / decay_steps)) + alpha)

    With a warmup_target, the rate first rises on a straight line from initial_learning_rate to warmup_target, over
    warmup_steps, and the cosine starts there. A third of the steps for the rise and the rest for the fall is the
    one-cycle policy, for which Keras has no class (Smith & Topin, 2018; momentum is constant here):

        CosineDecay(0.0004, decay_steps=700, warmup_target=0.01, warmup_steps=300)

    (Loshchilov & Hutter, 2017; without restarts)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        *,
        warmup_target: float | None = None,
        warmup_steps: float = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.initial_learning_rate = _rate(self, "initial_learning_rate", initial_learning_rate)
        self.decay_steps = _steps(self, "decay_steps", decay_steps)
        self.alpha = arguments.non_negative("CosineDecay alpha", alpha)
        self.warmup_target = None if warmup_target is None else _rate(self, "warmup_target", warmup_target)
        self.warmup_steps = arguments.non_negative("CosineDecay warmup_steps", warmup_steps)

    def __call__(self, step: float) -> float:
        step = float(step)
        top, decayed = self.initial_learning_rate, step
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return top + (self.warmup_target - top) * step / self.warmup_steps
            top, decayed = self.warmup_target, step - self.warmup_steps
        cosine = (1 + math.cos(math.pi * min(decayed / self.decay_steps, 1))) / 2
        return top * ((1 - self.alpha) * cosine + self.alpha)


class CosineDecayRestarts(LearningRateSchedule):
    """Half a cosine from initial_learning_rate down to alpha · initial_learning_rate, again and again.

    The first one takes first_decay_steps. Each restart takes t_mul times as many steps as the one before and begins at
    m_mul times its initial rate. (Loshchilov & Hutter, 2017)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.initial_learning_rate = _rate(self, "initial_learning_rate", initial_learning_rate)
        self.first_decay_steps = _steps(self, "first_decay_steps", first_decay_steps)
        self.t_mul = arguments.number("CosineDecayRestarts t_mul", t_mul, least=1)
        self.m_mul = arguments.non_negative("CosineDecayRestarts m_mul", m_mul)
        self.alpha = arguments.non_negative("CosineDecayRestarts alpha", alpha)

    def __call__(self, step: float) -> float:
        top, steps, since = 1.0, self.first_decay_steps, float(step)
        while since >= steps:
            top, steps, since = top * self.m_mul, steps * self.t_mul, since - steps
        cosine = (1 + math.cos(math.pi * since / steps)) / 2
        return self.initial_learning_rate * ((1 - self.alpha) * top * cosine + self.alpha)


CLASSES: dict[str, type[LearningRateSchedule]] = {
    cls.__name__: cls
    for cls in (
        CosineDecay,
        CosineDecayRestarts,
        ExponentialDecay,
        InverseTimeDecay,
        PiecewiseConstantDecay,
        PolynomialDecay,
    )
}


deserialize = deserializer(CLASSES, "learning-rate schedule")


def get(where: str, identifier: Any) -> float | LearningRateSchedule:
    """A learning rate, a schedule or a schedule's description, as an optimiser keeps it. Raises ValueError."""
    if isinstance(identifier, LearningRateSchedule):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    return arguments.non_negative(where, identifier)


def _rate(schedule: LearningRateSchedule, name: str, value: Any) -> float:
    return arguments.non_negative(f"{type(schedule).__name__} {name}", value)


def _steps(schedule: LearningRateSchedule, name: str, value: Any) -> float:
    return arguments.number(f"{type(schedule).__name__} {name}", value, least=1)


__getattr__ = reporter(__name__, CLASSES)
