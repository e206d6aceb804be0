"""Optimisers against their formulas, worked out step by step in plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn import optimizers
from minicnn.layers import Parameter
from minicnn.optimizers import SGD, Adam, AdamW


def parameter(value, grad):
    made = Parameter("p", np.array(value, np.float64))
    made.grad = np.array(grad, np.float64)
    return made


def run(optimizer, grads, value=1.0):
    p = parameter([value], [0])
    for grad in grads:
        p.grad = np.array([grad], np.float64)
        optimizer.step([p])
    return p.value[0]


def test_plain_gradient_descent(backend):
    assert run(SGD(0.1), [2, -1]) == pytest.approx(1 - 0.2 + 0.1)


def test_momentum(backend):
    # velocities −0.2, then 0.5 · −0.2 + 0.1 = 0
    assert run(SGD(0.1, momentum=0.5), [2, -1]) == pytest.approx(1 - 0.2 + 0.0)


def test_nesterov(backend):
    # first: v = −0.2, step 0.5 · v − 0.2 = −0.3; then v = 0, step 0 + 0.1
    assert run(SGD(0.1, momentum=0.5, nesterov=True), [2, -1]) == pytest.approx(1 - 0.3 + 0.1)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adam_follows_the_paper(backend, weight_decay):
    grads, value, m, v = [0.3, -2.0, 0.001], 1.0, 0.0, 0.0
    for t, g in enumerate(grads, start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        value *= 1 - 0.01 * weight_decay
        value -= 0.01 * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t) * m / (v**0.5 + 1e-7)
    made = AdamW(0.01, weight_decay) if weight_decay else Adam(0.01)
    assert run(made, grads) == pytest.approx(value, rel=1e-12)


def test_the_first_step_of_adam_has_the_size_of_the_learning_rate(backend):
    for grad in (1e-3, 1.0, 1e6):
        assert run(Adam(0.01), [grad]) == pytest.approx(1 - 0.01, rel=1e-3)


def test_names_and_unknown_ones():
    assert isinstance(optimizers.get("Adam"), Adam)
    assert isinstance(optimizers.get("sgd"), SGD)
    with pytest.raises(ValueError, match="Did you mean 'adam'"):
        optimizers.get("adamm")
    with pytest.raises(TypeError, match="learning_rate"):
        Adam(lr=0.1)
    with pytest.raises(ValueError, match="learning_rate.*-1"):
        SGD(-1)


def test_a_step_without_gradients():
    with pytest.raises(RuntimeError, match="p has no gradient: call model.backward"):
        SGD().step([Parameter("p", np.ones(2))])


def test_a_step_with_other_parameters_than_before(backend):
    adam = Adam()
    adam.step([parameter([1.0, 2.0], [1, 1])])
    with pytest.raises(ValueError, match="parameters of its first step"):
        adam.step([parameter([1.0], [1])])
