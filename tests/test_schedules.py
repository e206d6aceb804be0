"""Learning-rate schedules: values worked out by hand, and an optimiser that follows them."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn.layers import Dense, Parameter
from minicnn.optimizers import SGD, Adam, AdamW, schedules
from minicnn.optimizers.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (ExponentialDecay(0.8, 2, 0.25), {0: 0.8, 1: 0.4, 2: 0.2, 4: 0.05}),
        (ExponentialDecay(0.8, 2, 0.25, staircase=True), {0: 0.8, 1: 0.8, 2: 0.2, 3: 0.2, 4: 0.05}),
        (PiecewiseConstantDecay([2, 4], [3.0, 2.0, 1.0]), {0: 3, 2: 3, 3: 2, 4: 2, 5: 1, 99: 1}),
        (PolynomialDecay(1.0, 4, end_learning_rate=0.2), {0: 1.0, 1: 0.8, 3: 0.4, 4: 0.2, 9: 0.2}),
        (PolynomialDecay(1.0, 4, end_learning_rate=0.0, power=2.0), {0: 1.0, 1: 0.5625, 2: 0.25, 4: 0.0}),
        (PolynomialDecay(1.0, 4, end_learning_rate=0.2, cycle=True), {0: 1.0, 3: 0.4, 4: 0.2, 5: 0.5, 6: 0.4, 8: 0.2}),
        (InverseTimeDecay(0.6, 2, 0.5), {0: 0.6, 2: 0.4, 4: 0.3, 8: 0.2}),
        (InverseTimeDecay(0.6, 2, 0.5, staircase=True), {0: 0.6, 1: 0.6, 2: 0.4, 3: 0.4, 4: 0.3}),
        (CosineDecay(0.4, 6), {0: 0.4, 2: 0.3, 3: 0.2, 4: 0.1, 6: 0.0, 9: 0.0}),
        (CosineDecay(0.4, 6, alpha=0.5), {0: 0.4, 2: 0.35, 3: 0.3, 4: 0.25, 6: 0.2}),
        (
            CosineDecay(0.1, 6, warmup_target=0.4, warmup_steps=3),
            {0: 0.1, 1: 0.2, 2: 0.3, 3: 0.4, 5: 0.3, 6: 0.2, 7: 0.1, 9: 0.0, 10: 0.0},
        ),
    ],
    ids=lambda value: repr(value) if isinstance(value, schedules.LearningRateSchedule) else "",
)
def test_rates(schedule, rates):
    assert {step: schedule(step) for step in rates} == pytest.approx(rates, abs=1e-15)


@pytest.mark.parametrize("name", schedules.CLASSES)
def test_any_kind_of_number_is_a_step(name):
    arguments = {
        "CosineDecayRestarts": (0.1, 10),
        "PiecewiseConstantDecay": ([2], [0.2, 0.1]),
        "ExponentialDecay": (0.1, 10, 0.5),
        "InverseTimeDecay": (0.1, 10, 0.5, True),
    }
    schedule = schedules.CLASSES[name](*arguments.get(name, (0.1, 10)))
    for step in (np.int64(3), np.array(3), Parameter("step", np.array(3.0))):
        assert schedule(step) == schedule(3)
        assert type(schedule(step)) is float


def test_an_optimiser_asks_for_the_rate_before_each_step(backend):
    p = Parameter("p", np.array([0.0]))
    p.grad = np.array([-1.0])
    sgd = SGD(PiecewiseConstantDecay([0, 1], [4.0, 2.0, 1.0]))
    for step, (rate, value) in enumerate([(4, 4), (2, 6), (1, 7), (1, 8)]):
        assert (sgd.iterations, sgd.learning_rate) == (step, rate)
        sgd.step([p])
        assert p.value[0] == value


def test_a_schedule_of_one_s_own(backend):
    class Inverse(schedules.LearningRateSchedule):
        def __call__(self, step):
            return 1 / (1 + step)

    p = Parameter("p", np.array([0.0]))
    p.grad = np.array([-1.0])
    sgd = SGD(Inverse())
    for _ in range(3):
        sgd.step([p])
    assert p.value[0] == pytest.approx(1 + 1 / 2 + 1 / 3)


@pytest.mark.parametrize(
    "make_optimizer",
    [
        lambda: Adam(CosineDecay(0.01, 12, warmup_target=0.1, warmup_steps=4)),
        lambda: AdamW(PiecewiseConstantDecay((3, 9), (0.1, 0.01, 0.001)), 0.01),
        lambda: SGD(ExponentialDecay(0.1, 3, 0.5), momentum=0.5, weight_decay=0.01),
    ],
    ids=["adam", "adamw", "sgd"],
)
def test_a_resumed_training_follows_the_same_schedule(backend, tmp_path, make_optimizer):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 5)).astype("float32"), rng.integers(3, size=32)
    model = minicnn.Sequential([minicnn.Input((5,)), Dense(3, activation="softmax")])
    model.compile(make_optimizer(), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    model.save(tmp_path / "model.safetensors")
    loaded = minicnn.load_model(tmp_path / "model.safetensors")
    for one in (model, loaded):
        one.fit(x, y, batch_size=8, epochs=4, initial_epoch=2, verbose=0)
    assert loaded.optimizer.learning_rate == model.optimizer.learning_rate == make_optimizer()._learning_rate(16)
    for found, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_rate_that_a_schedule_determines_cannot_be_set():
    adam = Adam(CosineDecay(0.1, 10))
    with pytest.raises(TypeError, match=r"Adam learning_rate: expected no change .* schedule, found 0\.5"):
        adam.learning_rate = 0.5
    adam.learning_rate = ExponentialDecay(0.2, 10, 0.5)
    assert adam.learning_rate == 0.2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CosineDecay(0.1, 0), "CosineDecay decay_steps: .* at least 1, found 0"),
        (lambda: CosineDecay(-0.1, 10), "CosineDecay initial_learning_rate: .*-0.1"),
        (lambda: PiecewiseConstantDecay([5, 2], [1, 2, 3]), "boundaries: expected increasing numbers"),
        (lambda: PiecewiseConstantDecay([2, 5], [1, 2]), "expected 3 values, found 2"),
        (lambda: Adam("cosine"), "Adam learning_rate: .*'cosine'"),
        (lambda: Adam({"class": "CosineDecai", "config": {}}), "Did you mean 'CosineDecay'"),
    ],
)
def test_mistakes(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_schedule_without_a_call():
    with pytest.raises(NotImplementedError, match=r"Mine: expected a method __call__\(self, step\)"):
        _ = SGD(type("Mine", (schedules.LearningRateSchedule,), {})()).learning_rate


def test_cosine_decay_with_restarts():
    """Periods of 10 and 20 steps; the second begins at half the rate, and the floor stays 0.1 of the first rate."""
    schedule = CosineDecayRestarts(0.2, 10, m_mul=0.5, alpha=0.1)
    expected = {0: 0.2, 5: 0.02 + 0.18 / 2, 10: 0.02 + 0.09, 20: 0.02 + 0.045, 30: 0.02 + 0.045}
    assert [schedule(step) for step in expected] == pytest.approx(list(expected.values()))


def test_a_schedule_has_a_name():
    assert ExponentialDecay(0.1, 10, 0.5).name == "ExponentialDecay"
    assert ExponentialDecay.from_config(ExponentialDecay(0.1, 10, 0.5, name="mine").get_config()).name == "mine"
