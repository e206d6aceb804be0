"""Mistakes in an optimiser's step, each as a step with that mistake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..known.base import Array
from ..known.optimizers import RULES, State, Step, moments, momentum, rmsprop, sgd

Hyper = dict[str, float]


@dataclass(frozen=True)
class WrongStep:
    """A step with a mistake: its identifier, the rules that it may be made in, and the sentence."""

    name: str
    rules: tuple[str, ...]
    step: Step
    sentence: str


STEPS: list[WrongStep] = []
"""All wrong steps."""


def wrong(*rules: str) -> Callable[[Step], Step]:
    """Put a wrong step of these rules into the catalogue; its docstring is the sentence."""

    def enter(step: Step) -> Step:
        name = f"optimizers.{step.__name__.replace('_', '-')}"
        STEPS.append(WrongStep(name, rules, step, " ".join((step.__doc__ or "").split())))
        return step

    return enter


def wrong_for_each(*rules: str) -> Callable[[Callable[[Step], Step]], Callable[[Step], Step]]:
    """Enter a change of any step for each form of these rules."""

    def enter(change: Callable[[Step], Step]) -> Callable[[Step], Step]:
        for rule in rules:
            for right in RULES[rule]:
                name = f"optimizers.{change.__name__.replace('_', '-')}"
                STEPS.append(WrongStep(name, (rule,), change(right), " ".join((change.__doc__ or "").split())))
        return change

    return enter


@wrong_for_each(*RULES)
def ascent(right: Step) -> Step:
    """The weights move up the gradient: the sign of the step is wrong, w + … where w − … belongs."""
    return lambda w, g, state, t, h: 2 * w - right(w, g, state, t, h)


@wrong_for_each(*RULES)
def learning_rate_forgotten(right: Step) -> Step:
    """The learning rate is not multiplied in."""
    return lambda w, g, state, t, h: right(w, g, state, t, {**h, "learning_rate": 1.0})


@wrong_for_each(*RULES)
def learning_rate_twice(right: Step) -> Step:
    """The learning rate is multiplied in twice."""
    return lambda w, g, state, t, h: right(w, g, state, t, {**h, "learning_rate": h["learning_rate"] ** 2})


@wrong_for_each("momentum", "nesterov", "rmsprop", "adam", "adamw")
def state_not_kept(right: Step) -> Step:
    """The state (velocity, moments) is not kept from step to step: each step starts from zeros."""
    return lambda w, g, state, t, h: right(w, g, {}, t, h)


@wrong_for_each("adam", "adamw")
def step_number_not_counted(right: Step) -> Step:
    """t stays 1: the bias is corrected as in the first step for ever."""
    return lambda w, g, state, t, h: right(w, g, state, 1, h)


@wrong_for_each("adam", "adamw")
def step_number_one_ahead(right: Step) -> Step:
    """t is one too large: it starts at 2, or is increased before and after."""
    return lambda w, g, state, t, h: right(w, g, state, t + 1, h)


@wrong_for_each("adam", "adamw")
def betas_exchanged(right: Step) -> Step:
    """beta1 and beta2 are exchanged."""
    return lambda w, g, state, t, h: right(w, g, state, t, {**h, "beta1": h["beta2"], "beta2": h["beta1"]})


@wrong_for_each("rmsprop", "adam", "adamw")
def epsilon_forgotten(right: Step) -> Step:
    """epsilon is not added to the root."""
    return lambda w, g, state, t, h: right(w, g, state, t, {**h, "epsilon": 0.0})


@wrong("momentum")
def momentum_sign(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """The velocity is subtracted from itself: its sign alternates, v = −momentum · v − learning_rate · g."""
    return momentum(w, g, state, t, {**h, "momentum": -h["momentum"]})


@wrong("momentum")
def velocity_averaged(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """The gradient is weighted by 1 − momentum, where the velocity sums: v = momentum · v − learning_rate · g."""
    state["v"] = h["momentum"] * state.get("v", 0) - (1 - h["momentum"]) * h["learning_rate"] * g
    return w + state["v"]


@wrong("momentum")
def old_velocity_used(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """The weights get the velocity of the step before: it is updated too late."""
    old = state.get("v", 0)
    momentum(w, g, state, t, h)
    return w + old


@wrong("momentum")
def gradient_added_too(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """The gradient is subtracted besides the velocity, which already has it."""
    return momentum(w, g, state, t, h) - h["learning_rate"] * g


@wrong("momentum")
def nesterov_for_momentum(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """It is Nesterov's momentum, where plain momentum is meant."""
    return RULES["nesterov"][0](w, g, state, t, h)


@wrong("nesterov")
def momentum_for_nesterov(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """It is plain momentum, where Nesterov's look ahead is meant."""
    return momentum(w, g, state, t, h)


@wrong("rmsprop")
def rms_root_forgotten(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """The square root of the mean square is missing."""
    rmsprop(w, g, state, t, h)
    return w - h["learning_rate"] * g / (state["cache"] + h["epsilon"])


@wrong("rmsprop")
def rms_epsilon_inside_root(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """epsilon is added inside the root, √(cache + epsilon), where it is added to the root."""
    rmsprop(w, g, state, t, h)
    return w - h["learning_rate"] * g / np.sqrt(state["cache"] + h["epsilon"])


@wrong("rmsprop")
def rms_sum_for_mean(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """The squares are summed without decay, as in AdaGrad."""
    state["cache"] = state.get("cache", 0) + g**2
    return w - h["learning_rate"] * g / (np.sqrt(state["cache"]) + h["epsilon"])


@wrong("rmsprop")
def rms_decay_exchanged(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """decay_rate and 1 − decay_rate are exchanged."""
    return rmsprop(w, g, state, t, {**h, "decay_rate": 1 - h["decay_rate"]})


@wrong("rmsprop")
def rms_gradient_not_squared(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """The cache averages |g| where it averages g²."""
    state["cache"] = h["decay_rate"] * state.get("cache", 0) + (1 - h["decay_rate"]) * np.abs(g)
    return w - h["learning_rate"] * g / (np.sqrt(state["cache"]) + h["epsilon"])


def decayed(w: Array, h: Hyper) -> Array:
    """The weights after AdamW's decay, if there is one."""
    return w * (1 - h["learning_rate"] * h.get("weight_decay", 0))


@wrong("adam", "adamw")
def bias_not_corrected(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """The bias is not corrected: m and v start at zero and have to be divided by 1 − betaᵗ."""
    m, v = moments(g, state, h)
    return decayed(w, h) - h["learning_rate"] * m / (np.sqrt(v) + h["epsilon"])


@wrong("adam", "adamw")
def bias_of_mean_not_corrected(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """The bias of the first moment is not corrected."""
    m, v = moments(g, state, h)
    return decayed(w, h) - h["learning_rate"] * m / (np.sqrt(v / (1 - h["beta2"] ** t)) + h["epsilon"])


@wrong("adam", "adamw")
def bias_of_square_not_corrected(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """The bias of the second moment is not corrected."""
    m, v = moments(g, state, h)
    return decayed(w, h) - h["learning_rate"] * m / (1 - h["beta1"] ** t) / (np.sqrt(v) + h["epsilon"])


@wrong("adam", "adamw")
def bias_multiplied(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """The moments are multiplied by 1 − betaᵗ, where they are divided by it."""
    m, v = moments(g, state, h)
    root = np.sqrt(v * (1 - h["beta2"] ** t))
    return decayed(w, h) - h["learning_rate"] * m * (1 - h["beta1"] ** t) / (root + h["epsilon"])


@wrong("adam", "adamw")
def epsilon_inside_root(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """epsilon is added inside the root, √(v + epsilon), where it is added to the root."""
    m, v = moments(g, state, h)
    root = np.sqrt(v / (1 - h["beta2"] ** t) + h["epsilon"])
    return decayed(w, h) - h["learning_rate"] * m / (1 - h["beta1"] ** t) / root


@wrong("adam", "adamw")
def root_forgotten(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """The square root of the second moment is missing."""
    m, v = moments(g, state, h)
    square = v / (1 - h["beta2"] ** t)
    return decayed(w, h) - h["learning_rate"] * m / (1 - h["beta1"] ** t) / (square + h["epsilon"])


@wrong("adam", "adamw")
def gradient_for_mean(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """The gradient is used where its moving mean belongs, as in RMSprop."""
    _, v = moments(g, state, h)
    return decayed(w, h) - h["learning_rate"] * g / (np.sqrt(v / (1 - h["beta2"] ** t)) + h["epsilon"])


@wrong("adam", "adamw")
def corrected_moments_kept(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """The corrected moments are kept for the next step, where the uncorrected ones have to be."""
    m, v = moments(g, state, h)
    state["m"], state["v"] = m / (1 - h["beta1"] ** t), v / (1 - h["beta2"] ** t)
    return decayed(w, h) - h["learning_rate"] * state["m"] / (np.sqrt(state["v"]) + h["epsilon"])


@wrong("adam", "adamw")
def weight_of_gradient_forgotten(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """The factors 1 − beta of the new gradient are missing: the moments are sums, not means."""
    state["m"] = h["beta1"] * state.get("m", 0) + g
    state["v"] = h["beta2"] * state.get("v", 0) + g**2
    root = np.sqrt(state["v"] / (1 - h["beta2"] ** t))
    return decayed(w, h) - h["learning_rate"] * state["m"] / (1 - h["beta1"] ** t) / (root + h["epsilon"])


@wrong_for_each("adamw")
def decay_coupled(right: Step) -> Step:
    """The decay is added to the gradient (L2), where AdamW takes it from the weights, beside the moments."""
    return lambda w, g, state, t, h: right(w, g + h["weight_decay"] * w, state, t, {**h, "weight_decay": 0.0})


@wrong_for_each("adamw")
def decay_forgotten(right: Step) -> Step:
    """The weights do not decay: it is plain Adam."""
    return lambda w, g, state, t, h: right(w, g, state, t, {**h, "weight_decay": 0.0})


@wrong_for_each("adamw")
def decay_without_learning_rate(right: Step) -> Step:
    """The decay is not multiplied by the learning rate."""
    return lambda w, g, state, t, h: right(w * (1 - h["weight_decay"]), g, state, t, {**h, "weight_decay": 0.0})


@wrong_for_each("adamw")
def decay_with_wrong_sign(right: Step) -> Step:
    """The weights grow where they have to decay."""
    return lambda w, g, state, t, h: right(w, g, state, t, {**h, "weight_decay": -h["weight_decay"]})


@wrong("sgd")
def gradient_normalized(w: Array, g: Array, state: State, t: int, h: Hyper) -> Array:
    """Only the sign of the gradient is used."""
    return sgd(w, np.sign(g), state, t, h)
