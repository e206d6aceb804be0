"""Optimisers as in CS231n, right and wrong: the check names what was changed."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn.gradcheck import check_optimizer
from minicnn.optimizers import SGD, Adam, AdamW

SOURCES = {
    "sgd": """
def step(w, dw, config=None):
    w -= config["learning_rate"] * dw
    return w, config
""",
    "momentum": """
def step(w, dw, config=None):
    v = config.get("velocity", np.zeros_like(w))
    v = config["momentum"] * v - config["learning_rate"] * dw
    next_w = w + v
    config["velocity"] = v
    return next_w, config
""",
    "rmsprop": """
def step(x, dx, config=None):
    config.setdefault("cache", np.zeros_like(x))
    config["cache"] = config["decay_rate"] * config["cache"] + (1 - config["decay_rate"]) * dx ** 2
    return x - config["learning_rate"] * dx / (np.sqrt(config["cache"]) + config["epsilon"]), config
""",
    "adam": """
def step(x, dx, config=None):
    config.setdefault("m", np.zeros_like(x))
    config.setdefault("v", np.zeros_like(x))
    config["t"] += 1
    config["m"] = config["beta1"] * config["m"] + (1 - config["beta1"]) * dx
    config["v"] = config["beta2"] * config["v"] + (1 - config["beta2"]) * (dx * dx)
    mb = config["m"] / (1 - config["beta1"] ** config["t"])
    vb = config["v"] / (1 - config["beta2"] ** config["t"])
    return x - config["learning_rate"] * mb / (np.sqrt(vb) + config["epsilon"]), config
""",
}

WRONG = [
    ("sgd", "w -=", "w +=", "ascent"),
    ("sgd", 'config["learning_rate"] * dw', "dw", "learning-rate-forgotten"),
    ("momentum", 'v - config["learning_rate"]', 'v + config["learning_rate"]', "ascent"),
    ("momentum", 'config["velocity"] = v', "pass", "state-not-kept"),
    ("momentum", "w + v", 'w + config.get("velocity", 0)', "old-velocity-used"),
    (
        "momentum",
        '- config["learning_rate"]',
        '- (1 - config["momentum"]) * config["learning_rate"]',
        "velocity-averaged",
    ),
    ("rmsprop", "dx ** 2", "dx", None),
    (
        "rmsprop",
        '(np.sqrt(config["cache"]) + config["epsilon"])',
        'np.sqrt(config["cache"] + config["epsilon"])',
        "rms-epsilon-inside-root",
    ),
    ("rmsprop", 'np.sqrt(config["cache"])', 'config["cache"]', "rms-root-forgotten"),
    ("adam", 'config["m"] / (1 - config["beta1"] ** config["t"])', 'config["m"]', "bias-of-mean-not-corrected"),
    ("adam", 'config["v"] / (1 - config["beta2"] ** config["t"])', 'config["v"]', "bias-of-square-not-corrected"),
    ("adam", 'config["t"] += 1', 'config["t"] = 1', "step-number-not-counted"),
    ("adam", 'config["t"] += 1', 'config["t"] += 1 + (config["t"] == 0)', "step-number-one-ahead"),
    ("adam", '(np.sqrt(vb) + config["epsilon"])', 'np.sqrt(vb + config["epsilon"])', "epsilon-inside-root"),
    ("adam", "np.sqrt(vb)", "vb", "root-forgotten"),
    ("adam", "* mb /", "* dx /", "gradient-for-mean"),
    ("adam", "x - config", "x + config", "ascent"),
    ("adam", ' + config["epsilon"]', "", "epsilon-forgotten"),
]


def step_of(source):
    names = {"np": np}
    exec(source, names)
    return names["step"]


@pytest.mark.parametrize("rule", SOURCES)
def test_right_steps_are_right(rule):
    check_optimizer(step_of(SOURCES[rule]), rule).raise_if_wrong()


@pytest.mark.parametrize(("rule", "old", "new", "cause"), WRONG)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_wrong_steps_are_named(rule, old, new, cause):
    assert old in SOURCES[rule]
    report = check_optimizer(step_of(SOURCES[rule].replace(old, new)), rule)
    assert not report
    assert report.findings[0].causes == ((f"optimizers.{cause}",) if cause else ())


@pytest.mark.parametrize("optimizer", [SGD(0.1), SGD(0.1, 0.9), SGD(0.1, 0.9, True), Adam(), AdamW()])
def test_minicnns_own_are_right(optimizer):
    check_optimizer(optimizer).raise_if_wrong()


class Coupled(AdamW):
    def update(self, values, grads, slots, weight_decay):
        coupled = [grad + weight_decay * value for value, grad in zip(values, grads, strict=True)]
        super().update(values, coupled, slots, 0.0)


def test_a_coupled_decay_is_named():
    assert check_optimizer(Coupled(0.1, 0.3, epsilon=0.05)).causes == ("optimizers.decay-coupled",)


def test_an_unknown_rule_is_an_error():
    with pytest.raises(ValueError, match="Give rule="):
        check_optimizer(lambda w, dw: w)
