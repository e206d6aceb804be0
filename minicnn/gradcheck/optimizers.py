"""The check of an optimiser: its steps beside those of the rule that it is meant to be."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import arguments, optimizers
from ..backends import to_device, to_host
from ..errors import explain
from ..parameters import Parameter
from .known.optimizers import HYPERPARAMETERS, RULES, Step
from .mistakes.optimizers import STEPS
from .report import Finding, Report

COUNT = 5
"""Steps that are compared."""

TOLERANCE = 1e-9

Weights = list[np.ndarray]
Take = Callable[[np.ndarray, np.ndarray], np.ndarray]


def check_optimizer(optimizer: Any, rule: str | None = None, *, seed: int = 0, **hyperparameters: float) -> Report:
    """Compare an optimiser's steps with those of its rule, over five steps of random gradients.

    Args:
        optimizer: a function step(w, dw, config) -> w, config as in CS231n; a function step(w, dw) that returns the new
            weights or changes w in place; or a minicnn optimiser, such as a subclass of Adam with its own update.
        rule: "sgd", "momentum", "nesterov", "rmsprop", "adam" or "adamw"; None takes the function's or class's name.
        seed: for the weights and the gradients.
        hyperparameters: of a function step(w, dw), such as learning_rate=0.1; the others are told to it, in its config.

    Both usual forms of Adam are right, with epsilon added before or after the root is corrected. Raises ValueError for
    an unknown rule.
    """
    rule = _rule_of(optimizer) if rule is None else rule
    arguments.choice("check_optimizer rule", rule, RULES, "the name of a rule")
    h = {**HYPERPARAMETERS[rule], **_own(optimizer), **hyperparameters}
    found = [_trajectory(lambda: _taker(optimizer, h), seed + i) for i in range(2)]
    expected = [[_follow(step, h, seed + i) for i in range(2)] for step in RULES[rule]]
    errors = [_distance(found, right) for right in expected]
    title = f"{getattr(optimizer, '__name__', type(optimizer).__name__)}: {COUNT} steps of {rule}"
    if min(errors) <= TOLERANCE:
        return Report(title, (Finding("weights", error=min(errors), tolerance=TOLERANCE),))
    matching = {
        wrong.name: wrong.sentence
        for wrong in STEPS
        if rule in wrong.rules and _distance(found, [_follow(wrong.step, h, seed + i) for i in range(2)]) <= TOLERANCE
    }
    causes = tuple(matching)
    first = next(t for t in range(COUNT) if not np.allclose(found[0][t], expected[0][0][t], rtol=1e-8, atol=1e-12))
    text = " Or: ".join(matching.values()) or (
        f"it is none of the {len(STEPS)} mistakes of the catalogue: all of them were computed and differ."
    )
    text = f"the weights are wrong from step {first + 1} on. {text}"
    cause = causes[0] if len(causes) == 1 else None
    return Report(title, (Finding("weights", text, cause, causes, "", min(errors), TOLERANCE),))


def _problem(seed: int) -> tuple[np.ndarray, Weights]:
    """Weights and the gradients of all steps, some of them as small as epsilon."""
    rng = np.random.default_rng([seed, 3])
    return rng.standard_normal(6), [rng.standard_normal(6) * np.array([1, 1, 0.1, 0.1, 0.01, 3]) for _ in range(COUNT)]


def _follow(step: Step, h: dict[str, float], seed: int) -> Weights:
    """The weights after each step of a known rule."""
    w, gradients = _problem(seed)
    state: dict[str, Any] = {}
    path = []
    for t, g in enumerate(gradients, start=1):
        with np.errstate(all="ignore"):
            w = step(w, g, state, t, h)
        path.append(w)
    return path


def _trajectory(make: Callable[[], Take], seed: int) -> Weights:
    """The weights after each step of the user's optimiser."""
    w, gradients = _problem(seed)
    take, path = make(), []
    for g in gradients:
        w = take(w.copy(), g.copy())
        path.append(w.copy())
    return path


def _distance(found: list[Weights], expected: list[Weights]) -> float:
    """The largest difference, relative to the weights' movement."""
    difference = max(float(np.abs(np.stack(a) - np.stack(b)).max()) for a, b in zip(found, expected, strict=True))
    return difference / max(float(np.abs(np.stack(a)).max()) for a in expected)


def _taker(optimizer: Any, h: dict[str, float]) -> Take:
    """A function w, g -> the next w, with a state of its own."""
    if isinstance(optimizer, optimizers.Optimizer):
        return _taker_of_minicnn(optimizer)
    if not callable(optimizer):
        remedy = "step(w, dw, config) -> w, config, or step(w, dw)."
        raise TypeError(explain("check_optimizer", "an optimiser or a function", repr(optimizer), remedy))
    takes_config = len(inspect.signature(optimizer).parameters) > 2
    config: dict[str, Any] = {**h, "t": 0}

    def take(w: np.ndarray, g: np.ndarray) -> np.ndarray:
        nonlocal config
        result = optimizer(w, g, config) if takes_config else optimizer(w, g)
        if isinstance(result, tuple):
            result, config = result
        return w if result is None else np.asarray(result)

    return take


def _taker_of_minicnn(optimizer: optimizers.Optimizer) -> Take:
    fresh = optimizer.fresh()
    parameter = Parameter("w", to_device(np.zeros(1)))

    def take(w: np.ndarray, g: np.ndarray) -> np.ndarray:
        parameter.value, parameter.grad = to_device(w), to_device(g)
        fresh.step([parameter])
        return np.array(to_host(parameter.value))

    return take


def _own(optimizer: Any) -> dict[str, float]:
    """The hyperparameters of a minicnn optimiser."""
    if not isinstance(optimizer, optimizers.Optimizer):
        return {}
    own = {"learning_rate", "momentum", "beta_1", "beta_2", "epsilon", "weight_decay"}
    return {name.replace("a_", "a"): float(getattr(optimizer, name)) for name in own if hasattr(optimizer, name)}


def _rule_of(optimizer: Any) -> str:
    """The rule that a name says: adam for my_adam and for class MyAdam."""
    if isinstance(optimizer, optimizers.SGD):
        return "nesterov" if optimizer.nesterov else "momentum" if optimizer.momentum else "sgd"
    names = [cls.__name__ for cls in type(optimizer).__mro__]
    name = " ".join([getattr(optimizer, "__name__", ""), *names]).lower()
    for rule in ("adamw", "adam", "rmsprop", "nesterov", "momentum", "sgd"):
        if rule in name:
            return rule
    remedy = f"Give rule=, one of {', '.join(RULES)}."
    raise ValueError(explain("check_optimizer", "a name that says the rule", name.strip(), remedy))
