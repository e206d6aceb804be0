"""Optimisers against their formulas, calculated step by step in plain Python."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import minicnn
from minicnn import optimizers
from minicnn.backends import active
from minicnn.layers import Parameter
from minicnn.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Nadam, RMSprop


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


@pytest.mark.parametrize("nesterov", [False, True])
def test_decoupled_weight_decay(backend, nesterov):
    """The value shrinks by learning_rate · weight_decay = 5 % in each step, and momentum knows nothing of it."""
    without = run(SGD(0.1, momentum=0.5, nesterov=nesterov), [2], value=1.0) - 1.0
    assert run(SGD(0.1, momentum=0.5, nesterov=nesterov, weight_decay=0.5), [2]) == pytest.approx(0.95 + without)
    assert run(SGD(0.1, weight_decay=0.5), [2, -1]) == pytest.approx((0.95 - 0.2) * 0.95 + 0.1)
    assert run(Adam(0.1, weight_decay=0.5), [2, -1]) == run(AdamW(0.1, weight_decay=0.5), [2, -1])


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


def test_rmsprop(backend):
    """Gradients 2, −1 and ρ = ½: the velocities are 2 and 1.5; without momentum, each step is 0.1 · g / √velocity."""
    first, second = 0.1 * 2 / np.sqrt(2), 0.1 / np.sqrt(1.5)
    assert run(RMSprop(0.1, 0.5, epsilon=0), [2, -1]) == pytest.approx(1 - first + second)
    moving = run(RMSprop(0.1, 0.5, momentum=0.25, epsilon=0), [2, -1])
    assert moving == pytest.approx(1 - first - (0.25 * first - second))


def test_centered_rmsprop(backend):
    """The moving means are 1 and 0, so the variances are 2 − 1 = 1 and 1.5 − 0 = 1.5."""
    assert run(RMSprop(0.1, 0.5, epsilon=0, centered=True), [2, -1]) == pytest.approx(1 - 0.2 + 0.1 / np.sqrt(1.5))


def test_adadelta(backend):
    """ρ = ½ and ε = 1: squares 2, 1.5; first step √(1 / 3) · 2, whose square's mean is ⅔; second √(5/3 / 2.5) · −1."""
    expected = 1 - 0.1 * 2 / np.sqrt(3) + 0.1 * np.sqrt((1 + 2 / 3) / 2.5)
    assert run(Adadelta(0.1, 0.5, epsilon=1), [2, -1]) == pytest.approx(expected)


def test_adagrad(backend):
    """The sums are 5 + 4 = 9 and 9 + 16 = 25."""
    assert run(Adagrad(0.3, 5, epsilon=0), [2, -4]) == pytest.approx(1 - 0.3 * 2 / 3 + 0.3 * 4 / 5)


def test_adamax(backend):
    """β₁ = β₂ = ½: means 1 and 0, corrected 2 and 0; maxima 2 and max(1, 1)."""
    assert run(Adamax(0.1, 0.5, 0.5, epsilon=0), [2, -1]) == pytest.approx(1 - 0.1 * 2 / 2)


def test_nadam_follows_its_paper(backend):
    grads, value, m, v, product = [0.3, -2.0, 0.001], 1.0, 0.0, 0.0, 1.0
    for t, g in enumerate(grads, start=1):
        now, ahead = (0.9 * (1 - 0.5 * 0.96**i) for i in (t, t + 1))
        product *= now
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        step = ahead * m / (1 - product * ahead) + (1 - now) * g / (1 - product)
        value -= 0.01 * step / ((v / (1 - 0.999**t)) ** 0.5 + 1e-7)
    assert run(Nadam(0.01), grads) == pytest.approx(value, rel=1e-12)


def test_nadam_after_thousands_of_steps(backend):
    """Its momentum factors are multiplied from the first step on: late ones are β₁, also in steps without end."""
    factors = [0.9999 * (1 - 0.5 * 0.96**t) for t in range(1, 3002)]
    until_now, until_ahead = np.prod(factors[:-1]), np.prod(factors)
    m = factors[-1] / (1 - until_ahead) * 0.0001 + (1 - factors[-2]) / (1 - until_now)
    value, grad, mean, variance = (minicnn.to_device(np.array([number])) for number in (0.0, 1.0, 0.0, 1.0))
    active().nadam_step([value], [grad], [mean], [variance], 3000, 1.0, 0.9999, 0.0, 0.0, 0.0)
    assert float(minicnn.to_host(value)[0]) == pytest.approx(-m, rel=1e-9)
    active().nadam_step([value], [grad], [mean], [variance], 2**40, 1.0, 0.9999, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("cls", optimizers.CLASSES.values())
def test_weight_decay_of_every_optimiser(backend, cls):
    """Without a gradient, only the decay of 5 % moves the value."""
    assert run(cls(0.1, weight_decay=0.5), [0]) == pytest.approx(0.95)


class TestClipping:
    def values(self, optimizer):
        first, second = parameter([0.0, 0.0], [3, -4]), parameter([0.0], [12])
        optimizer.step([first, second])
        return [*first.value, *second.value]

    def test_every_entry(self, backend):
        assert self.values(SGD(1, clipvalue=3.5)) == [-3, 3.5, -3.5]

    def test_the_norm_of_each_gradient(self, backend):
        assert self.values(SGD(1, clipnorm=2.5)) == pytest.approx([-1.5, 2, -2.5])
        assert self.values(SGD(1, clipnorm=7)) == pytest.approx([-3, 4, -7])

    def test_the_norm_of_all_gradients(self, backend):
        """√(9 + 16 + 144) = 13."""
        assert self.values(SGD(1, global_clipnorm=6.5)) == pytest.approx([-1.5, 2, -6])
        assert self.values(SGD(1, global_clipnorm=14)) == pytest.approx([-3, 4, -12])

    def test_the_parameter_keeps_its_whole_gradient(self, backend):
        p = parameter([0.0], [5])
        SGD(1, clipvalue=1).step([p])
        assert p.grad == 5

    def test_at_most_one_limit(self):
        with pytest.raises(ValueError, match="at most one of .*, found clipnorm, clipvalue"):
            SGD(clipnorm=1, clipvalue=2)


class TestMovingAverage:
    """SGD(1) with gradients of 1 moves the value from 4 to 3, 2 and 1."""

    def test_it_begins_with_the_first_value(self, backend):
        p, optimizer = parameter([4.0], [1]), SGD(1, use_ema=True, ema_momentum=0.75)
        for value, average in ((3, 3), (2, 2.75), (1, 2.3125)):
            optimizer.step([p])
            assert p.value == pytest.approx(value)
            assert optimizer.get_state()[1] == pytest.approx(average)
        optimizer.finalize_variable_values([p])
        assert p.value == pytest.approx(2.3125)

    def test_it_overwrites_the_values(self, backend):
        p, optimizer = parameter([4.0], [1]), SGD(1, use_ema=True, ema_momentum=0.75, ema_overwrite_frequency=2)
        found = []
        for _ in range(3):
            optimizer.step([p])
            found.append(float(p.value[0]))
        assert found == pytest.approx([3, 2.75, 1.75])

    def test_the_end_of_fit(self):
        x = np.ones((4, 1), np.float32)
        model = minicnn.Sequential([minicnn.Input((1,)), minicnn.layers.Dense(2, "linear", False, "ones")])
        model.compile(SGD(0.1, use_ema=True, ema_momentum=0.9), "mse")
        model.fit(x, 0 * x.repeat(2, axis=1), batch_size=4, epochs=2, verbose=0)
        np.testing.assert_allclose(model.get_weights()[0], [[0.9 * 0.9 + 0.1 * 0.81] * 2], rtol=1e-6)

    def test_another_slot_of_an_optimiser_that_starts_at_a_number(self, backend):
        """Adagrad's own slots start at 5, the averages at the value."""
        p, optimizer = parameter([4.0], [2]), Adagrad(3, 5, epsilon=0, use_ema=True)
        optimizer.step([p])
        assert optimizer.get_state() == [pytest.approx(9), pytest.approx(2)]

    def test_without_it_nothing_is_final(self):
        p = parameter([4.0], [1])
        SGD().finalize_variable_values([p])
        assert p.value == 4


class TestGradientAccumulation:
    def test_every_third_step_takes_the_mean(self, backend):
        p, optimizer = parameter([4.0], [0]), SGD(1, gradient_accumulation_steps=3)
        found = []
        for grad in (3, 0, 6, 9, 9, 0):
            p.grad = np.array([grad], np.float64)
            optimizer.step([p])
            found.append((float(p.value[0]), optimizer.iterations))
        assert found == [(4, 0), (4, 0), (1, 1), (1, 1), (1, 1), (-5, 2)]

    def test_the_mean_is_clipped(self, backend):
        """Each gradient alone is within the limit, or is not."""
        optimizer = SGD(1, clipvalue=1, gradient_accumulation_steps=2)
        assert run(optimizer, [3, -1]) == pytest.approx(0)
        assert run(SGD(1, clipvalue=1, gradient_accumulation_steps=2), [3, 1]) == pytest.approx(0)

    def test_many_small_batches_are_one_large_one(self, backend):
        grads = np.random.default_rng(0).normal(size=(4, 3))
        small = run(Adam(0.1, weight_decay=0.1, gradient_accumulation_steps=3), grads.ravel())
        assert small == pytest.approx(run(Adam(0.1, weight_decay=0.1), grads.mean(axis=1)), rel=1e-12)


class TestExclusionFromWeightDecay:
    def values(self, **excluded):
        """Without a gradient, only the decay of 5 % moves a value."""
        kernel, bias = parameter([1.0, 1.0], [0, 0]), parameter([1.0], [0])
        kernel.name, bias.name = "dense/kernel", "dense/bias"
        optimizer = AdamW(0.1, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(**{name: make(kernel, bias) for name, make in excluded.items()})
        optimizer.step([kernel, bias])
        return [float(kernel.value[0]), float(bias.value[0])]

    def test_by_name_and_by_object(self, backend):
        assert self.values(var_names=lambda kernel, bias: ["bias"]) == pytest.approx([0.95, 1])
        assert self.values(var_list=lambda kernel, bias: [kernel]) == pytest.approx([1, 0.95])
        both = self.values(var_list=lambda kernel, bias: [kernel], var_names=lambda kernel, bias: ["bias"])
        assert both == pytest.approx([1, 1])

    def test_the_steps_do_not_change(self, backend):
        """A step is that of the same optimiser with and without weight decay."""
        grads = [0.3, -2.0, 0.001]
        for cls in optimizers.CLASSES.values():
            one, other = parameter([1.0], [0]), parameter([2.0], [0])
            optimizer = cls(0.1, weight_decay=0.5)
            optimizer.exclude_from_weight_decay(var_list=[other])
            for grad in grads:
                one.grad, other.grad = np.array([grad]), np.array([-grad])
                optimizer.step([one, other])
            assert one.value[0] == run(cls(0.1, weight_decay=0.5), grads)
            assert other.value[0] == run(cls(0.1, weight_decay=0), [-grad for grad in grads], value=2.0)

    def test_only_before_the_first_step(self):
        optimizer = SGD(weight_decay=0.1)
        optimizer.step([parameter([1.0], [0])])
        with pytest.raises(ValueError, match="exclude_from_weight_decay: expected a call before the first step"):
            optimizer.exclude_from_weight_decay(var_names=["bias"])


def test_arguments_that_are_not_offered():
    assert Adam(loss_scale_factor=None, amsgrad=False, jit_compile=True).get_config() == Adam().get_config()
    with pytest.raises(ValueError, match="Adam: expected amsgrad=False, the only value that is offered, found True"):
        Adam(amsgrad=True)
    with pytest.warns(UserWarning, match="decay has no effect, as in Keras 3. .*InverseTimeDecay"):
        SGD(0.1, decay=1e-6)
    with pytest.raises(TypeError, match="Did you mean 'learning_rate'"):
        SGD(lr=0.1)


def test_an_optimiser_can_be_pickled():
    for cls in optimizers.CLASSES.values():
        optimizer = cls(weight_decay=0.1, use_ema=True)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        assert pickle.loads(pickle.dumps(optimizer)).get_config() == optimizer.get_config()


def test_a_fresh_copy_has_made_no_step(backend):
    used = Adam(0.1)
    expected = run(used, [2.0])
    assert run(used.fresh(), [2.0]) == expected
    assert (used.fresh().iterations, used.iterations) == (0, 1)


def test_apply_takes_gradients():
    p = parameter([1.0], [0])
    SGD(0.1).apply([np.array([2.0])], [p])
    assert p.value == pytest.approx(0.8)


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


@pytest.mark.parametrize("optimizer", [SGD, Adam])
def test_a_gradient_of_another_shape_is_refused(backend, optimizer):
    """A custom layer that forgets to sum over the batch: kernels would read and write outside of the arrays."""
    p = parameter(np.ones((5, 3)), np.ones((4, 5, 3)))
    with pytest.raises(ValueError, match=r", p: expected .* shape \(5, 3\), found shape \(4, 5, 3\).*\.sum\(axis=0\)"):
        optimizer().step([p])
    p.grad = np.ones((1, 3))
    with pytest.raises(ValueError, match=r", p: expected .* shape \(5, 3\), found shape \(1, 3\)"):
        optimizer().step([p])
    np.testing.assert_array_equal(p.value, 1)


@pytest.mark.parametrize(
    ("grad", "message"),
    [
        (np.ones(3, np.float32), r"dtype float64, found float32.*astype"),
        (np.ones(3, int), r"dtype float64, found int64"),
        ([1.0, 1.0, 1.0], r"p's grad as an array, found a list"),
        (np.ma.masked_less(np.ones(3), 2), r"p's grad as an array, found a MaskedArray"),
    ],
)
def test_a_gradient_of_another_kind_is_refused(backend, grad, message):
    p = parameter(np.ones(3), 0)
    p.grad = grad
    with pytest.raises(TypeError, match=message):
        Adam().step([p])
    np.testing.assert_array_equal(p.value, 1)


def test_a_gradient_with_gaps_is_taken(backend):
    p = parameter(np.ones((2, 3)), 0)
    p.grad = np.arange(12.0).reshape(3, 4)[:, ::2].T
    SGD(1.0).step([p])
    np.testing.assert_array_equal(p.value, 1 - np.arange(12.0).reshape(3, 4)[:, ::2].T)


def test_a_parameter_twice_is_refused(backend):
    p = parameter([1.0], [1.0])
    with pytest.raises(ValueError, match="each parameter once, found one twice among p, p"):
        SGD().step([p, p])


def test_parameters_that_share_memory_are_refused(backend):
    memory = np.ones(5)
    first, second = (parameter(0, np.ones(3)) for _ in range(2))
    first.value, second.value = memory[:3], memory[2:]
    with pytest.raises(ValueError, match=r"values\[1\] and values\[0\] in separate memory"):
        SGD().step([first, second])
    second.value = memory[3:]
    second.grad = np.ones(2)
    SGD(0.5).step([first, second])
    np.testing.assert_array_equal(memory, 0.5)


@pytest.mark.parametrize("view", [as_strided, lambda array: np.frombuffer(memoryview(array), array.dtype)])
def test_shared_memory_is_found_in_any_view(view):
    """The base of such a view is not the array that owns its memory."""
    memory = np.ones(5)
    values = [view(memory[:3]), view(memory[2:])]
    grads, velocities = ([np.ones(3), np.ones(3)] for _ in range(2))
    with pytest.raises(ValueError, match=r"values\[1\] and values\[0\] in separate memory"):
        minicnn.backends.active().sgd_step(values, grads, velocities, 0.1, 0.9, False, 0.0)


@pytest.mark.parametrize(
    "change",
    [
        lambda array: array[:1],
        lambda array: array[None],
        lambda array: array.astype(np.float32),
        lambda array: array.astype(object),
    ],
)
def test_the_state_of_other_parameters_is_refused(backend, change):
    """The slots of a changed file may be too short: the next step would read and write outside of them."""
    adam, p = Adam(), parameter(np.ones((3, 2)), np.ones((3, 2)))
    adam.step([p])
    before = adam.get_state()
    changed = [before[0], change(before[1])]
    with pytest.raises(ValueError, match=r"Adam, variances of p: expected shape \(3, 2\) and float64, found"):
        adam.set_state(1, changed, [p])
    for array, kept in zip(adam.get_state(), before, strict=True):
        np.testing.assert_array_equal(array, kept)
    with pytest.raises(ValueError, match="expected 2 slot arrays, found 1"):
        adam.set_state(1, before[:1], [p])


def test_a_copy_of_a_used_optimiser_goes_on_by_itself(backend):
    """scikit-learn's clone copies an optimiser that it is given as a parameter."""
    one, other = parameter([1.0, 2.0], [0.5, -1.0]), parameter([1.0, 2.0], [0.5, -1.0])
    original = Adam(0.1)
    original.step([one])
    other.value = one.value.copy()
    twin = copy.deepcopy(original)
    original.step([one])
    twin.step([other])
    np.testing.assert_array_equal(other.value, one.value)


def test_apply_gradients():
    p, q = parameter([1.0, 2.0], [0, 0]), parameter([3.0], [0])
    optimizer = SGD(0.5)
    optimizer.apply_gradients(zip([np.array([1, 2], p.dtype), np.array([4], q.dtype)], [p, q], strict=True))
    np.testing.assert_array_equal(p.value, [0.5, 1])
    np.testing.assert_array_equal(q.value, [1])
    assert optimizer.iterations == 1


def test_an_optimiser_of_keras_is_explained():
    """A script's import that was not changed."""
    keras_own = type("RMSprop", (), {"__module__": "keras.src.optimizers.rmsprop"})()
    with pytest.raises(ValueError, match="an object of keras: import RMSprop from minicnn instead"):
        optimizers.get(keras_own)
