"""Optimiser steps: each gets the weights w, their gradient g, its state, the step's number t from 1, and h.

The state is a dict of arrays that start at 0; h has the hyperparameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Array

State = dict[str, Any]
Step = Callable[[Array, Array, State, int, dict[str, float]], Array]

HYPERPARAMETERS: dict[str, dict[str, float]] = {
    "sgd": {"learning_rate": 0.1},
    "momentum": {"learning_rate": 0.1, "momentum": 0.8},
    "nesterov": {"learning_rate": 0.1, "momentum": 0.8},
    "rmsprop": {"learning_rate": 0.1, "decay_rate": 0.8, "epsilon": 0.05},
    "adam": {"learning_rate": 0.1, "beta1": 0.7, "beta2": 0.9, "epsilon": 0.05},
    "adamw": {"learning_rate": 0.1, "beta1": 0.7, "beta2": 0.9, "epsilon": 0.05, "weight_decay": 0.3},
}
"""For each rule its hyperparameters, with values that make mistakes visible: no epsilon of 10⁻⁸."""


def sgd(w: Array, g: Array, state: State, t: int, h: dict[str, float]) -> Array:
    return w - h["learning_rate"] * g


def momentum(w: Array, g: Array, state: State, t: int, h: dict[str, float]) -> Array:
    state["v"] = h["momentum"] * state.get("v", 0) - h["learning_rate"] * g
    return w + state["v"]


def nesterov(w: Array, g: Array, state: State, t: int, h: dict[str, float]) -> Array:
    state["v"] = h["momentum"] * state.get("v", 0) - h["learning_rate"] * g
    return w + h["momentum"] * state["v"] - h["learning_rate"] * g


def rmsprop(w: Array, g: Array, state: State, t: int, h: dict[str, float]) -> Array:
    state["cache"] = h["decay_rate"] * state.get("cache", 0) + (1 - h["decay_rate"]) * g**2
    return w - h["learning_rate"] * g / (np.sqrt(state["cache"]) + h["epsilon"])


def moments(g: Array, state: State, h: dict[str, float]) -> tuple[Array, Array]:
    """Adam's moving means of the gradient and of its square."""
    state["m"] = h["beta1"] * state.get("m", 0) + (1 - h["beta1"]) * g
    state["v"] = h["beta2"] * state.get("v", 0) + (1 - h["beta2"]) * g**2
    return state["m"], state["v"]


def adam(w: Array, g: Array, state: State, t: int, h: dict[str, float]) -> Array:
    """Algorithm 1 of Kingma & Ba (2015): epsilon is added to the corrected root."""
    m, v = moments(g, state, h)
    return w - h["learning_rate"] * m / (1 - h["beta1"] ** t) / (np.sqrt(v / (1 - h["beta2"] ** t)) + h["epsilon"])


def adam_of_keras(w: Array, g: Array, state: State, t: int, h: dict[str, float]) -> Array:
    """The last form of section 2: epsilon is added to the root before its correction."""
    m, v = moments(g, state, h)
    rate = h["learning_rate"] * np.sqrt(1 - h["beta2"] ** t) / (1 - h["beta1"] ** t)
    return w - rate * m / (np.sqrt(v) + h["epsilon"])


def adamw(w: Array, g: Array, state: State, t: int, h: dict[str, float]) -> Array:
    return adam(w * (1 - h["learning_rate"] * h["weight_decay"]), g, state, t, h)


def adamw_of_keras(w: Array, g: Array, state: State, t: int, h: dict[str, float]) -> Array:
    return adam_of_keras(w * (1 - h["learning_rate"] * h["weight_decay"]), g, state, t, h)


RULES: dict[str, tuple[Step, ...]] = {
    "sgd": (sgd,),
    "momentum": (momentum,),
    "nesterov": (nesterov,),
    "rmsprop": (rmsprop,),
    "adam": (adam, adam_of_keras),
    "adamw": (adamw, adamw_of_keras),
}
"""The right steps of each rule: Adam has two forms."""
